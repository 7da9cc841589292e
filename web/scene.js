// SPDX-License-Identifier: BSD-3-Clause
// The topology on a canvas: drawn only when something has changed, and only what is in view, so that 500 nodes
// move as smoothly as five.
import { bits } from "./format.js";

export const WIDTH = 112, HEIGHT = 46;
const TRACK = 16, PICK = 7;
const LABELS_IN_MOTION = 80, REST_MS = 150;
const ZOOM_MIN = 0.05, ZOOM_MAX = 4;

/** loadOf() - 0 idle .. 5 above 5 Gb/s: a virtual cable has no speed of its own to compare with */
export const loadOf = bps => [1e3, 1e6, 1e8, 1e9, 5e9].filter(limit => bps >= limit).length;
export const loadNames = ["idle", "above 1 kb/s", "1 Mb/s", "100 Mb/s", "1 Gb/s", "5 Gb/s"];

/** lineOf() - A link's ends in the drawing; links between the same two nodes run beside each other */
export function lineOf(link) {
	const { from, to } = link;
	const dx = to.x - from.x, dy = to.y - from.y, length = Math.hypot(dx, dy) || 1;
	const sign = link.a <= link.b ? 1 : -1;
	const aside = sign * TRACK * (link.track - (link.n_tracks - 1) / 2);
	const ox = -aside * dy / length, oy = aside * dx / length;
	return { x1: from.x + ox, y1: from.y + oy, x2: to.x + ox, y2: to.y + oy };
}

/** exitOf() - The point where a line leaves the box around its first end, and @more beyond it */
export function exitOf({ x1, y1, x2, y2 }, more) {
	const dx = x2 - x1, dy = y2 - y1, length = Math.hypot(dx, dy) || 1;
	const part = Math.min(WIDTH / 2 / Math.max(Math.abs(dx), 0.01), HEIGHT / 2 / Math.max(Math.abs(dy), 0.01)) + more / length;
	return [x1 + dx * part, y1 + dy * part];
}

function distance(px, py, { x1, y1, x2, y2 }) {
	const dx = x2 - x1, dy = y2 - y1;
	const t = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy || 1)));
	return Math.hypot(px - x1 - t * dx, py - y1 - t * dy);
}

export class Scene extends EventTarget {
	view = { x: 0, y: 0, zoom: 1 };
	selected = null; // {node} or {link}
	hovered = null;
	matches = null; // Set of nodes; null: no search
	showRates = true;
	insets = { right: 0 };
	frames = 0;
	#dirty = false;
	#fitted = false;
	#moved = false; // by hand, since all was shown
	#movedAt = -Infinity;
	#rest = 0;
	#colours = {};

