// SPDX-License-Identifier: BSD-3-Clause
// The page: connects the model, the scene, the panel, the log and the consoles.
import { lines, save, ApiError } from "./api.js";
import { Model } from "./model.js";
import { Scene, loadNames } from "./scene.js";
import { Panel } from "./panel.js";
import { Console } from "./console.js";
import { toSvg } from "./svg.js";
import { el, bits, clock, duration } from "./format.js";

const $ = id => document.getElementById(id);
const RECONNECT_MS = 1500;
const LOG_MAX = 300;

// ---- theme

const THEMES = { Auto: null, Light: "light", Dark: "dark" };
const systemDark = matchMedia("(prefers-color-scheme: dark)");
let theme = localStorage.getItem("netloom.theme") ?? "Auto";

function applyTheme() {
	const chosen = THEMES[theme] ?? (systemDark.matches ? "dark" : "light");
	document.documentElement.dataset.theme = chosen;
	$("theme").textContent = theme;
	scene?.readColours();
}

function nextTheme() {
	const names = Object.keys(THEMES);
	theme = names[(names.indexOf(theme) + 1) % names.length];
	localStorage.setItem("netloom.theme", theme);
	applyTheme();
}

// ---- parts

const model = new Model();
let scene = null;
applyTheme();
scene = new Scene($("scene"), model);
const panel = new Panel($("panel"), model, scene, openConsole);
systemDark.addEventListener("change", applyTheme);
Object.assign(window, { netloom: { model, scene, panel } }); // for tests, and for the curious

$("legend").append(...loadNames.map((name, i) => el("span", {}, el("i", { className: `l${i}` }), name)),
	el("span", {}, el("i", { className: "down" }), "down"));

// ---- the drawer: the log, and a tab per console

const tabs = new Map(); // name: {tab, page, console}

function drawerOpen(name) {
	$("drawer").classList.add("open");
	for (const [own, { tab, page }] of tabs) {
		tab.setAttribute("aria-selected", String(own === name));
		page.hidden = own !== name;
	}
	tabs.get(name)?.console?.element.focus();
}

function drawerAdd(name, title, page, console) {
	const tab = el("button", { role: "tab", onclick: () => {
		const open = $("drawer").classList.contains("open") && tab.getAttribute("aria-selected") === "true";
		open ? $("drawer").classList.remove("open") : drawerOpen(name);
	} }, title);
	$("tabs").append(tab);
	$("pages").append(page);
	page.hidden = true;
	tabs.set(name, { tab, page, console });
	return tab;
}

const log = el("ul", { className: "log", id: "log" });
const logTab = drawerAdd("log", "Events", el("div", {}, log));

function openConsole(node) {
	const name = `console ${node}`;
	if (!tabs.has(name)) {
		const own = new Console(node);
		const tab = drawerAdd(name, node, el("div", {}, own.element), own);
		const close = el("button", { className: "close", "aria-label": `Close the console of ${node}`, onclick: () => {
			own.close();
			tabs.get(name).page.remove();
			tabs.delete(name);
			tab.remove();
			close.remove();
			drawerOpen("log");
			$("drawer").classList.remove("open");
		} }, "×");
		tab.after(close);
	}
	drawerOpen(name);
}

const SAYS = {
	node: e => [`${e.node} is ${e.state}${e.detail ? `: ${e.detail}` : ""}`, e.state === "running" ? "good" : e.state === "dead" ? "bad" : "warn"],
	link: e => [`${e.port} is ${e.link}`, e.link === "up" ? "good" : "warn"],
	port: e => [`${e.name}: ${e.running ? "its driver runs" : e.connected ? "connected, no driver yet" : "nobody is there"}`, ""],
	"mac-move": e => [`${e.mac} moved from ${e.from} to ${e.to} (${e.switch}, VLAN ${e.vlan})${e.missed ? `, and ${e.missed} more` : ""}`, "warn"],
	drops: e => [`${e.port}: ${e.count} × ${e.reason}: ${e.sentence}`, "warn"],
	carrier: e => [`${e.port} ${e.carrier ? "sees a carrier" : "sees no carrier"}`, e.carrier ? "good" : "warn"],
	config: e => [`configuration ${e.generation}`, "dim"],
	netloomd: e => [`netloomd is ${e.state}`, e.state === "running" ? "good" : "bad"],
};

