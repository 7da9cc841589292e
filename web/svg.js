// SPDX-License-Identifier: BSD-3-Clause
// The drawing as it is now, moved nodes and rates included, as a file of its own.
import { bits } from "./format.js";
import { WIDTH, HEIGHT, lineOf, exitOf } from "./scene.js";

const escape = text => String(text).replace(/[&<>"]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const n = value => value.toFixed(1);

export function toSvg(scene) {
	const { model } = scene;
	const nodes = [...model.nodes.values()];
	const colour = name => scene.colour(name);
	const margin = 40;
	const left = Math.min(0, ...nodes.map(v => v.x - WIDTH / 2)) - margin, top = Math.min(0, ...nodes.map(v => v.y - HEIGHT / 2)) - margin;
	const width = Math.max(1, ...nodes.map(v => v.x + WIDTH / 2)) + margin - left;
	const height = Math.max(1, ...nodes.map(v => v.y + HEIGHT / 2)) + margin - top;
	const out = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="${n(left)} ${n(top)} ${n(width)} ${n(height)}" width="${n(width)}" height="${n(height)}" font-family="${escape(scene.font)}" text-anchor="middle">`,
		`<rect x="${n(left)}" y="${n(top)}" width="100%" height="100%" fill="${colour("bg")}"/>`];
	for (const link of model.links) {
		const { x1, y1, x2, y2 } = lineOf(link);
		const dash = model.isUp(link) ? "" : ' stroke-dasharray="7 6"';
		out.push(`<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${scene.linkColour(link)}" stroke-width="${link.kind === "port" ? 2.2 : 4}"${dash}/>`);
	}
	for (const node of nodes) {
		const isSwitch = node.kind === "switch";
		out.push(`<rect x="${n(node.x - WIDTH / 2)}" y="${n(node.y - HEIGHT / 2)}" width="${WIDTH}" height="${HEIGHT}" rx="${isSwitch ? 7 : 14}" fill="${colour(isSwitch ? "switch" : "node")}" stroke="${colour(isSwitch ? "switch-edge" : "node-edge")}" stroke-width="1.5"/>`,
			`<text x="${n(node.x)}" y="${n(node.y + (node.detail ? -1 : 5))}" font-size="14" font-weight="600" fill="${colour("ink")}">${escape(node.name)}</text>`);
		if (node.detail)
			out.push(`<text x="${n(node.x)}" y="${n(node.y + 14)}" font-size="11" fill="${colour("dim")}">${escape(node.detail)}</text>`);
	}
	for (const link of model.links) {
		const line = lineOf(link), back = { x1: line.x2, y1: line.y2, x2: line.x1, y2: line.y1 };
		for (const [way, from, name] of [["forward", line, link.a_if], ["back", back, link.b_if]]) {
			const rate = model.rate(link, way), [x, y] = exitOf(from, 12), [rx, ry] = exitOf(from, 30);
			out.push(`<text x="${n(x)}" y="${n(y + 3)}" font-size="10" fill="${colour("faint")}">${escape(name)}</text>`);
			if (rate >= 1)
				out.push(`<text x="${n(rx)}" y="${n(ry + 3)}" font-size="11" fill="${colour("dim")}">${escape(bits(rate))}</text>`);
		}
	}
	out.push("</svg>\n");
	return out.join("\n");
}
