// SPDX-License-Identifier: BSD-3-Clause
// What can be done to a machine or a link. Everything runs as a netloom command on the server; what it said, and how
// one would type it, is shown.
import { post, download, save, ApiError } from "./api.js";
import { el, bytes } from "./format.js";

const CAPTURE_MAX = 256e6; // what a tab may hold

/** run() - POST an action; @said shows the command and the outcome */
export async function run(body, said, button) {
	if (button)
		button.disabled = true;
	said.className = "said dim";
	said.textContent = "…";
	let ok = false;
	try {
		const answer = await post("/api/action", body);
		ok = answer.ok;
		said.className = `said ${ok ? "dim" : "bad"}`;
		said.replaceChildren(el("code", {}, answer.command), `\n${answer.text.trim()}`);
	} catch (error) {
		said.className = "said bad";
		said.textContent = error instanceof ApiError ? error.message : "the server does not answer";
	}
	if (button)
		button.disabled = false;
	return ok;
}

/** nodeButtons() - Start, stop, restart, console of a machine */
export function nodeButtons(node, said, openConsole) {
	const running = node.state?.[0] === "running";
	const act = what => event => run({ do: what, node: node.id, force: event.shiftKey }, said, event.currentTarget);
	const force = "With Shift: at once, without asking the guest";
	return el("div", { className: "row" },
		el("button", { id: "node-start", disabled: running, onclick: act("start") }, "Start"),
		el("button", { id: "node-stop", title: force, disabled: !running, onclick: act("stop") }, "Stop"),
		el("button", { id: "node-restart", title: force, disabled: !running, onclick: act("restart") }, "Restart"),
		el("button", { id: "node-console", className: "primary", disabled: !running, onclick: () => openConsole(node.id) }, "Console"));
}

/** carrierButton() - Cut a link or join it again; @lab: it is of a lab file, else its port was made by hand */
export function carrierButton(port, isUp, isOfLab, said, done) {
	const word = isUp ? "down" : "up";
	const body = isOfLab ? { do: "link", target: port, words: [word] } : { do: "admin", port, admin: word };
	return el("button", {
		id: "carrier", className: isUp ? "danger" : "primary",
		onclick: async event => {
			await run(body, said, event.currentTarget);
			done();
		},
	}, isUp ? "Cut the link" : "Join the link");
}

const ms = us => (us ?? 0) / 1000, percent = ppm => (ppm ?? 0) / 10000;
// What a slider sets, from the direction's keys of port.list; the steps are not even, for small values matter more.
const SLIDERS = [
	{ word: "delay", label: "Delay", of: d => ms(d.delay_us), steps: [0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000], unit: "ms" },
	{ word: "jitter", label: "Jitter", of: d => ms(d.jitter_us), steps: [0, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200], unit: "ms" },
	{ word: "loss", label: "Loss", of: d => percent(d.loss_ppm), steps: [0, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100], unit: "%" },
	{ word: "rate", label: "Rate", of: d => (d.rate_kbps ?? 0) / 1000, steps: [0, 10000, 1000, 500, 100, 50, 20, 10, 5, 2, 1, 0.256, 0.064], unit: "mbit" },
	{ word: "duplicate", label: "Duplicate", of: d => percent(d.duplicate_ppm), steps: [0, 0.1, 1, 2, 5, 10, 25], unit: "%" },
	{ word: "reorder", label: "Reorder", of: d => percent(d.reorder_ppm), steps: [0, 0.1, 1, 2, 5, 10, 25], unit: "%" },
	{ word: "corrupt", label: "Corrupt", of: d => percent(d.corrupt_ppm), steps: [0, 0.01, 0.1, 0.5, 1, 5], unit: "%" },
];

const shown = ({ unit }, value) => value === 0 ? "off" : unit === "mbit" && value < 1 ? `${value * 1000} kbit` : `${value} ${unit}`;
const typed = ({ unit }, value) => value === 0 ? "off" : unit === "mbit" && value < 1 ? `${value * 1000}kbit` : `${value}${unit}`;