let newEvents = 0;
model.addEventListener("happened", ({ detail: event }) => {
	const [text, kind] = SAYS[event.kind]?.(event) ?? [JSON.stringify(event), "dim"];
	log.prepend(el("li", {}, el("time", { dateTime: event.time }, clock(event.time)), el("span", { className: "k" }, event.kind), el("span", { className: kind }, text)));
	while (log.children.length > LOG_MAX)
		log.lastChild.remove();
	newEvents++;
	logTab.textContent = `Events (${Math.min(newEvents, LOG_MAX)})`;
});

// ---- search

const search = $("search"), found = $("found");
let hits = [], hit = 0;

function showHits() {
	hits = model.find(search.value);
	hit = 0;
	scene.matches = search.value.trim() === "" ? null : new Set(hits);
	scene.draw();
	found.hidden = search.value.trim() === "" || document.activeElement !== search;
	found.replaceChildren(...hits.slice(0, 12).map((node, i) => el("li", { role: "option", "aria-selected": String(i === 0),
		onpointerdown: event => { event.preventDefault(); goTo(node); } }, node.id, el("small", {}, node.detail || node.kind))),
	...(hits.length === 0 ? [el("li", { className: "dim" }, "nothing is called that")] : []));
}

function goTo(node) {
	scene.select({ node });
	scene.show(node);
	found.hidden = true;
	$("scene").focus();
}

search.addEventListener("input", showHits);
search.addEventListener("focus", showHits);
search.addEventListener("blur", () => found.hidden = true);
search.addEventListener("keydown", event => {
	const shown = Math.min(hits.length, 12);
	if (event.key === "Enter" && hits[hit])
		goTo(hits[hit]);
	else if (event.key === "Escape") {
		search.value = "";
		showHits();
		$("scene").focus();
	} else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && shown > 0) {
		event.preventDefault();
		hit = (hit + (event.key === "ArrowDown" ? 1 : shown - 1)) % shown;
		[...found.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === hit)));
	}
	event.stopPropagation();
});

// ---- hover

scene.addEventListener("hover", ({ detail: what }) => {
	const tip = $("tip");
	tip.hidden = !what;
	if (!what)
		return;
	if (what.node) {
		const { node } = what;
		tip.textContent = [node.id, node.detail, node.kind === "vm" ? node.state?.[0] : `${node.links.length} links`].filter(Boolean).join("\n");
	} else {
		const { link } = what;
		tip.textContent = [`${link.from.name}:${link.a_if} – ${link.to.name}:${link.b_if}`, link.vlan,
			`▸ ${bits(model.rate(link, "forward"))}   ◂ ${bits(model.rate(link, "back"))}`,
			...link.ports.filter(name => model.stateOf(name) !== "up").map(name => `${name.split("/").pop()}: ${model.stateOf(name)}`)].filter(Boolean).join("\n");
	}
	tip.style.left = `${Math.min(what.x + 14, $("scene").clientWidth - tip.offsetWidth - 8)}px`;
	tip.style.top = `${Math.min(what.y + 16, $("scene").clientHeight - tip.offsetHeight - 8)}px`;
});

// The panel says more, and opens where the tip may be.
scene.addEventListener("select", () => $("tip").hidden = true);

// ---- keys

function step(by) {
	const nodes = [...model.nodes.values()];
	if (nodes.length === 0)
		return;
	const at = nodes.indexOf(scene.selected?.node);
	goTo(nodes[((at < 0 ? (by > 0 ? -1 : 0) : at) + by + nodes.length) % nodes.length]);
}