	constructor(canvas, model) {
		super();
		this.canvas = canvas;
		this.model = model;
		this.context = canvas.getContext("2d", { alpha: false });
		model.addEventListener("topology", () => this.#topology());
		model.addEventListener("state", () => this.draw());
		new ResizeObserver(() => this.#resize()).observe(canvas);
		this.#listen();
		this.readColours();
	}

	readColours() {
		const style = getComputedStyle(document.documentElement);
		for (const name of ["bg", "ink", "dim", "faint", "edge", "accent", "good", "warn", "bad", "switch", "switch-edge",
			"node", "node-edge", "load0", "load1", "load2", "load3", "load4", "load5"])
			this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
		this.font = style.getPropertyValue("--font");
		this.draw();
	}

	colour(name) {
		return this.#colours[name];
	}

	#topology() {
		if (this.selected?.node && !this.model.nodes.has(this.selected.node.id))
			this.select(null);
		else if (this.selected?.node)
			this.selected = { node: this.model.nodes.get(this.selected.node.id) };
		else if (this.selected?.link)
			this.selected = this.#again(this.selected.link);
		this.hovered = null;
		if (!this.#fitted && this.model.nodes.size > 0)
			this.fit();
		this.draw();
	}

	#again(link) {
		const same = this.model.links.find(l => l.a === link.a && l.b === link.b && l.a_if === link.a_if && l.b_if === link.b_if);
		return same ? { link: same } : null;
	}

	#resize() {
		const scale = window.devicePixelRatio || 1;
		const { clientWidth, clientHeight } = this.canvas;
		this.canvas.width = Math.round(clientWidth * scale);
		this.canvas.height = Math.round(clientHeight * scale);
		if (this.#fitted && !this.#moved)
			this.fit();
		this.#paint();
	}

	// ---- where one looks

	fit() {
		const nodes = [...this.model.nodes.values()];
		const { clientWidth, clientHeight } = this.canvas;
		if (nodes.length === 0 || clientWidth === 0)
			return;
		const xs = nodes.map(n => n.x), ys = nodes.map(n => n.y);
		const left = Math.min(...xs) - WIDTH / 2 - 30, right = Math.max(...xs) + WIDTH / 2 + 30;
		const top = Math.min(...ys) - HEIGHT / 2 - 30, bottom = Math.max(...ys) + HEIGHT / 2 + 70;
		const width = clientWidth - this.insets.right;
		const zoom = Math.min(1.6, width / (right - left), clientHeight / (bottom - top));
		this.view = { zoom, x: (left + right) / 2 - width / 2 / zoom, y: (top + bottom) / 2 - clientHeight / 2 / zoom };
		this.#fitted = true;
		this.#moved = false;
		this.draw();
	}

	zoomAt(px, py, factor) {
		this.#moved = true;
		this.#movedAt = performance.now();
		const zoom = Math.max(ZOOM_MIN, Math.min(ZOOM_MAX, this.view.zoom * factor));
		this.view.x += px / this.view.zoom - px / zoom;
		this.view.y += py / this.view.zoom - py / zoom;
		this.view.zoom = zoom;
		this.draw();
	}

	pan(dx, dy) {
		this.#moved = true;
		this.#movedAt = performance.now();
		this.view.x -= dx / this.view.zoom;
		this.view.y -= dy / this.view.zoom;
		this.draw();
	}

	show(node) {
		this.#moved = true;
		const width = this.canvas.clientWidth - this.insets.right;
		if (this.view.zoom < 0.5)
			this.view.zoom = 1;
		this.view.x = node.x - width / 2 / this.view.zoom;
		this.view.y = node.y - this.canvas.clientHeight / 2 / this.view.zoom;
		this.draw();
	}

	/** uncover() - Nothing is to be behind the panel while all is shown, else at least this point of the drawing not */
	uncover(x) {
		if (!this.#moved) {
			this.fit();
			return;
		}
		const over = (x - this.view.x) * this.view.zoom + WIDTH * this.view.zoom / 2 + 20 - (this.canvas.clientWidth - this.insets.right);
		if (over > 0)
			this.pan(-over, 0);
	}

	/** place() - Where a node is on the screen */
	place(node) {
		return [(node.x - this.view.x) * this.view.zoom, (node.y - this.view.y) * this.view.zoom];
	}

	select(what) {
		this.selected = what;
		this.dispatchEvent(new Event("select"));
		this.draw();
	}

	/** at() - What is under a point of the screen */
	at(px, py) {
		const x = px / this.view.zoom + this.view.x, y = py / this.view.zoom + this.view.y;
		let found = null;
		for (const node of this.model.nodes.values())
			if (Math.abs(node.x - x) <= WIDTH / 2 && Math.abs(node.y - y) <= HEIGHT / 2)
				found = { node };
		if (found)
			return found;
		let nearest = PICK / this.view.zoom;
		for (const link of this.model.links) {
			const far = distance(x, y, lineOf(link));
			if (far < nearest) {
				nearest = far;
				found = { link };
			}
		}
		return found;
	}

	// ---- hands

	#listen() {
		const { canvas } = this;
		const touches = new Map();
		let drag = null;
		canvas.addEventListener("pointerdown", event => {
			if (event.button !== 0)
				return;
			canvas.setPointerCapture(event.pointerId);
			touches.set(event.pointerId, [event.offsetX, event.offsetY]);
			drag = { x: event.offsetX, y: event.offsetY, what: this.at(event.offsetX, event.offsetY), moved: false };
		});
		canvas.addEventListener("pointermove", event => {
			const { offsetX: x, offsetY: y } = event;
			if (!drag) {
				this.#hover(x, y);
				return;
			}
			const [lx, ly] = touches.get(event.pointerId) ?? [x, y];
			if (touches.size === 2) {
				const [other] = [...touches].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
				const before = Math.hypot(lx - other[0], ly - other[1]), now = Math.hypot(x - other[0], y - other[1]);
				this.zoomAt((x + other[0]) / 2, (y + other[1]) / 2, now / (before || 1));
			} else if (drag.moved || Math.hypot(x - drag.x, y - drag.y) > 4) {
				drag.moved = true;
				canvas.classList.add("moving");
				this.dispatchEvent(new CustomEvent("hover", { detail: null }));
				if (drag.what?.node)
					this.model.move(drag.what.node, drag.what.node.x + (x - lx) / this.view.zoom,
						drag.what.node.y + (y - ly) / this.view.zoom);
				else
					this.pan(x - lx, y - ly);
				this.draw();
			}
			touches.set(event.pointerId, [x, y]);
		});
		const up = event => {
			touches.delete(event.pointerId);
			canvas.classList.remove("moving");
			if (drag && !drag.moved && event.type === "pointerup")
				this.select(drag.what);
			else if (drag?.what?.node && drag.moved)
				this.model.keepPlaces();
			drag = null;
		};
		canvas.addEventListener("pointerup", up);
		canvas.addEventListener("pointercancel", up);
		canvas.addEventListener("pointerleave", () => this.dispatchEvent(new CustomEvent("hover", { detail: null })));
		canvas.addEventListener("wheel", event => {
			event.preventDefault();
			this.zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
		}, { passive: false });
	}