/** impairments() - Sliders for both directions of a link; @sides: what is set now, {out, in} as the named end sees it */
export function impairments(target, sides, said, done) {
	const direction = el("select", { id: "direction", "aria-label": "Direction" },
		el("option", { value: "both" }, "both directions"),
		el("option", { value: "out" }, `what ${target.split("/").pop()} sends`),
		el("option", { value: "in" }, `what ${target.split("/").pop()} receives`));
	const body = (words, way = direction.value) => ({ do: "link", target, words, direction: way });
	// One command at a time, so that what was chosen last is what stays; what was chosen meanwhile goes together.
	const wanted = new Map(); // direction: Map of word: value
	let sending = false;
	const choose = async (word, value) => {
		const way = direction.value;
		wanted.set(way, (wanted.get(way) ?? new Map()).set(word, value));
		if (sending)
			return;
		sending = true;
		while (wanted.size > 0) {
			const [next, words] = [...wanted][0];
			wanted.delete(next);
			await run(body([...words].flat(), next), said);
		}
		sending = false;
		done();
	};
	const rows = SLIDERS.map(slider => {
		const input = el("input", { type: "range", id: `slide-${slider.word}`, min: 0, max: slider.steps.length - 1, step: 1, "aria-label": slider.label });
		const output = el("output");
		input.addEventListener("input", () => output.textContent = shown(slider, slider.steps[input.value]));
		input.addEventListener("change", () => choose(slider.word, typed(slider, slider.steps[input.value])));
		const set = side => {
			const value = slider.of(side);
			const near = slider.steps.reduce((best, step, i) => Math.abs(step - value) < Math.abs(slider.steps[best] - value) ? i : best, 0);
			input.value = near;
			output.textContent = shown(slider, value);
		};
		return { set, row: el("label", { className: "slider" }, slider.label, input, output) };
	});
	const preset = el("select", { id: "preset", "aria-label": "Preset" }, el("option", { value: "" }, "preset"),
		["lan", "wan", "dsl", "lte", "satellite"].map(name => el("option", { value: name }, name)));
	preset.addEventListener("change", async () => {
		if (preset.value)
			await run(body(["preset", preset.value]), said);
		preset.value = "";
		done();
	});
	const clear = el("button", { id: "clear", onclick: async event => {
		await run(body(["clear"]), said, event.currentTarget);
		done();
	} }, "Clear");
	let current = sides;
	const show = () => rows.forEach(row => row.set((direction.value === "in" ? current.in : current.out) ?? {}));
	direction.addEventListener("change", show);
	show();
	return {
		element: el("div", {}, el("div", { className: "row" }, direction, preset, clear), rows.map(row => row.row)),
		/** update() - Unless somebody is just moving one */
		update(now) {
			current = now;
			if (!document.activeElement?.matches(".slider input"))
				show();
		},
	};
}

/** capturing() - Frames of a port as a file */
export function capturing(target) {
	const filter = el("input", { type: "text", id: "capture-filter", placeholder: "filter, such as: icmp or arp", spellcheck: false, "aria-label": "Filter" });
	const said = el("p", { className: "said dim" });
	const button = el("button", { id: "capture" }, "Capture");
	let stop = null;
	button.addEventListener("click", async () => {
		if (stop) {
			stop.abort();
			return;
		}
		stop = new AbortController();
		button.textContent = "Stop and save";
		button.classList.add("primary");
		said.textContent = "capturing";
		try {
			const blob = await download("/api/capture", { target, filter: filter.value.trim() }, stop.signal,
				total => said.textContent = `${bytes(total)} captured`, CAPTURE_MAX);
			if (blob.size > 0)
				save(blob, `${target.replace(/[^\w.-]+/g, "-")}.pcapng`);
			said.textContent = blob.size > 0 ? `${bytes(blob.size)} saved` : "nothing was captured; is the filter good?";
		} catch (error) {
			said.textContent = error.message;
		}
		stop = null;
		button.textContent = "Capture";
		button.classList.remove("primary");
	});
	return el("div", {}, el("div", { className: "row" }, filter, button), said);
}
