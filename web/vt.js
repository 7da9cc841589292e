// SPDX-License-Identifier: BSD-3-Clause
// A terminal: what a Linux guest's serial console needs of ECMA-48 and the VT102. Bytes in, a screen of cells out. Unknown
// sequences are swallowed; no sequence makes it answer, open anything, or grow beyond its screen and scrollback.

const SCROLLBACK = 1000, PARAMS_MAX = 16, SEQUENCE_MAX = 256;
const BLANK = { ch: " ", style: "" };

export class Terminal {
	constructor(columns = 80, rows = 24) {
		this.columns = columns;
		this.rows = rows;
		this.decoder = new TextDecoder("utf-8");
		this.history = [];
		this.reset();
	}

	reset() {
		this.lines = Array.from({ length: this.rows }, () => this.#blankLine());
		this.x = this.y = 0;
		this.top = 0;
		this.bottom = this.rows - 1;
		this.pen = { colour: "", bold: false, under: false, inverse: false };
		this.saved = null;
		this.other = null;
		this.cursorShown = true;
		this.wraps = true;
		this.applicationKeys = false;
		this.state = "text";
		this.sequence = "";
	}

	#blankLine() {
		return Array.from({ length: this.columns }, () => BLANK);
	}

	#style() {
		const { colour, bold, under, inverse } = this.pen;
		return [colour, bold && "tb", under && "tu", inverse && "ti"].filter(Boolean).join(" ");
	}

	write(bytes) {
		for (const ch of this.decoder.decode(bytes, { stream: true }))
			this.#take(ch);
	}

	#take(ch) {
		const code = ch.codePointAt(0);
		if (this.state === "osc") { // titles and the like: to BEL, or ESC and whatever ends it
			if (code === 7 || ch === "\x9c")
				this.state = "text";
			else if (code === 27)
				this.state = "osc-end";
		} else if (this.state === "osc-end") {
			this.state = "text";
		} else if (code < 32 || code === 127) {
			this.#control(code);
		} else if (this.state === "escape") {
			this.#escape(ch);
		} else if (this.state === "charset") {
			this.state = "text";
		} else if (this.state === "csi") {
			if (code >= 0x40 && code <= 0x7e)
				this.#csi(ch);
			else if (this.sequence.length < SEQUENCE_MAX)
				this.sequence += ch;
			else
				this.state = "text";
		} else {
			this.#put(ch);
		}
	}

	#control(code) {
		switch (code) {
		case 8:
			this.x = Math.max(0, Math.min(this.x, this.columns) - 1);
			break;
		case 9:
			this.x = Math.min(this.columns - 1, (this.x & ~7) + 8);
			break;
		case 10: case 11: case 12:
			this.#down();
			break;
		case 13:
			this.x = 0;
			break;
		case 24: case 26:
			this.state = "text";
			break;
		case 27:
			this.state = "escape";
			this.sequence = "";
			break;
		}
	}

	#put(ch) {
		if (this.x >= this.columns) {
			if (this.wraps) {
				this.x = 0;
				this.#down();
			} else {
				this.x = this.columns - 1;
			}
		}
		this.lines[this.y][this.x++] = { ch, style: this.#style() };
	}

	#down() {
		if (this.y === this.bottom)
			this.#scroll(1);
		else if (this.y < this.rows - 1)
			this.y++;
	}

	/** #scroll() - The region's lines, up by n (down when negative) */
	#scroll(n, from = this.top) {
		const size = this.bottom - from + 1;
		for (let i = 0; i < Math.min(Math.abs(n), size); i++) {
			if (n > 0) {
				const [gone] = this.lines.splice(from, 1);
				this.lines.splice(this.bottom, 0, this.#blankLine());
				if (from === 0 && this.bottom === this.rows - 1 && !this.other) {
					this.history.push(gone);
					if (this.history.length > SCROLLBACK)
						this.history.shift();
				}
			} else {
				this.lines.splice(this.bottom, 1);
				this.lines.splice(from, 0, this.#blankLine());
			}
		}
	}

	#escape(ch) {
		this.state = "text";
		switch (ch) {
		case "[": this.state = "csi"; this.sequence = ""; break;
		case "]": case "P": case "^": case "_": case "X": this.state = "osc"; break;
		case "(": case ")": case "*": case "+": case "#": case "%": case " ": this.state = "charset"; break;
		case "7": this.saved = { x: this.x, y: this.y, pen: { ...this.pen } }; break;
		case "8": this.#restore(); break;
		case "D": this.#down(); break;
		case "E": this.x = 0; this.#down(); break;
		case "M": this.y === this.top ? this.#scroll(-1) : this.y = Math.max(0, this.y - 1); break;
		case "c": this.reset(); break;
		}
	}

	#restore() {
		if (!this.saved)
			return;
		this.x = this.saved.x;
		this.y = this.saved.y;
		this.pen = { ...this.saved.pen };
	}

	#go(x, y) {
		this.x = Math.max(0, Math.min(this.columns - 1, x));
		this.y = Math.max(0, Math.min(this.rows - 1, y));
	}

	#clear(y, from, to) {
		for (let x = Math.max(0, from); x < Math.min(to, this.columns); x++)
			this.lines[y][x] = BLANK;
	}

	#csi(final) {
		const isPrivate = this.sequence.startsWith("?");
		const params = this.sequence.replace(/[^0-9;]/g, "").split(";").slice(0, PARAMS_MAX).map(p => Math.min(Number(p), 9999));
		const n = Math.max(1, params[0] || 0), column = Math.min(this.x, this.columns - 1);
		this.state = "text";
		switch (final) {
		case "A": this.#go(column, this.y - n); break;
		case "B": case "e": this.#go(column, this.y + n); break;
		case "C": case "a": this.#go(column + n, this.y); break;
		case "D": this.#go(column - n, this.y); break;
		case "E": this.#go(0, this.y + n); break;
		case "F": this.#go(0, this.y - n); break;
		case "G": case "`": this.#go(n - 1, this.y); break;
		case "d": this.#go(column, n - 1); break;
		case "H": case "f": this.#go((params[1] || 1) - 1, n - 1); break;
		case "J": this.#eraseScreen(params[0]); break;
		case "K": this.#clear(this.y, params[0] ? 0 : column, params[0] === 1 ? column + 1 : this.columns); break;
		case "X": this.#clear(this.y, column, column + n); break;
		case "P": this.#shift(column, -n); break;
		case "@": this.#shift(column, n); break;
		case "L": if (this.y >= this.top && this.y <= this.bottom) this.#scroll(-n, this.y); break;
		case "M": if (this.y >= this.top && this.y <= this.bottom) this.#scroll(n, this.y); break;
		case "S": this.#scroll(n); break;
		case "T": this.#scroll(-n); break;
		case "r": this.#region(params); break;
		case "m": if (!isPrivate) this.#pen(params); break;
		case "h": case "l": if (isPrivate) params.forEach(p => this.#mode(p, final === "h")); break;
		case "s": this.saved = { x: this.x, y: this.y, pen: { ...this.pen } }; break;
		case "u": this.#restore(); break;
		}
	}

	#eraseScreen(how) {
		const [from, to] = how === 1 ? [0, this.y] : how >= 2 ? [0, this.rows] : [this.y + 1, this.rows];
		for (let y = from; y < to; y++)
			this.#clear(y, 0, this.columns);
		if (!how)
			this.#clear(this.y, this.x, this.columns);
		else if (how === 1)
			this.#clear(this.y, 0, this.x + 1);
	}

	#shift(column, n) {
		const line = this.lines[this.y], blanks = Array.from({ length: Math.min(Math.abs(n), this.columns) }, () => BLANK);
		if (n > 0)
			line.splice(column, 0, ...blanks);
		else
			line.splice(column, -n);
		line.push(...blanks);
		line.length = this.columns;
	}

	#region(params) {
		const top = (params[0] || 1) - 1, bottom = (params[1] || this.rows) - 1;
		if (top >= bottom || bottom >= this.rows)
			return;
		this.top = top;
		this.bottom = bottom;
		this.#go(0, 0);
	}

	#mode(which, on) {
		if (which === 25)
			this.cursorShown = on;
		else if (which === 7)
			this.wraps = on;
		else if (which === 1)
			this.applicationKeys = on;
		else if ((which === 1049 || which === 47 || which === 1047) && on !== Boolean(this.other)) {
			const screen = { lines: this.lines, x: this.x, y: this.y };
			if (on)
				this.lines = Array.from({ length: this.rows }, () => this.#blankLine());
			else
				({ lines: this.lines, x: this.x, y: this.y } = this.other);
			this.other = on ? screen : null;
			this.top = 0;
			this.bottom = this.rows - 1;
		}
	}

	#pen(params) {
		for (let i = 0; i < params.length; i++) {
			const p = params[i];
			if (p === 0)
				this.pen = { colour: "", bold: false, under: false, inverse: false };
			else if (p === 1)
				this.pen.bold = true;
			else if (p === 4)
				this.pen.under = true;
			else if (p === 7)
				this.pen.inverse = true;
			else if (p === 22)
				this.pen.bold = false;
			else if (p === 24)
				this.pen.under = false;
			else if (p === 27)
				this.pen.inverse = false;
			else if ((p >= 30 && p <= 37) || (p >= 90 && p <= 97))
				this.pen.colour = `t${p % 10}`;
			else if (p === 39)
				this.pen.colour = "";
			else if (p === 38 || p === 48)
				i += params[i + 1] === 5 ? 2 : 4; // 256 colours and more are shown in the ordinary one
		}
	}

	/** html() - Runs of one style: [[{text, style}, ..] per line], the cursor's cell with style "tc" */
	runs() {
		const all = [...(this.other ? [] : this.history), ...this.lines];
		const cursor = all.length - this.rows + this.y;
		return all.map((line, y) => {
			const runs = [];
			let last = null;
			line.forEach((cell, x) => {
				const style = this.cursorShown && y === cursor && x === Math.min(this.x, this.columns - 1) ? "tc" : cell.style;
				if (last?.style === style)
					last.text += cell.ch;
				else
					runs.push(last = { text: cell.ch, style });
			});
			if (last.style === "")
				last.text = last.text.trimEnd();
			return runs;
		});
	}

	/** text() - The screen without styles */
	text() {
		return this.lines.map(line => line.map(c => c.ch).join("").trimEnd()).join("\n");
	}
}

const NAMED = { Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b", Delete: "\x1b[3~", Insert: "\x1b[2~", PageUp: "\x1b[5~", PageDown: "\x1b[6~" };
const ARROWS = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };

/** keyBytes() - What a key sends, or null when it is the browser's */
export function keyBytes(event, terminal) {
	if (event.metaKey)
		return null;
	if (event.ctrlKey && !event.altKey && event.key.length === 1) {
		const code = event.key.toUpperCase().charCodeAt(0);
		if (event.key === " ")
			return "\0";
		return !event.shiftKey && code >= 64 && code < 96 ? String.fromCharCode(code & 31) : null;
	}
	if (ARROWS[event.key])
		return `\x1b${terminal.applicationKeys ? "O" : "["}${ARROWS[event.key]}`;
	if (NAMED[event.key])
		return NAMED[event.key];
	return event.key.length === 1 || [...event.key].length === 1 ? (event.altKey ? `\x1b${event.key}` : event.key) : null;
}
