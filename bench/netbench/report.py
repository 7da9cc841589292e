# SPDX-License-Identifier: BSD-3-Clause
"""Results as a table on the terminal, JSON and CSV of every trial, plots, and one HTML file that needs no other."""

import csv
import html as markup
import json
import os

from netbench.plots import plots, svg


def figure(summary, digits=2):
    """A summary of stats.py: the median, and the interval in which it is."""
    if summary["n"] == 0:
        return "-"
    if summary["n"] == 1:
        return f"{summary['median']:.{digits}f}, one round"
    return f"{summary['median']:.{digits}f} [{summary['low']:.{digits}f}, {summary['high']:.{digits}f}]"


def paired_text(result):
    wide = 2 + max(14, *map(len, result["figures"]))
    lines = [f"  {'':{wide}}{'Mpps':>22}{'cycles per frame':>24}{'Mpps, ratio':>22}{'cycles, ratio':>22}{'generator busy':>16}"]
    for name, figures in result["figures"].items():
        line = f"  {name:{wide}}{figure(figures['mpps']):>22}{figure(figures['cycles'], 0):>24}"
        ratio = result["ratios"].get(name)
        line += f"{figure(ratio['mpps']):>22}{figure(ratio['cycles']):>22}" if ratio else " " * 44
        busy = result["generator_busy"][name]
        lines.append(f"{line}{'-' if busy is None else format(busy, '.0%'):>16}")
    if result["ratios"]:
        lines.append(f"  ratios: {result['ratio_title']}, median of the rounds and its 95 % interval")
    floor = result["floor"]
    if floor["mpps"]:
        lines.append(f"  A/A: Mpps {floor['mpps'][0]:.2f} to {floor['mpps'][1]:.2f}, cycles {floor['cycles'][0]:.2f} to "
                     f"{floor['cycles'][1]:.2f}; ratios inside say nothing")
    for name in result["generator_limited"]:
        lines.append(f"  {name}: the generator never had to wait, and may be the limit: {name} may be faster than shown")
    return lines


def table_text(result):
    rows = [result["columns"], *result["table"]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(result["columns"]))]
    return ["  " + "   ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))
            for row in rows]


def text(document):
    lines = [f"{document['bench']}: {document['environment']['cpu']}, CPUs {document['cpus']}, {document.get('rings', 'split')} rings, "
             f"{document['rounds']} rounds of {document['seconds']} s, took {document['took_s']} s"]
    for result in document["results"]:
        lines.append(result["title"])
        lines += paired_text(result) if "figures" in result else table_text(result)
        lines += [f"  {result['note']}"] if "note" in result else []
        lines += [f"  left out, {count} of {result['rounds']} runs: {reason}" for reason, count in result.get("excluded", {}).items()]
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


STYLE = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto } table { border-collapse: collapse } svg { max-width: 100%; height: auto }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem; text-align: left }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #ddd } pre { background: #23262b }
td, th { border-color: #444 } }"""


def html(documents, directory):
    """DIR/report.html, with plots inside; the plots also as DIR/BENCH-N.png and .svg. Return: its path."""
    parts = []
    for document in documents:
        parts.append(f"<h2>{markup.escape(document['bench'])}</h2><pre>{markup.escape(text(document))}</pre>")
        for number, (title, picture) in enumerate(plots(document)):
            base = os.path.join(directory, f"{document['bench']}-{number}")
            picture.savefig(base + ".png", dpi=120, facecolor="white")
            drawn = svg(picture)
            with open(base + ".svg", "w") as file:
                file.write(drawn)
            parts.append(f"<figure aria-label=\"{markup.escape(title)}\">{drawn[drawn.index('<svg'):]}</figure>")
        parts.append(f"<p>To repeat: <code>{markup.escape(document['command'])}</code></p>")
    environment = "".join(f"<tr><th>{markup.escape(str(key))}</th><td>{markup.escape(str(value))}</td></tr>"
                          for key, value in documents[0]["environment"].items())
    path = os.path.join(directory, "report.html")
    with open(path, "w") as file:
        file.write(f"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>netloom bench</title><style>{STYLE}</style>"
                   f"<h1>netloom bench</h1>{''.join(parts)}<h2>Environment</h2><table>{environment}</table></html>\n")
    return path
