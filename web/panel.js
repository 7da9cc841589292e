// SPDX-License-Identifier: BSD-3-Clause
// Details of what is selected: a machine, a switch, or a link with its ports.
import { get } from "./api.js";
import { el, bits, packets, bytes, count, duration } from "./format.js";
import { nodeButtons, carrierButton, impairments, capturing } from "./actions.js";

const SWITCH_ROWS = 100;

const facts = pairs => el("dl", { className: "facts" }, pairs.filter(([, value]) => value !== "" && value !== undefined)
	.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

function vlanText(vlan) {
	if (!vlan)
		return "";
	const trunk = [vlan.trunk].flat().join(", ");
	return vlan.access ? `access ${vlan.access}` : vlan.tunnel ? `tunnel ${vlan.tunnel}`
		: `trunk ${trunk}${vlan.native ? `, native ${vlan.native}` : ""}`;
}

function stationTable(stations, withPort) {
	if (!stations?.length)
		return el("p", { className: "dim" }, "no station was seen yet");
	return el("table", {}, el("tr", {}, el("th", {}, "VLAN"), el("th", {}, "MAC"), withPort && el("th", {}, "port"), el("th", { className: "n" }, "seen")),
		stations.slice(0, SWITCH_ROWS).map(s => el("tr", {}, el("td", {}, String(s.vlan)), el("td", { className: "mono" }, s.mac),
			withPort && el("td", {}, s.port.split("/").pop()),
			el("td", { className: "n" }, s.flags?.length ? s.flags.join(" ") : duration(s.age_s)))),
		stations.length > SWITCH_ROWS && el("tr", {}, el("td", { colSpan: 4 }, `and ${stations.length - SWITCH_ROWS} more`)));
}

/** spark() - Both directions over the last minute and a half */
function spark(canvas, port, colour) {
	const scale = window.devicePixelRatio || 1;
	const width = canvas.width = canvas.clientWidth * scale, height = canvas.height = canvas.clientHeight * scale;
	const c = canvas.getContext("2d"), history = port?.history ?? [];
	const most = Math.max(1000, ...history.flatMap(h => [h.rx, h.tx]));
	for (const [key, name, fill] of [["rx", "load2", 0.18], ["tx", "load3", 0]]) {
		c.beginPath();
		history.forEach((h, i) => {
			const x = width - (history.length - 1 - i) * width / 89, y = height - 3 - (height - 16 * scale) * h[key] / most;
			i === 0 ? c.moveTo(x, y) : c.lineTo(x, y);
		});
		c.strokeStyle = colour(name);
		c.lineWidth = 1.6 * scale;
		c.stroke();
		if (fill && history.length > 1) {
			c.lineTo(width, height);
			c.lineTo(width - (history.length - 1) * width / 89, height);
			c.globalAlpha = fill;
			c.fillStyle = colour(name);
			c.fill();
			c.globalAlpha = 1;
		}
	}
	c.fillStyle = colour("faint");
	c.font = `${10 * scale}px sans-serif`;
	c.fillText(bits(most), 5 * scale, 11 * scale);
}

export class Panel {
	#alive = 0; // grows with every change of what is shown: answers that come late are for nobody

	constructor(element, model, scene, openConsole) {
		Object.assign(this, { element, model, scene, openConsole });
		scene.addEventListener("select", () => this.open(scene.selected));
		model.addEventListener("state", () => this.refresh?.());
		model.addEventListener("topology", () => scene.selected ? this.open(scene.selected) : this.close());
	}

	close() {
		this.#alive++;
		this.refresh = null;
		this.element.hidden = true;
		this.scene.insets.right = 0;
		this.scene.uncover(-Infinity);
	}

	open(what) {
		this.#alive++;
		this.refresh = null;
		if (!what) {
			this.close();
			return;
		}
		this.said = el("p", { className: "said dim", role: "status" });
		this.element.hidden = false;
		this.scene.insets.right = this.element.offsetWidth + 24;
		if (what.link)
			this.#link(what.link);
		else if (what.node.kind === "switch")
			this.#switch(what.node);
		else if (what.node.kind === "vm")
			this.#machine(what.node);
		else if (what.node.links[0])
			this.#link(what.node.links[0]);
		else
			this.#show(this.#head(what.node.name, "a port that is attached to nothing"));
		this.element.scrollTop = 0;
		this.scene.uncover(what.node ? what.node.x : Math.max(what.link.from.x, what.link.to.x));
	}

	#head(title, sub) {
		return [el("div", { className: "top" }, el("h2", {}, title),
			el("button", { "aria-label": "Close", title: "Close (Esc)", onclick: () => this.scene.select(null) }, "×")),
		el("p", { className: "sub" }, sub)];
	}

	#show(...children) {
		this.element.replaceChildren(...children.flat(2).filter(Boolean));
	}

	/** #ask() - Details from the server, for as long as this is what is shown */
	async #ask(kind, name, use) {
		const alive = this.#alive;
		try {
			const answer = await get(`/api/detail?kind=${kind}&name=${encodeURIComponent(name)}`);
			if (alive === this.#alive)
				use(answer);
		} catch (error) {
			if (alive === this.#alive)
				use(null, error.message);
		}
	}

	#portButton(link, name) {
		const other = node => link.from === node ? link.to : link.from;
		const rates = el("span", { className: "r" }), lamp = el("span", { className: "lamp" });
		const own = this.scene.selected?.node;
		const button = el("button", { onclick: () => this.scene.select({ link }) }, lamp,
			el("span", {}, own === link.from ? link.a_if || name : link.b_if || name,
				el("small", {}, `${own ? other(own).name : ""}${link.vlan ? ` · ${link.vlan}` : ""}`)), rates);
		const update = () => {
			const out = own === link.from ? "forward" : "back", back = own === link.from ? "back" : "forward";
			lamp.className = `lamp ${this.model.isUp(link) ? "up" : "down"}`;
			rates.textContent = `▸ ${bits(this.model.rate(link, out))}\n◂ ${bits(this.model.rate(link, back))}`;
			rates.style.whiteSpace = "pre";
		};
		update();
		return { button, update };
	}

	#portList(node) {
		const rows = node.links.slice(0, SWITCH_ROWS).map(link => this.#portButton(link, node.name));
		return {
			element: el("div", { className: "ports" }, rows.map(row => row.button),
				node.links.length === 0 && el("p", { className: "dim" }, "no links")),
			update: () => rows.forEach(row => row.update()),
		};
	}

	#machine(node) {
		const buttons = el("div"), box = el("div"), ports = this.#portList(node);
		let shown = null, ticks = 0;
		this.#show(this.#head(node.name, node.lab ? `machine in lab ${node.lab}` : "machine"), buttons, this.said, box,
			el("h3", {}, "Interfaces"), ports.element);
		const update = () => {
			if (shown !== node.state?.[0]) {
				shown = node.state?.[0];
				buttons.replaceChildren(nodeButtons(node, this.said, this.openConsole));
				ticks = 0;
			}
			ports.update();
			if (ticks++ % 5 === 0)
				this.#ask("node", node.id, (answer, sentence) => box.replaceChildren(answer ? facts([
					["state", el("span", { className: answer.state === "running" ? "good" : "warn" }, answer.state)],
					["why", answer.detail],
					["runs in", answer.vmm + (answer.vmm === "qemu" ? answer.emulated ? " (emulated)" : " (KVM)" : "")],
					["up for", answer.uptime_s ? duration(answer.uptime_s) : ""],
					["memory used", answer.memory_bytes ? bytes(answer.memory_bytes) : ""],
					["process", answer.pid ? String(answer.pid) : ""],
					...(answer.net?.addresses ?? []).map(address => address.split(" ")),
				]) : el("p", { className: "dim" }, sentence)));
		};
		this.refresh = update;
		update();
	}

	#switch(node) {
		const box = el("div"), ports = this.#portList(node), table = el("div");
		let ticks = 0;
		this.#show(this.#head(node.name, node.lab ? `switch in lab ${node.lab}` : "switch, made by hand"), box,
			el("h3", {}, "Ports"), ports.element, el("h3", {}, "Stations"), table);
		const update = () => {
			ports.update();
			if (ticks++ % 3 !== 0)
				return;
			this.#ask("switch", node.id, (answer, sentence) => {
				if (!answer) {
					box.replaceChildren(el("p", { className: "dim" }, sentence));
					return;
				}
				const { n_ports, fdb_entries, ageing_s, learning, reserved } = answer.switch;
				box.replaceChildren(facts([["ports", count(n_ports)], ["stations", count(fdb_entries)],
					["forgets after", ageing_s ? duration(ageing_s) : "never"], ["learns", learning ? "yes" : "no"],
					["STP, LACP, LLDP", typeof reserved === "string" ? reserved : "per address"]]));
				table.replaceChildren(stationTable(answer.stations, true));
			});
		};
		this.refresh = update;
		update();
	}

	/** #sides() - Impairments as the named end sees them, from the ports' own view */
	#sides(link, answers) {
		const impair = name => answers.get(name)?.port?.impair ?? {};
		const [own, other] = link.ports;
		if (link.kind === "trunk")
			return { out: impair(own).out, in: impair(other).out };
		return { out: impair(own).in, in: impair(own).out };
	}

	#link(link) {
		const { model } = this;
		const ends = `${link.from.name}${link.a_if ? `:${link.a_if}` : ""} – ${link.to.name}${link.b_if ? `:${link.b_if}` : ""}`;
		const what = { wire: "a wire: every frame passes untouched", trunk: "a link between switches", port: "a link to a switch" }[link.kind];
		const isOfLab = Boolean(link.from.lab), target = link.ports[0];
		const forward = el("b"), back = el("b"), forwardP = el("small"), backP = el("small");
		const carrier = el("div", { className: "row" }), sparkline = el("canvas", { className: "spark" });
		const state = el("div"), drops = el("div"), stations = el("div"), counters = el("div");
		const answers = new Map();
		let sliders = null, adminUp = null, ticks = 0;

		this.#show(this.#head(ends, [what, link.vlan].filter(Boolean).join(", ")),
			el("div", { className: "two" },
				el("div", { className: "figure" }, el("small", {}, `▸ to ${link.to.name}`), forward, forwardP),
				el("div", { className: "figure" }, el("small", {}, `◂ to ${link.from.name}`), back, backP)),
			sparkline, el("h3", {}, "State"), state, carrier, this.said, el("h3", {}, "Not delivered"), drops,
			el("div", { id: "impair" }), el("h3", {}, "Counters"), counters, el("h3", {}, "Stations"), stations,
			target && isOfLab && [el("h3", {}, "Capture"), capturing(target)]);
		if (!target) {
			state.replaceChildren(el("p", { className: "dim" }, "netloomd has no port for this link"));
			return;
		}
		const detail = () => {
			for (const name of link.ports)
				this.#ask("port", name, (answer, sentence) => {
					if (!answer) {
						state.replaceChildren(el("p", { className: "bad" }, sentence));
						return;
					}
					answers.set(name, answer);
					if (answers.size === link.ports.length)
						show();
				});
		};
		const again = () => setTimeout(detail, 150);
		const show = () => {
			const all = link.ports.map(name => answers.get(name));
			state.replaceChildren(facts(link.ports.map(name => [name.split("/").pop(),
				el("span", { className: model.stateOf(name) === "up" ? "good" : "warn" }, model.stateOf(name))])
				.concat([["VLAN", vlanText(all[0].port.vlan)], ["MTU", String(all[0].port.mtu)], ["type", all[0].port.type]],
					all.filter(a => a.port.detail).map(a => ["note", a.port.detail]))));
			const lost = all.flatMap(a => a.drops);
			drops.replaceChildren(lost.length === 0 ? el("p", { className: "dim" }, "every frame was delivered")
				: el("ul", { className: "drops" }, lost.map(d => el("li", {}, el("b", {}, count(d.count)), ` ${d.reason}: ${d.sentence}`))));
			counters.replaceChildren(el("table", {}, el("tr", {}, el("th", {}, "port"), el("th", { className: "n" }, "in"), el("th", { className: "n" }, "out")),
				all.flatMap(({ port }) => [
					el("tr", {}, el("td", {}, port.name.split("/").pop()), el("td", { className: "n" }, `${count(port.rx.pkts)} frames`), el("td", { className: "n" }, `${count(port.tx.pkts)} frames`)),
					el("tr", {}, el("td", {}), el("td", { className: "n" }, bytes(port.rx.bytes)), el("td", { className: "n" }, bytes(port.tx.bytes)))])));
			stations.replaceChildren(stationTable(all.flatMap(a => a.stations ?? []), false));
			const now = this.#sides(link, answers);
			if (!sliders && isOfLab) {
				sliders = impairments(target, now, this.said, again);
				document.getElementById("impair").replaceChildren(el("h3", {}, "Impairments"), sliders.element);
			}
			sliders?.update(now);
		};
		const update = () => {
			const up = link.ports.every(name => model.isAdminUp(name));
			if (up !== adminUp) {
				adminUp = up;
				carrier.replaceChildren(carrierButton(target, up, isOfLab, this.said, again));
			}
			forward.textContent = bits(model.rate(link, "forward"));
			back.textContent = bits(model.rate(link, "back"));
			forwardP.textContent = packets(model.packets(link, "forward"));
			backP.textContent = packets(model.packets(link, "back"));
			spark(sparkline, model.ports.get(target), name => this.scene.colour(name));
			if (ticks++ % 2 === 0)
				detail();
		};
		this.refresh = update;
		update();
	}
}
