# SPDX-License-Identifier: BSD-3-Clause
"""What results look like. Colours are of middle brightness on nothing, so that a plot can be read on white and on black."""

import io
import re

INK = "#768390"
COLOURS = ("#3b82d0", "#e0762f", "#2f9e6e", "#a56bd0", "#c0504d", "#8a8f3a")


def styled():
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "netloom", "font.family": "sans-serif", "font.size": 9,
        "axes.prop_cycle": matplotlib.cycler(color=COLOURS), "axes.spines.top": False, "axes.spines.right": False,
        "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none", "legend.framealpha": 0,
        **{key: INK for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color")}})


def picture(height):
    from matplotlib.figure import Figure
    return Figure(figsize=(7.2, height), layout="constrained")


def svg(figure):
    """As one text, the same for the same results, without what nobody looks at."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?<svg", "<svg", drawn.getvalue(), flags=re.S)
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"'?DejaVu Sans'?[^;\"]*", "system-ui, sans-serif", text)
    return re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)


def bars(groups, xlabel, title, digits=4):
    """@groups: {group: {series: value, or summary with an interval}}"""
    series = []
    for of_group in groups.values():
        series += [what for what in of_group if what not in series]
    thick = 0.8 / len(series)
    figure = picture(0.9 + max(0.55, 0.23 * len(series) + 0.12) * len(groups))
    axes = figure.subplots()
    axes.margins(x=0.12)
    for number, what in enumerate(series):
        shown = [(at, of_group[what]) for at, of_group in enumerate(groups.values()) if middle(of_group.get(what)) is not None]
        drawn = axes.barh([at + thick * (number + 0.5) - 0.4 for at, _ in shown], [middle(value) for _, value in shown],
                          height=0.85 * thick, label=what, xerr=whiskers([value for _, value in shown]), ecolor=INK)
        axes.bar_label(drawn, fmt=f"%.{digits}g", padding=4, fontsize=8)
    axes.set_yticks(range(len(groups)), groups)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    named(axes, title, len(series))
    return title, figure


def named(axes, title, n_series):
    """The title to the left above, what colours mean to the right."""
    axes.set_title(title, fontsize=10, loc="left", pad=20 if n_series > 3 else 6)  # a long legend has a line of its own
    if n_series > 1:
        axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncol=n_series, borderaxespad=0.2, columnspacing=1.2)


def middle(value):
    return value["median"] if isinstance(value, dict) else value


def whiskers(values):
    if not values or not all(isinstance(value, dict) for value in values):
        return None
    return [[value["median"] - value["low"] for value in values], [value["high"] - value["median"] for value in values]]


def curves(lines, xlabel, ylabel, title, log=False):
    """@lines: {name: [(x, y), ...]}; names that end in " *" are dashed, in the colour of the line before."""
    figure = picture(3.4)
    axes = figure.subplots()
    colour = -1
    for name, points in lines.items():
        dashed = name.endswith(" *")
        colour += not dashed
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=4, label=name.removesuffix(" *"),
                  linestyle="--" if dashed else "-", color=COLOURS[colour % len(COLOURS)])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xlim(left=0)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(bottom=0, top=max(1, 1.1 * max(y for points in lines.values() for _, y in points)))
    axes.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    named(axes, title, len(lines))
    return title, figure


def boxes(result, trials):
    """Every trial of a comparison, those that were left out, too."""
    names, figure = list(result["figures"]), picture(0.9 + 0.4 * len(result["figures"]))
    axes = figure.subplots()
    box = {"color": INK}
    axes.boxplot([[t["mpps"] for t in trials if t["subject"] == name] for name in names], vert=False, labels=names, boxprops=box,
                 whiskerprops=box, capprops=box, flierprops={"markeredgecolor": INK, "markersize": 3})
    axes.set_xlabel("Mpps, all directions in sum, every trial")
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.set_title(result["title"], fontsize=10, loc="left")
    return result["title"], figure


def plots(document):
    """[(title, figure)] of matplotlib: what was measured side by side, then every trial of it."""
    styled()
    compared = [r for r in document["results"] if "figures" in r and all(of_name["mpps"]["n"] for of_name in r["figures"].values())]
    subjects = [r for r in compared if "netloomd" in r["figures"]]
    unit = "Mpps, all directions in sum; median and 95 % interval"
    made = [bars({r["title"]: {name: of_name["mpps"] for name, of_name in r["figures"].items()} for r in subjects}, unit,
                 document["bench"], 3)] if subjects else []
    made += [bars({name: {"": of_name["mpps"]} for name, of_name in r["figures"].items()}, unit, r["title"], 3)
             for r in compared if r not in subjects]
    for result in document["results"]:
        if result.get("bars"):
            made.append(bars(result["bars"], result["unit"], result["title"]))
        if any(result.get("curves", {}).values()):
            made.append(curves(result["curves"], result["x"], result["y"], result["title"]))
        if result.get("latency"):
            made.append(curves({line: [(x, us[p]) for x, us in points if us[p]] for name, points in result["latency"].items()
                                for line, p in ((f"{name}, median", "p50"), (f"{name}, 99.9 % *", "p99.9"))},
                               "Mpps, both ways in sum", "us, one way", "latency, 64 B", log=True))
    made += [boxes(r, [t for t in document["trials"] if t["bench"] == r["title"]]) for r in compared]
    return made
