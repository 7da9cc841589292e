// SPDX-License-Identifier: BSD-3-Clause
// Talking to the server. The token comes in the address' fragment, which is never sent anywhere, and leaves the
// address at once; a reload finds it in the tab's own storage.

const fromAddress = new URLSearchParams(location.hash.slice(1)).get("token");
if (fromAddress) {
	sessionStorage.setItem("netloom.token", fromAddress);
	history.replaceState(null, "", location.pathname);
}
const token = () => sessionStorage.getItem("netloom.token") ?? "";

export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

async function request(path, options = {}) {
	const answer = await fetch(path, {
		...options,
		headers: { Authorization: `Bearer ${token()}`, ...options.headers },
		cache: "no-store",
		credentials: "omit",
	});
	if (answer.ok)
		return answer;
	let message = `the server answered ${answer.status}`;
	try {
		message = (await answer.json()).error ?? message;
	} catch { /* not ours: the number says enough */ }
	throw new ApiError(answer.status, message);
}

export const get = async path => (await request(path)).json();
export const post = async (path, body) => (await request(path, {
	method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
})).json();
export const send = async (path, bytes) => (await request(path, { method: "POST", body: bytes })).json();

/** lines() - Each JSON line of an answer that comes over time; empty lines are heartbeats */
export async function* lines(path, signal) {
	const answer = await request(path, { signal });
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done)
			return;
		const parts = (rest + value).split("\n");
		rest = parts.pop();
		for (const part of parts)
			yield part === "" ? null : JSON.parse(part);
	}
}

/** download() - The bytes of an answer as they come, until the signal; on_bytes(total) tells how many there are */
export async function download(path, body, signal, on_bytes, max) {
	const answer = await request(path, { method: "POST", body: JSON.stringify(body), signal });
	const reader = answer.body.getReader();
	const chunks = [];
	let total = 0;
	try {
		for (;;) {
			const { value, done } = await reader.read();
			if (done)
				break;
			chunks.push(value);
			total += value.length;
			on_bytes(total);
			if (total > max)
				break;
		}
	} catch (error) {
		if (error.name !== "AbortError")
			throw error;
	}
	await reader.cancel().catch(() => {});
	return new Blob(chunks, { type: "application/octet-stream" });
}

/** save() - Hand a file to the user */
export function save(blob, name) {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(blob);
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