	#hover(x, y) {
		const what = this.at(x, y);
		const same = what?.node === this.hovered?.node && what?.link === this.hovered?.link;
		this.hovered = what;
		this.canvas.classList.toggle("over", what !== null);
		this.dispatchEvent(new CustomEvent("hover", { detail: what && { ...what, x, y } }));
		if (!same)
			this.draw();
	}

	// ---- paint

	draw() {
		if (this.#dirty)
			return;
		this.#dirty = true;
		requestAnimationFrame(() => this.#paint());
	}

	#paint() {
		const { context: c, view, canvas } = this;
		const scale = window.devicePixelRatio || 1;
		this.#dirty = false;
		this.frames++;
		c.setTransform(scale, 0, 0, scale, 0, 0);
		c.fillStyle = this.#colours.bg;
		c.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
		c.setTransform(scale * view.zoom, 0, 0, scale * view.zoom, -view.x * view.zoom * scale, -view.y * view.zoom * scale);
		const seen = {
			left: view.x, right: view.x + canvas.clientWidth / view.zoom,
			top: view.y, bottom: view.y + canvas.clientHeight / view.zoom,
		};
		const links = this.model.links.filter(link => {
			const { from, to } = link;
			return Math.max(from.x, to.x) > seen.left && Math.min(from.x, to.x) < seen.right &&
				Math.max(from.y, to.y) > seen.top && Math.min(from.y, to.y) < seen.bottom;
		});
		for (const link of links)
			this.#link(link);
		for (const node of this.model.nodes.values())
			if (node.x + WIDTH > seen.left && node.x - WIDTH < seen.right && node.y + HEIGHT > seen.top && node.y - HEIGHT < seen.bottom)
				this.#node(node);
		if (view.zoom > 0.45 && !this.#inMotion(links.length))
			for (const link of links)
				this.#labels(link);
		c.setLineDash([]);
		c.globalAlpha = 1;
	}

	/** #inMotion() - The labels of many links are left out while the view moves, and come back when it rests */
	#inMotion(n) {
		if (n < LABELS_IN_MOTION || performance.now() - this.#movedAt > REST_MS)
			return false;
		clearTimeout(this.#rest);
		this.#rest = setTimeout(() => this.draw(), REST_MS + 20);
		return true;
	}

	linkColour(link) {
		if (!this.model.isUp(link))
			return this.#colours.bad;
		return this.#colours[`load${loadOf(Math.max(this.model.rate(link, "forward"), this.model.rate(link, "back")))}`];
	}

	#link(link) {
		const { context: c } = this;
		const line = lineOf(link), up = this.model.isUp(link);
		const strong = this.selected?.link === link || this.hovered?.link === link;
		c.globalAlpha = this.matches && !this.matches.has(link.from) && !this.matches.has(link.to) ? 0.2 : 1;
		c.beginPath();
		c.moveTo(line.x1, line.y1);
		c.lineTo(line.x2, line.y2);
		if (strong) {
			c.setLineDash([]);
			c.strokeStyle = this.#colours.accent;
			c.lineWidth = 9;
			c.globalAlpha *= 0.35;
			c.stroke();
			c.globalAlpha /= 0.35;
		}
		c.strokeStyle = this.linkColour(link);
		c.setLineDash(up ? [] : [7, 6]);
		c.lineWidth = link.kind === "port" ? 2.2 : link.kind === "trunk" ? 4 : 5;
		c.stroke();
		if (link.kind === "wire") {
			c.strokeStyle = this.#colours.bg;
			c.lineWidth = 2;
			c.stroke();
		}
		c.setLineDash([]);
	}

	#node(node) {
		const { context: c, view } = this;
		const left = node.x - WIDTH / 2, top = node.y - HEIGHT / 2;
		const isSwitch = node.kind === "switch", chosen = this.selected?.node === node;
		const colours = this.#colours;
		c.globalAlpha = this.matches && !this.matches.has(node) ? 0.25 : 1;
		c.beginPath();
		c.roundRect(left, top, WIDTH, HEIGHT, isSwitch ? 7 : 14);
		if (chosen || this.hovered?.node === node) {
			c.strokeStyle = colours.accent;
			c.lineWidth = chosen ? 7 : 4;
			c.globalAlpha *= 0.4;
			c.stroke();
			c.globalAlpha /= 0.4;
		}
		c.fillStyle = isSwitch ? colours.switch : colours.node;
		c.fill();
		c.strokeStyle = isSwitch ? colours["switch-edge"] : colours["node-edge"];
		c.lineWidth = 1.5;
		c.stroke();
		if (node.kind === "vm") {
			const state = node.state?.[0];
			c.beginPath();
			c.arc(left + WIDTH - 12, top + 12, 4, 0, 7);
			c.fillStyle = state === "running" ? colours.good : state === "dead" ? colours.bad : colours.faint;
			c.fill();
		}
		if (view.zoom < 0.22)
			return;
		c.textAlign = "center";
		c.fillStyle = colours.ink;
		c.font = `600 14px ${this.font}`;
		c.fillText(this.#fit(node.name, WIDTH - 26), node.x, node.y + (node.detail ? -1 : 5));
		if (node.detail && view.zoom > 0.4) {
			c.fillStyle = colours.dim;
			c.font = `11px ${this.font}`;
			c.fillText(this.#fit(node.detail, WIDTH - 12), node.x, node.y + 14);
		}
	}

	#fit(text, width) {
		if (text.length < 11 || this.context.measureText(text).width <= width)
			return text;
		while (text.length > 1 && this.context.measureText(`${text}…`).width > width)
			text = text.slice(0, -1);
		return `${text}…`;
	}

	#label(text, x, y, colour) {
		const { context: c } = this;
		const width = c.measureText(text).width + 4;
		c.fillStyle = this.#colours.bg; // so that no line runs through the gaps between words
		c.fillRect(x - width / 2, y - 10, width, 13);
		c.fillStyle = colour;
		c.fillText(text, x, y);
	}

	/** #badge() - On a link that drops ("!") or is impaired ("~") */
	#badge([x, y], text) {
		const { context: c } = this;
		c.beginPath();
		c.arc(x, y, 7, 0, 7);
		c.fillStyle = this.#colours.warn;
		c.fill();
		c.strokeStyle = this.#colours.bg;
		c.lineWidth = 2;
		c.stroke();
		c.fillStyle = this.#colours.bg;
		c.font = `700 11px ${this.font}`;
		c.fillText(text, x, y + 4);
	}

	#labels(link) {
		const { context: c, model } = this;
		const line = lineOf(link), back = { x1: line.x2, y1: line.y2, x2: line.x1, y2: line.y1 };
		const strong = this.selected?.link === link || this.hovered?.link === link;
		const level = Math.abs(line.y2 - line.y1) < 30;
		c.globalAlpha = this.matches && !this.matches.has(link.from) && !this.matches.has(link.to) ? 0.2 : 1;
		c.textAlign = "center";
		for (const [way, from, name] of [["forward", line, link.a_if], ["back", back, link.b_if]]) {
			const rate = model.rate(link, way);
			c.font = `10px ${this.font}`;
			if (this.view.zoom > 1 || strong || (this.view.zoom > 0.7 && !(this.showRates && rate >= 1))) {
				const [x, y] = exitOf(from, level ? 18 : 11);
				this.#label(name, x, y + 3, this.#colours.faint);
			}
			if ((this.showRates && rate >= 1) || strong) {
				const [x, y] = exitOf(from, level ? 34 : 28);
				c.font = `600 11px ${this.font}`;
				this.#label(bits(rate), x, y + (level ? -7 : 3), this.#colours[`load${Math.max(1, loadOf(rate))}`]);
			}
		}
		const middle = [(line.x1 + line.x2) / 2, (line.y1 + line.y2) / 2];
		c.font = `11px ${this.font}`;
		if (model.drops(link) > 0 || model.isImpaired(link))
			this.#badge(middle, model.drops(link) > 0 ? "!" : "~");
		if (link.vlan && link.kind === "trunk")
			this.#label(link.vlan, middle[0], middle[1] + (level ? 18 : 3), this.#colours.dim);
	}
}
