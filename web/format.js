// SPDX-License-Identifier: BSD-3-Clause
// Numbers and times as a person reads them.

const steps = (value, units, base) => {
	let unit = 0;
	while (value >= base && unit < units.length - 1) {
		value /= base;
		unit++;
	}
	const digits = value >= 100 || unit === 0 ? 0 : value >= 10 ? 1 : 2;
	return `${value.toFixed(digits)} ${units[unit]}`;
};

export const bits = bps => steps(bps, ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"], 1000);
export const packets = pps => steps(pps, ["p/s", "kp/s", "Mp/s"], 1000);
export const bytes = n => steps(n, ["B", "kB", "MB", "GB", "TB"], 1000);
export const count = n => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");

export function duration(seconds) {
	if (seconds < 120)
		return `${Math.round(seconds)} s`;
	if (seconds < 7200)
		return `${Math.round(seconds / 60)} min`;
	return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

export const clock = time => new Date(time).toLocaleTimeString([], { hour12: false });

/** el() - An element with properties and children; text goes in as text, never as markup */
export function el(tag, props = {}, ...children) {
	const node = document.createElement(tag);
	for (const [key, value] of Object.entries(props)) {
		if (value === undefined || value === null)
			continue;
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (key in node && key !== "list")
			node[key] = value;
		else
			node.setAttribute(key, value);
	}
	node.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
	return node;
}