function toggleRates() {
	scene.showRates = !scene.showRates;
	$("rates").setAttribute("aria-pressed", String(scene.showRates));
	scene.draw();
}

const exportSvg = () => save(new Blob([toSvg(scene)], { type: "image/svg+xml" }), "netloom.svg");

const KEYS = {
	"/": () => search.focus(), 0: () => scene.fit(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
	n: () => step(1), p: () => step(-1), t: () => { model.intoTiers(); scene.fit(); }, r: toggleRates, e: exportSvg, d: nextTheme,
	c: () => scene.selected?.node?.kind === "vm" && openConsole(scene.selected.node.id),
	l: () => logTab.click(), "?": () => $("keys").showModal(), Escape: () => scene.select(null),
	Enter: () => scene.selected && $("panel").querySelector("button")?.focus(),
	ArrowLeft: () => scene.pan(60, 0), ArrowRight: () => scene.pan(-60, 0), ArrowUp: () => scene.pan(0, 60), ArrowDown: () => scene.pan(0, -60),
};
const zoom = factor => scene.zoomAt($("scene").clientWidth / 2, $("scene").clientHeight / 2, factor);

document.addEventListener("keydown", event => {
	if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, .term, dialog"))
		return;
	if ((event.key === "Enter" || event.key.startsWith("Arrow")) && event.target.closest("button, #panel"))
		return;
	const act = KEYS[event.key];
	if (!act)
		return;
	event.preventDefault();
	act();
});

$("fit").addEventListener("click", () => scene.fit());
$("tiers").addEventListener("click", KEYS.t);
$("rates").addEventListener("click", toggleRates);
$("export").addEventListener("click", exportSvg);
$("theme").addEventListener("click", nextTheme);
$("help").addEventListener("click", () => $("keys").showModal());

// ---- what comes from the server

function status(text, kind) {
	$("status").textContent = text;
	$("status").className = `pill ${kind}`;
}

function message(title, ...text) {
	$("message").hidden = !title;
	$("message").replaceChildren(el("div", {}, el("h2", {}, title ?? ""), el("p", {}, ...text)));
}

model.addEventListener("topology", () => {
	const labs = [...new Set([...model.nodes.values()].map(n => n.lab).filter(Boolean))];
	$("where").textContent = labs.join(", ");
	document.title = labs.length ? `${labs.join(", ")} – netloom` : "netloom";
	message(model.nodes.size === 0 ? "Nothing is up" : null, "Bring a lab up with ", el("code", {}, "netloom up FILE"), ", and it appears here.");
});

model.addEventListener("state", () => {
	const { daemon, uptime_s, workers } = model.last;
	const vms = [...model.nodes.values()].filter(n => n.kind === "vm");
	const running = vms.filter(n => n.state?.[0] === "running").length;
	if (!daemon)
		status("netloomd does not answer", "bad");
	else
		status(`${vms.length ? `${running} of ${vms.length} machines run, ` : ""}switch up ${duration(uptime_s)}, ${workers.length} worker${workers.length === 1 ? "" : "s"}`, "good");
});

async function listen() {
	for (;;) {
		try {
			let first = true;
			for await (const line of lines("/api/stream")) {
				if (first && line) {
					log.replaceChildren(); // the server tells the last events again
					newEvents = 0;
					first = false;
				}
				if (line?.type === "topology")
					model.topology(line);
				else if (line?.type === "state")
					model.state(line);
				else if (line?.type === "event")
					model.event(line.event);
			}
			status("the server has ended the connection; trying again", "warn");
		} catch (error) {
			if (error instanceof ApiError && error.status === 401) {
				status("no token", "bad");
				message("This address lacks its token", "Open the address that ", el("code", {}, "netloom web"), " has printed, with everything behind the #. A new ", el("code", {}, "netloom web"), " has a new token.");
				return;
			}
			status(error instanceof ApiError ? error.message : "netloom web does not answer; trying again", "bad");
		}
		await new Promise(resolve => setTimeout(resolve, RECONNECT_MS));
	}
}
listen();
