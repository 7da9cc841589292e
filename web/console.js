// SPDX-License-Identifier: BSD-3-Clause
// A guest's serial console in a tab of the drawer.
import { lines, send } from "./api.js";
import { el } from "./format.js";
import { Terminal, keyBytes } from "./vt.js";

const PIECE = 1024; // typed or pasted bytes in one request; a guest takes little at once
const RETRY_MS = 100, RETRIES = 100;

export class Console {
	#typed = "";
	#sending = false;
	#drawn = false;
	#leave = new AbortController();

	constructor(node) {
		this.node = node;
		this.terminal = new Terminal();
		this.pre = el("pre", { ariaLabel: `Console of ${node}` });
		this.element = el("div", { className: "term", tabIndex: 0 }, this.pre);
		this.element.addEventListener("keydown", event => {
			const bytes = keyBytes(event, this.terminal);
			if (bytes === null)
				return;
			event.preventDefault();
			event.stopPropagation();
			this.type(bytes);
		});
		this.element.addEventListener("paste", event => {
			event.preventDefault();
			this.type(event.clipboardData.getData("text").replace(/\r?\n/g, "\r"));
		});
		this.#listen();
	}

	async #listen() {
		try {
			for await (const line of lines(`/api/console?node=${encodeURIComponent(this.node)}`, this.#leave.signal)) {
				if (!line) {
					this.ready = true;
					continue;
				}
				this.terminal.write(Uint8Array.from(atob(line.data), c => c.charCodeAt(0)));
				this.#draw();
			}
			this.#note("the guest has closed its console");
		} catch (error) {
			if (error.name !== "AbortError")
				this.#note(error.message);
		}
		this.ready = false;
	}

	#note(sentence) {
		this.terminal.write(new TextEncoder().encode(`\r\n\x1b[7m ${sentence} \x1b[0m\r\n`));
		this.#draw();
	}

	type(text) {
		this.#typed += text;
		this.#send();
	}

	/** #send() - One request at a time, so that keys arrive in the order they were typed */
	async #send() {
		if (this.#sending)
			return;
		this.#sending = true;
		let failures = 0;
		while (this.#typed !== "" && failures < RETRIES) {
			const piece = new TextEncoder().encode(this.#typed.slice(0, PIECE));
			const count = Math.min(PIECE, this.#typed.length);
			try {
				const { taken } = await send(`/api/console?node=${encodeURIComponent(this.node)}`, piece);
				if (taken === piece.length) {
					this.#typed = this.#typed.slice(count);
					failures = 0;
					continue;
				}
				this.#typed = new TextDecoder().decode(piece.slice(taken)) + this.#typed.slice(count);
				failures = taken > 0 ? 0 : failures + 1;
			} catch (error) {
				this.#typed = "";
				this.#note(error.message);
				break;
			}
			await new Promise(resolve => setTimeout(resolve, RETRY_MS));
		}
		this.#typed = "";
		this.#sending = false;
	}

	#draw() {
		if (this.#drawn)
			return;
		this.#drawn = true;
		requestAnimationFrame(() => {
			this.#drawn = false;
			const runs = this.terminal.runs();
			this.pre.replaceChildren(...runs.flatMap((line, i) => [
				...line.map(run => run.style ? el("span", { className: run.style }, run.text) : run.text),
				i < runs.length - 1 ? "\n" : ""]));
			this.element.parentElement?.scrollTo(0, 1e9);
		});
	}

	close() {
		this.#leave.abort();
	}
}
