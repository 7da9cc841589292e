// SPDX-License-Identifier: BSD-3-Clause
// What is known: the drawing, the counters, and what follows from two of them, rates.

const HISTORY = 90; // samples a sparkline shows, one a second
const UP = 1, ADMIN = 2, CONNECTED = 4, IMPAIRED = 8;
const STORE = "netloom.positions";

const stored = () => {
	try {
		return JSON.parse(localStorage.getItem(STORE)) ?? {};
	} catch {
		return {};
	}
};

export class Model extends EventTarget {
	nodes = new Map(); // id: {id, name, lab, kind, detail, tier, x, y, home: [x, y], links: [], state}
	links = [];
	ports = new Map(); // name: {flags, rx, tx, drops, rates: {rx, tx, rxp, txp, drops}, history: []}
	daemon = false;
	events = [];
	#moved = stored();

	topology(message) {
		const before = this.nodes;
		this.nodes = new Map();
		for (const node of message.nodes) {
			const own = { ...node, home: [node.x, node.y], links: [], state: before.get(node.id)?.state };
			const place = this.#moved[node.id];
			if (place)
				[own.x, own.y] = place;
			this.nodes.set(node.id, own);
		}
		this.links = message.links.filter(l => this.nodes.has(l.a) && this.nodes.has(l.b)).map((link, index) => {
			const own = { ...link, index, from: this.nodes.get(link.a), to: this.nodes.get(link.b) };
			own.ports = [...new Set([link.forward?.[0], link.back?.[0]].filter(Boolean))];
			own.from.links.push(own);
			own.to.links.push(own);
			return own;
		});
		this.dispatchEvent(new Event("topology"));
	}

	state(message) {
		const seen = new Set();
		for (const [name, [flags, rxp, rx, txp, tx, drops]] of Object.entries(message.ports)) {
			const port = this.ports.get(name) ?? { name, history: [], rates: null };
			const seconds = (message.t - port.t) / 1000;
			if (port.t !== undefined && seconds > 0 && rx >= port.rx && tx >= port.tx && rxp >= port.rxp) {
				port.rates = {
					rx: (rx - port.rx) * 8 / seconds, tx: (tx - port.tx) * 8 / seconds,
					rxp: (rxp - port.rxp) / seconds, txp: (txp - port.txp) / seconds,
					drops: Math.max(0, drops - port.drops) / seconds,
				};
				port.history.push(port.rates);
				if (port.history.length > HISTORY)
					port.history.shift();
			}
			Object.assign(port, { t: message.t, flags, rxp, rx, txp, tx, drops });
			this.ports.set(name, port);
			seen.add(name);
		}
		for (const name of this.ports.keys())
			if (!seen.has(name))
				this.ports.delete(name);
		for (const node of this.nodes.values())
			if (node.kind === "vm")
				node.state = message.nodes[node.id] ?? ["not started", "", 0];
		this.daemon = message.daemon;
		this.last = message;
		this.dispatchEvent(new Event("state"));
	}

	event(event) {
		this.events.push(event);
		if (this.events.length > 500)
			this.events.shift();
		this.dispatchEvent(new CustomEvent("happened", { detail: event }));
	}

	/** rate() - Bits a second of a link's direction, "forward" (first end to second) or "back" */
	rate(link, way) {
		const [port, counter] = link[way] ?? [];
		return this.ports.get(port)?.rates?.[counter] ?? 0;
	}

	packets(link, way) {
		const [port, counter] = link[way] ?? [];
		return this.ports.get(port)?.rates?.[`${counter}p`] ?? 0;
	}

	drops(link) {
		return link.ports.reduce((sum, name) => sum + (this.ports.get(name)?.rates?.drops ?? 0), 0);
	}

	isUp(link) {
		return this.daemon && link.ports.length > 0 && link.ports.every(name => this.portIs(name, UP));
	}

	portIs(name, flag) {
		return ((this.ports.get(name)?.flags ?? 0) & flag) !== 0;
	}

	isAdminUp(name) {
		return this.portIs(name, ADMIN);
	}

	isImpaired(link) {
		return link.ports.some(name => this.portIs(name, IMPAIRED));
	}

	/** stateOf() - Of a port, as a word */
	stateOf(name) {
		if (!this.ports.has(name))
			return "no port";
		if (!this.portIs(name, ADMIN))
			return "cut";
		if (this.portIs(name, UP))
			return "up";
		return this.portIs(name, CONNECTED) ? "no driver" : "nobody there";
	}

	linkOf(port) {
		return this.links.find(link => link.ports.includes(port));
	}

	move(node, x, y) {
		node.x = x;
		node.y = y;
		this.#moved[node.id] = [Math.round(x), Math.round(y)];
	}

	keepPlaces() {
		localStorage.setItem(STORE, JSON.stringify(this.#moved));
	}

	intoTiers() {
		for (const node of this.nodes.values()) {
			[node.x, node.y] = node.home;
			delete this.#moved[node.id];
		}
		this.keepPlaces();
		this.dispatchEvent(new Event("topology"));
	}

	/** find() - Nodes that fit what was typed: name, lab, address, interface, VLAN */
	find(text) {
		const wanted = text.trim().toLowerCase();
		if (wanted === "")
			return [];
		const vlan = /^vlan\s*(\d+)$/.exec(wanted)?.[1];
		return [...this.nodes.values()].filter(node => vlan
			? node.links.some(l => l.vlan.split(/[ ,]/).includes(vlan))
			: `${node.id} ${node.detail} ${node.kind}`.toLowerCase().includes(wanted));
	}
}
