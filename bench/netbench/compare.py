# SPDX-License-Identifier: BSD-3-Clause
"""`netloom bench compare OLD NEW`: better, worse, or no difference."""

import json

from netbench.stats import verdict


class NotComparable(Exception):
    """A sentence."""


def load(path):
    try:
        with open(path) as file:
            document = json.load(file)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise NotComparable(f"{path} is not a file that netloom bench -o has written")
    return document


def rows(document):
    """{(title, what): (summary, higher is better)}: ratios to a peer where there are some, as they outlast the machine."""
    found = {}
    for result in document["results"]:
        title = result.get("title", "")
        for peer, ratio in result.get("ratios", {}).items():
            found[title, f"Mpps, ratio to {peer}"] = (ratio["mpps"], True)
            found[title, f"cycles, ratio to {peer}"] = (ratio["cycles"], False)
        if not result.get("ratios") and "figures" in result:
            found[title, "Mpps"] = (result["figures"]["netloomd"]["mpps"], True)
            found[title, "cycles per frame"] = (result["figures"]["netloomd"]["cycles"], False)
        if "ratio" in result:
            found[title, "ratio"] = (result["ratio"], False)
    return found


def text(old_path, new_path):
    old, new = load(old_path), load(new_path)
    before, after = rows(old), rows(new)
    both = [key for key in before if key in after]
    if not both:
        raise NotComparable("the two files have no row in common")
    lines = []
    if old["environment"]["cpu"] != new["environment"]["cpu"]:
        lines.append(f"different CPUs: {old['environment']['cpu']} and {new['environment']['cpu']}; only ratios mean anything")
    for key in both:
        (was, higher), (now, _) = before[key], after[key]
        lines.append(f"{key[0]}, {key[1]}: {was['median']:.3g} [{was['low']:.3g}, {was['high']:.3g}] -> "
                     f"{now['median']:.3g} [{now['low']:.3g}, {now['high']:.3g}]: {verdict(was, now, higher)}")
    return "\n".join(lines)
