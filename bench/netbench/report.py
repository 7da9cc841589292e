# SPDX-License-Identifier: BSD-3-Clause
"""Results as a table on the terminal, JSON and CSV of every trial, plots, and one HTML file that needs no other."""

import csv
import html as markup
import io
import json
import os


def figure(summary, digits=2):
    if summary["n"] == 0:
        return "-"
    if summary["n"] == 1:
        return f"{summary['median']:.{digits}f}, one round"
    return f"{summary['median']:.{digits}f} [{summary['low']:.{digits}f}, {summary['high']:.{digits}f}]"


def paired_text(result):
    lines = [f"  {'':14}{'Mpps':>22}{'cycles per frame':>24}{'Mpps, ratio':>22}{'cycles, ratio':>22}{'generator busy':>16}"]
    for name, figures in result["figures"].items():
        line = f"  {name:14}{figure(figures['mpps']):>22}{figure(figures['cycles'], 0):>24}"
        ratio = result["ratios"].get(name)
        line += f"{figure(ratio['mpps']):>22}{figure(ratio['cycles']):>22}" if ratio else " " * 44
        busy = result["generator_busy"][name]
        lines.append(f"{line}{'-' if busy is None else format(busy, '.0%'):>16}")
    floor = result["floor"]
    if floor["mpps"]:
        lines.append(f"  A/A: Mpps {floor['mpps'][0]:.2f} to {floor['mpps'][1]:.2f}, cycles {floor['cycles'][0]:.2f} to "
                     f"{floor['cycles'][1]:.2f}; ratios inside say nothing")
    for name in result["generator_limited"]:
        lines.append(f"  {name}: the generator never had to wait, and may be the limit: {name} may be faster than shown")
    for reason, count in result["excluded"].items():
        lines.append(f"  {count} of {result['rounds']} rounds: {reason}")
    return lines


def table_text(result):
    rows = [result["columns"], *result["table"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(result["columns"]))]
    return ["  " + "   ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))
            for row in rows] + ([f"  {result['note']}"] if "note" in result else [])


def text(document):
    lines = [f"{document['bench']}: {document['environment']['cpu']}, CPUs {document['cpus']}, {document['rounds']} rounds of "
             f"{document['seconds']} s, took {document['took_s']} s"]
    for result in document["results"]:
        lines.append(result["title"])
        if "figures" in result:
            lines += paired_text(result)
        elif "table" in result:
            lines += table_text(result)
        else:
            lines += [f"  {key}: {figure(value) if isinstance(value, dict) and 'median' in value else value}"
                      for key, value in result.items() if key not in ("title", "skipped") and value != ""]
        lines += [f"  {name} is left out: {reason}" for name, reason in result.get("skipped", {}).items()]
    return "\n".join(lines)


def write(document, directory):
    """DIR/BENCH.json with everything, DIR/BENCH.csv with every trial."""
    base = os.path.join(directory, document["bench"])
    with open(base + ".json", "w") as file:
        json.dump(document, file, indent=1)
    fields = []
    for trial in document["trials"]:
        fields += [field for field in trial if field not in fields]
    with open(base + ".csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(document["trials"])


def bar_plot(picture, result):
    """A group of bars for each subject."""
    axes = picture.subplots()
    subjects, series = list(result["bars"]), list(next(iter(result["bars"].values())))
    for number, what in enumerate(series):
        at = [i + 0.8 * (number + 0.5) / len(series) - 0.4 for i in range(len(subjects))]
        bars = axes.barh(at, [result["bars"][name][what] for name in subjects], height=0.7 / len(series), label=what)
        axes.bar_label(bars, fmt="%.4g", padding=3, fontsize=8)
    axes.set_yticks(range(len(subjects)), subjects)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(result["unit"])
    if len(series) > 1:
        axes.legend(fontsize=8)


def curve_plot(picture, result):
    axes = picture.subplots()
    for name, points in result["curves"].items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.set_xlabel(result["x"])
    axes.set_ylabel(result["y"])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0, top=max(1, 1.1 * max(y for points in result["curves"].values() for _, y in points)))
    axes.legend(fontsize=8)


def plots(document):
    """[(title, figure)] of matplotlib: a box plot of the trials for each row, bars, curves, latency percentiles."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    made = []
    for result in document["results"]:
        if result.get("bars"):
            picture = Figure(figsize=(7, 1.1 + 0.6 * len(result["bars"])), layout="tight")
            bar_plot(picture, result)
        elif result.get("curves"):
            picture = Figure(figsize=(7, 3.5), layout="tight")
            curve_plot(picture, result)
        else:
            continue
        picture.axes[0].set_title(result["title"], fontsize=9)
        made.append((result["title"], picture))
    paired = [r for r in document["results"] if "figures" in r]
    for result in paired:
        trials = [t for t in document["trials"] if t["bench"] == result["title"]]
        names = list(result["figures"])
        picture = Figure(figsize=(7, 0.9 + 0.5 * len(names)), layout="tight")
        axes = picture.subplots()
        axes.boxplot([[t["mpps"] for t in trials if t["subject"] == name] for name in names], vert=False, labels=names)
        axes.set_xlabel("Mpps, both ways in sum, every trial")
        axes.set_xlim(left=0)
        axes.invert_yaxis()
        axes.set_title(result["title"], fontsize=10)
        made.append((result["title"], picture))
    latencies = [r for r in document["results"] if isinstance(r.get("latency_us"), dict) and "p99.9" in r["latency_us"]]
    if latencies:
        picture = Figure(figsize=(7, 4), layout="tight")
        axes = picture.subplots()
        for result in latencies:
            percentiles = [(p, us) for p, us in result["latency_us"].items() if us]
            axes.plot([p for p, _ in percentiles], [us for _, us in percentiles], marker="o", label=result["title"])
        axes.set_yscale("log")
        axes.set_ylabel("one way, us")
        axes.legend(fontsize=7)
        made.append(("latency percentiles", picture))
    return made


STYLE = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto } table { border-collapse: collapse } svg { max-width: 100% }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem; text-align: left }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #ddd } pre { background: #23262b }
td, th { border-color: #444 } svg { background: #fff } }"""


def html(documents, directory):
    """DIR/report.html, with plots inside; the plots also as DIR/BENCH-N.png and .svg. Return: its path."""
    parts = []
    for document in documents:
        parts.append(f"<h2>{markup.escape(document['bench'])}</h2><pre>{markup.escape(text(document))}</pre>")
        for number, (title, picture) in enumerate(plots(document)):
            base = os.path.join(directory, f"{document['bench']}-{number}")
            picture.savefig(base + ".png", dpi=120)
            drawn = io.StringIO()
            picture.savefig(drawn, format="svg")
            with open(base + ".svg", "w") as file:
                file.write(drawn.getvalue())
            svg = drawn.getvalue()
            parts.append(f"<figure aria-label=\"{markup.escape(title)}\">{svg[svg.index('<svg'):]}</figure>")
        parts.append(f"<p>To repeat: <code>{markup.escape(document['command'])}</code></p>")
    environment = "".join(f"<tr><th>{markup.escape(str(key))}</th><td>{markup.escape(str(value))}</td></tr>"
                          for key, value in documents[0]["environment"].items())
    path = os.path.join(directory, "report.html")
    with open(path, "w") as file:
        file.write(f"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>netloom bench</title><style>{STYLE}</style>"
                   f"<h1>netloom bench</h1>{''.join(parts)}<h2>Environment</h2><table>{environment}</table></html>\n")
    return path
