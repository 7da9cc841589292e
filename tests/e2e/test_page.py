#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
# limit: 600
"""
The page in a headless Chromium, used as a person would: seen, clicked, typed into, dragged.

    Chromium --- netloom web --- netloomd ---  a --(s1)--trunk--(s2)-- b      a, b: TAPs in namespaces, a pings b
                                                              \\------- h      a virtual machine, with a console

Python is Debian's, which python3-selenium belongs to. Screenshots are left in tests/logs/page.
"""
import glob
import json
import os
import re
import shutil
import sys
import time
import xml.etree.ElementTree

from page_lab import LIMIT_S, REPO, PageLab, skip, wait_for

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    skip("no selenium (Debian: python3-selenium)")

SHOTS = os.path.join(REPO, "tests", "logs", "page")


class Page:
    def __init__(self, lab, url, dark=False):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                         "--disable-dev-shm-usage", "--disable-background-networking", "--window-size=1440,900",
                         f"--user-data-dir={lab.folder}/chromium{time.monotonic_ns()}"):
            options.add_argument(argument)
        if dark:
            options.add_argument("--blink-settings=preferredColorScheme=0")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.binary_location = shutil.which("chromium")
        self.lab = lab
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(LIMIT_S)
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior",
                                    {"behavior": "allow", "downloadPath": lab.folder + "/saved"})
        self.driver.get(url)

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def until(self, what, code, *arguments):
        return wait_for(what, lambda: self.js("return " + code, *arguments))

    def get(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        try:
            return " ".join(e.text for e in self.driver.find_elements(By.CSS_SELECTOR, selector))
        except StaleElementReferenceException:
            return ""

    def shows(self, selector, text):
        wait_for(f"{selector} to say {text!r}; it says {self.text(selector)!r}", lambda: text in self.text(selector))

    def click(self, selector):
        def clicked():
            try:
                button = self.get(selector)
                if not button.is_enabled():
                    return False
                button.click()
                return True
            except StaleElementReferenceException:
                return False
        wait_for(f"{selector} to be clicked", clicked)

    def at(self, x, y):
        """Actions that have moved to a point of the drawing."""
        scene = self.get("#scene")
        return ActionChains(self.driver).move_to_element_with_offset(
            scene, round(x - scene.size["width"] / 2), round(y - scene.size["height"] / 2))

    def place(self, node):
        return self.js("return netloom.scene.place(netloom.model.nodes.get(arguments[0]))", node)

    def click_node(self, node):
        """Again if the view has just moved, as it does when the drawer closes."""
        def clicked():
            self.at(*self.place(node)).click().perform()
            return self.js("return netloom.scene.selected?.node?.id") == node
        wait_for(f"{node} to be selected", clicked)

    def click_link(self, one, other):
        def clicked():
            (x1, y1), (x2, y2) = self.place(one), self.place(other)
            self.at((x1 + x2) / 2, (y1 + y2) / 2).click().perform()
            return self.js("const l = netloom.scene.selected?.link; return l ? [l.a, l.b] : null") == [one, other]
        wait_for(f"the link from {one} to {other} to be selected", clicked)

    def shot(self, name):
        os.makedirs(SHOTS, exist_ok=True)
        self.driver.save_screenshot(os.path.join(SHOTS, name + ".png"))

    def saved(self, pattern):
        def whole():
            files = glob.glob(f"{self.lab.folder}/saved/{pattern}")
            return files and os.path.getsize(files[0]) > 0 and files[0]
        return wait_for("the file " + pattern, whole)

    def complaints(self):
        """What the browser has logged, but for refused calls, which it always logs."""
        return [entry for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and "Failed to load resource" not in entry["message"]]


def link(one, other):
    return f"netloom.model.links.find(l => l.a === '{one}' && l.b === '{other}')"


A_S1, S1_S2 = link("page/a", "page/s1"), link("page/s1", "page/s2")


def without_its_token_the_page_says_so(page):
    page.driver.get(page.lab.url.split("#")[0])
    page.shows("#message", "token")
    assert page.js("return netloom.model.nodes.size") == 0


def the_lab_is_drawn(page):
    page.driver.get("about:blank")
    page.driver.get(page.lab.url)
    page.until("five nodes", "netloom.model.nodes.size === 5 && netloom.model.links.length === 4")
    page.until("counters", "netloom.model.daemon && netloom.model.isUp(%s)" % S1_S2)
    assert "token" not in page.driver.current_url, page.driver.current_url
    # Switches above their machines, as the tiers say; and on the canvas there is the switch's colour.
    assert page.place("page/s1")[1] < page.place("page/a")[1]
    page.until("the drawing", """(() => { const [x, y] = netloom.scene.place(netloom.model.nodes.get("page/s1"));
        const c = netloom.scene.canvas, d = c.getContext("2d").getImageData(x - 50, y, 1, 1).data;
        const e = document.createElement("canvas").getContext("2d"); e.fillStyle = netloom.scene.colour("switch");
        e.fillRect(0, 0, 1, 1); return d.join() === e.getImageData(0, 0, 1, 1).data.join(); })()""")
    page.shot("topology")


def links_show_their_load(page):
    page.lab.ping("-q", "-i", "0.01", "-s", "1000")
    page.until("a rate in both directions", "netloom.model.rate(%s, 'forward') > 1e5 && netloom.model.rate(%s, 'back') > 1e5"
               % (A_S1, A_S1))
    page.until("the colour of load", "netloom.scene.linkColour(%s) !== netloom.scene.colour('load0')" % S1_S2)
    page.click_link("page/s1", "page/s2")
    page.shows("#panel h2", "s1:up – s2:up")
    assert not page.get("#tip").is_displayed(), "the tip lies over the panel"
    page.shows("#panel", "trunk 10, 20")
    page.shows("#panel .figure", "p/s")
    page.shows("#panel table", "frames")
    page.shot("link")


def nodes_are_found_and_described(page):
    page.at(5, 5).click().perform()
    ActionChains(page.driver).send_keys("/").perform()
    page.get("#search").send_keys("10.0.0.2")
    page.shows("#found", "page/b")
    page.get("#search").send_keys(Keys.ENTER)
    page.until("the node", "netloom.scene.selected?.node?.id === 'page/b'")
    page.get("#search").clear()
    page.get("#search").send_keys("s2", Keys.ENTER)
    page.shows("#panel h2", "s2")
    page.shows("#panel table", "02:")  # stations
    page.get("#search").clear()
    page.get("#search").send_keys("vlan 20", Keys.ESCAPE)
    page.driver.switch_to.active_element.send_keys("n")
    page.until("the next node", "netloom.scene.selected?.node !== undefined")
    page.click("#fit")


def moved_nodes_stay_where_they_were_put(page):
    x, y = page.place("page/b")
    page.at(x, y).click_and_hold().move_by_offset(-60, 40).move_by_offset(-30, 20).release().perform()
    moved = page.js("const n = netloom.model.nodes.get('page/b'); return [n.x - n.home[0], n.y - n.home[1]]")
    assert moved[0] < -20 and moved[1] > 10, moved
    page.driver.refresh()
    page.until("the drawing again", "netloom.model.nodes.size === 5 && netloom.model.daemon")
    again = page.js("const n = netloom.model.nodes.get('page/b'); return [n.x - n.home[0], n.y - n.home[1]]")
    assert abs(again[0] - moved[0]) < 2 and abs(again[1] - moved[1]) < 2, (moved, again)
    page.click("#tiers")
    assert page.js("const n = netloom.model.nodes.get('page/b'); return n.x === n.home[0] && n.y === n.home[1]")
    zoom = page.js("return netloom.scene.view.zoom")
    page.get("#scene").send_keys("+")
    assert page.js("return netloom.scene.view.zoom") > zoom
    page.click("#fit")


def links_are_cut_and_joined(page):
    page.click_link("page/a", "page/s1")
    page.shows("#carrier", "Cut the link")
    page.click("#carrier")
    page.until("the link down", "!netloom.model.isUp(%s)" % A_S1)
    page.shows("#panel .said", "netloom link set page/a:eth1 down")
    assert "admin down" in page.lab.netloom("show", "links", "page")
    page.shot("cut")
    page.shows("#carrier", "Join the link")
    page.click("#carrier")
    page.until("the link up", "netloom.model.isUp(%s)" % A_S1)


def links_are_impaired_by_sliders(page):
    page.shows("#impair", "Delay")
    page.js("document.getElementById('impair').scrollIntoView()")
    for _ in range(4):
        page.get("#slide-delay").send_keys(Keys.ARROW_RIGHT)
    page.until("the impairment", "netloom.model.isImpaired(%s)" % A_S1)
    wait_for("the delay chosen last", lambda: re.search(r"\b10 ?ms", page.lab.netloom("link", "show", "page/a:eth1")))
    page.shows("#panel .said", "delay 10ms")
    page.shot("impaired")
    page.click("#clear")
    page.until("a good link", "!netloom.model.isImpaired(%s)" % A_S1)


def frames_are_captured_and_the_drawing_saved(page):
    page.js("document.getElementById('capture').scrollIntoView()")
    page.get("#capture-filter").send_keys("icmp")
    page.click("#capture")
    wait_for("captured bytes", lambda: "kB captured" in page.text("#panel .said"))
    page.click("#capture")
    with open(page.saved("*.pcapng"), "rb") as file:
        assert file.read(4) == b"\x0a\x0d\x0d\x0a"
    page.get("#scene").send_keys(Keys.ESCAPE)
    page.click("#export")
    tree = xml.etree.ElementTree.parse(page.saved("*.svg"))
    texts = [e.text for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"s1", "s2", "a", "b", "h"} <= set(texts), texts


def run_of_machine(page):
    """Which run of the machine this is: its monitor's start, or None."""
    state = page.js("return netloom.model.nodes.get('page/h').state")
    return state[2] if state[0] == "running" else None


def machines_have_a_console_and_restart_stop_and_start(page):
    page.click_node("page/h")
    page.shows("#panel", "running")
    page.click("#node-console")
    page.until("the console", "document.querySelector('.term') !== null")
    page.get(".term").send_keys(Keys.ENTER)
    # Typed again until the guest's shell answers: it may still be starting.
    def answered():
        page.get(".term").send_keys("echo nl-$((40+2))", Keys.ENTER)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if "nl-42" in page.text(".term pre"):
                return True
            time.sleep(0.2)
        return False
    wait_for("the guest's answer", answered)
    page.shot("console")
    page.click("#tabs .close")
    page.click_node("page/h")
    first = run_of_machine(page)
    page.click("#node-restart")
    page.shows("#panel .said", "netloom restart page/h")
    page.shows("#panel .said", "page/h is up")
    wait_for("another run", lambda: run_of_machine(page) not in (None, first))
    second = run_of_machine(page)
    # It is booting, and deaf to the power button.
    wait_for("the button", lambda: page.get("#node-stop").is_enabled())
    ActionChains(page.driver).key_down(Keys.SHIFT).click(page.get("#node-stop")).key_up(Keys.SHIFT).perform()
    page.shows("#panel .said", "netloom stop --force page/h")
    page.until("the machine to stop", "netloom.model.nodes.get('page/h').state[0] === 'stopped'")
    page.click("#tabs button")
    page.shows("#log", "page/h is stopped")
    page.shows("#log", "page/a:eth1 is down")
    page.shot("log")
    page.click("#node-start")
    page.shows("#panel .said", "netloom start page/h")
    wait_for("a third run", lambda: run_of_machine(page) not in (None, first, second))
    page.shows("#log", "page/h is running")
    assert "is dead" not in page.text("#log"), "between two runs nothing has died"


def it_is_dark_when_asked(page):
    light = page.js("return netloom.scene.colour('bg')")
    page.click("#theme")
    page.click("#theme")
    page.shows("#theme", "Dark")
    page.until("dark", "document.documentElement.dataset.theme === 'dark' && netloom.scene.colour('bg') !== arguments[0]", light)
    page.shot("dark")


def five_hundred_nodes_are_drawn(page):
    """Synthetic, into the page's own model: whether it is smooth, bench/page.py measures."""
    page.js("""const nodes = [], links = [];
        for (let i = 0; i < 500; i++) {
            const sw = i % 10 === 0;
            nodes.push({ id: "big/" + i, name: "n" + i, lab: "big", kind: sw ? "switch" : "vm", detail: "10.0.0." + i, tier: 0,
                x: (i % 10) * 130 + Math.floor(i / 100) * 1400, y: Math.floor(i / 10) % 10 * 160 });
            if (!sw)
                links.push({ a: "big/" + i, b: "big/" + (i - i % 10), a_if: "eth1", b_if: "p", kind: "port", vlan: "", vid: 0,
                    track: 0, n_tracks: 1, forward: null, back: null });
        }
        netloom.model.topology({ nodes, links });
        netloom.scene.fit();""")
    frames = page.driver.execute_async_script("""const done = arguments[arguments.length - 1], { scene } = netloom;
        const before = scene.frames; let n = 0;
        const step = () => { scene.pan(3, 1); n++ < 30 ? requestAnimationFrame(step) : done(scene.frames - before); };
        requestAnimationFrame(step);""")
    assert frames >= 30, frames
    page.shot("many")


def main():
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            skip(f"no {program} (Debian: chromium, chromium-driver)")
    lab = PageLab(machine=True)
    page = None
    try:
        page = Page(lab, "about:blank")
        for test in (without_its_token_the_page_says_so, the_lab_is_drawn, links_show_their_load,
                     nodes_are_found_and_described, moved_nodes_stay_where_they_were_put, links_are_cut_and_joined,
                     links_are_impaired_by_sliders, frames_are_captured_and_the_drawing_saved,
                     machines_have_a_console_and_restart_stop_and_start, it_is_dark_when_asked, five_hundred_nodes_are_drawn):
            before = time.monotonic()
            test(page)
            print(f"ok   {test.__name__} ({time.monotonic() - before:.1f} s)", flush=True)
        assert not page.complaints(), page.complaints()
    except BaseException:
        if page is not None:
            page.shot("failed")
            print(json.dumps(page.driver.get_log("browser"), indent=1), page.text("#panel"), file=sys.stderr)
        raise
    finally:
        if page is not None:
            page.driver.quit()
        lab.end()


if __name__ == "__main__":
    main()
