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
    if not isinstance(document, dict) or not isinstance(document.get("results"), list) or "environment" not in document:
        raise NotComparable(f"{path} is not a file that netloom bench -o has written")
    return document


def rows(document):
    """{(title, what): (summary, higher is better)}: ratios where there are some, as they outlast the machine, else figures."""
    found = {}
    for result in document["results"]:
        title = result.get("title", "")
        for name, ratio in result.get("ratios", {}).items():
            found[title, f"{name}, ratio of Mpps"] = (ratio["mpps"], True)
            found[title, f"{name}, ratio of cycles"] = (ratio["cycles"], False)
        if not result.get("ratios"):
            for name, figures in result.get("figures", {}).items():
                found[title, f"{name}, Mpps"] = (figures["mpps"], True)
                found[title, f"{name}, cycles per frame"] = (figures["cycles"], False)
        for what, value in result.get("values", {}).items():
            found[title, what] = (value, value["higher_is_better"])
    return found


def shown(value):
    if value["n"] == 0:
        return "-"
    if value["n"] == 1:
        return f"{value['median']:.4g} (measured once, +-20 %)"
    return f"{value['median']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"


def text(old_path, new_path):
    old, new = load(old_path), load(new_path)
    before, after = rows(old), rows(new)
    both = [key for key in before if key in after]
    if not both:
        raise NotComparable("the two files have no row in common")
    lines = []
    if old["environment"]["cpu"] != new["environment"]["cpu"]:
        lines.append(f"different CPUs: {old['environment']['cpu']} and {new['environment']['cpu']}; only ratios mean anything")
    rings = [document.get("rings", "split") for document in (old, new)]
    if rings[0] != rings[1]:
        lines.append(f"different rings: {rings[0]} and {rings[1]}; a difference may be theirs")
    for key in both:
        (was, higher), (now, _) = before[key], after[key]
        lines.append(f"{key[0]}, {key[1]}: {shown(was)} -> {shown(now)}: {verdict(was, now, higher)}")
    return "\n".join(lines)
