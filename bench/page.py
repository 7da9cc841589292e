#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames a second of the page while a lab of 500 nodes is panned and zoomed, in headless Chromium without a GPU.

usage: bench/page.py [NODES]     by default 500; Python is Debian's, which python3-selenium belongs to

The page is the real one, served by `netloom web` on a small lab; the nodes are put into its model. Each round lets the view
move with every frame for five seconds, while counters of every link arrive once a second. Printed: frames a second,
and the longest and the 99th-percentile time between two frames, per round.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from page_lab import PageLab  # noqa: E402
from test_page import Page  # noqa: E402

ROUNDS = 5
SECONDS = 5

MAKE = """
const n = arguments[0], nodes = [], links = [];
for (let i = 0; i < n; i++) {
    const isSwitch = i % 10 === 0;
    nodes.push({ id: "big/" + i, name: "n" + i, lab: "big", kind: isSwitch ? "switch" : "vm", detail: "10.0.0." + i, tier: 0,
        x: (i % 10) * 130 + Math.floor(i / 100) * 1400, y: Math.floor(i / 10) % 10 * 160 });
    const link = (a, b, kind) => links.push({ a: "big/" + a, b: "big/" + b, a_if: "eth1", b_if: "p" + i, kind, vlan: "trunk 10",
        vid: 0, track: 0, n_tracks: 1, forward: ["big/" + i, "rx"], back: ["big/" + i, "tx"] });
    if (!isSwitch)
        link(i, i - i % 10, "port");
    else if (i > 0)
        link(i, i - 10, "trunk");
}
netloom.model.topology({ nodes, links });
netloom.scene.fit();
let t = 0;
setInterval(() => {
    t += 1000;
    const ports = {};
    for (let i = 0; i < n; i++)
        ports["big/" + i] = [7, t, t * (i + 1) * 100, t, t * (i + 7) * 100, 0];
    netloom.model.state({ t, daemon: true, ports, nodes: {}, workers: [], uptime_s: 1 });
}, 1000);
"""
MOVE = """
const [zoom, seconds, done] = arguments, { scene } = netloom, times = [];
scene.fit();
scene.zoomAt(scene.canvas.clientWidth / 2, scene.canvas.clientHeight / 2, zoom / scene.view.zoom);
const end = performance.now() + seconds * 1000;
const step = now => {
    times.push(now);
    scene.pan(Math.sin(now / 300) * 8, Math.cos(now / 300) * 5);
    now < end ? requestAnimationFrame(step) : done(times);
};
requestAnimationFrame(step);
"""


def main():
    nodes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    lab = PageLab()
    page = None
    try:
        page = Page(lab, lab.url)
        page.until("the page", "netloom.model.nodes.size > 0")
        # From here on only what this script puts in
        page.js("const s = netloom.model;"
                "const t = s.topology.bind(s), u = s.state.bind(s);"
                "s.topology = m => m.nodes.length > 100 ? t(m) : undefined; s.state = m => m.ports['big/0'] ? u(m) : undefined;")
        page.js(MAKE, nodes)
        time.sleep(2)
        print(f"{nodes} nodes, {page.js('return netloom.model.links.length')} links, "
              f"{page.js('return navigator.userAgent').split('Chrome/')[1].split()[0]}, window 1440x900, no GPU")
        for name, zoom in (("all in view", page.js("netloom.scene.fit(); return netloom.scene.view.zoom")), ("names readable", 0.6)):
            for number in range(ROUNDS):
                times = page.driver.execute_async_script(MOVE, zoom, SECONDS)
                gaps = sorted(b - a for a, b in zip(times, times[1:]))
                print(f"{name:15} round {number + 1}: {1000 * len(gaps) / sum(gaps):5.1f} frames/s, "
                      f"99 % of frames within {gaps[int(len(gaps) * 0.99)]:.0f} ms, longest {gaps[-1]:.0f} ms", flush=True)
    finally:
        if page is not None:
            page.driver.quit()
        lab.end()


if __name__ == "__main__":
    main()
