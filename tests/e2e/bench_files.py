#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What test_bench.sh has had written to a folder: does all of it parse, and does it say what was measured?"""

import csv
import html.parser
import json
import os
import sys
import xml.etree.ElementTree as xml

BENCHES = {"v2v", "ndr", "loss", "back2back", "caching", "latency", "idle"}


class Page(html.parser.HTMLParser):
    """Counts plots; a report needs nothing that is not in it."""

    def __init__(self):
        super().__init__()
        self.open, self.plots, self.text = [], 0, ""

    def handle_starttag(self, tag, attrs):
        self.plots += tag == "svg"
        assert not any(name == "src" or name == "href" and value.startswith("http") for name, value in attrs), (tag, attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in self.open, f"</{tag}> without <{tag}>"

    def handle_data(self, data):
        self.text += data


def latency_of(document):
    """On a busy machine no window may be left, and no frame in a thousand be slower than another; but all have windows, and absences."""
    for trial in document["trials"]:
        assert trial["windows"] > 100 and 0 <= trial["windows_unstolen_3us"] <= trial["windows_unstolen_20us"] <= trial["windows"], trial
        assert trial["frame_ns"] > 0 and trial["frames"] > 0, trial
    for who in {trial["subject"] for trial in document["trials"]}:
        noted = [trial["subject_absences_s"] for trial in document["trials"] if trial["subject"] == who]
        assert any(n is None or n > 0 for n in noted), (who, "was never away: the kernel's timer alone takes longer")
    assert len(document["results"]) == 3 or {trial["subject"] for trial in document["trials"]} == {"netloomd"}
    yield from (value["median"] for what, value in document["results"][0]["values"].items() if what.startswith("us, all windows, p50"))


def figures_of(bench, document):
    """Each must have measured something; how much is the machine's business."""
    if bench == "latency":
        yield from latency_of(document)
        return
    for result in document["results"]:
        if "figures" in result:
            yield from (figures["mpps"]["median"] for figures in result["figures"].values())
        else:
            yield from (value["median"] for what, value in result["values"].items()
                        if not any(word in what for word in ("lost", "CPU, %", "less")))
        assert bench != "loss" or all(point[0] > 0 for line in result["curves"].values() for point in line), result
    assert bench != "caching" or document["results"][0]["values"]["netloomd, addresses"]["median"] >= 1024


def check(folder, bench):
    base = os.path.join(folder, bench)
    with open(base + ".json") as file:
        document = json.load(file, parse_constant=lambda what: sys.exit(f"{base}.json: {what} is not JSON"))
    figures = list(figures_of(bench, document))
    assert all(figure > 0 for figure in figures), (bench, figures)
    with open(base + ".csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["trials"]) > 0 and all(None not in row for row in rows), bench
    assert document["rings"] in ("split", "packed") and all(row["rings"] in ("split", "packed") for row in rows), bench
    assert all("share" in row and (0 <= float(row["share"]) <= 1 if row.get("what", "").find("eventfd") < 0 else row["p50"]) for row in rows), bench
    if bench == "idle":  # a table says it all
        return
    assert xml.parse(base + "-0.svg").getroot().tag.endswith("svg")
    with open(base + "-0.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def main(folder):
    written = {name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json")}
    assert written >= BENCHES, written
    for bench in written:
        check(folder, bench)
    page = Page()
    with open(os.path.join(folder, "report.html")) as file:
        page.feed(file.read())
    assert page.plots >= 1 and "To repeat: netloom bench" in page.text and "Environment" in page.text, page.text


main(sys.argv[1])
