# SPDX-License-Identifier: BSD-3-Clause
"""The command line of `netloom bench`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from netbench import compare, report
from netbench.machine import environment
from netbench.methods import BENCHES
from netbench.rfc import Disturbed
from netbench.subjects import PEERS, Unavailable
from netbench.trials import Progress

HERE = os.path.dirname(os.path.realpath(__file__))

EPILOG = """benchmarks:
""" + "".join(f"  {name:10} {function.__doc__.splitlines()[0]}\n" for name, function in BENCHES.items()) + """
Traffic comes from a microguest on one CPU; the switch under test has the other (--cpus). Subjects alternate within the
run; the ratio of each round is paired, the median is given with a 95 % bootstrap interval, and nothing inside the A/A
spread (netloomd against itself) may be claimed. Rounds in which a thread lost its CPU are counted as excluded, not used.

  netloom bench v2v --against ovs-dpdk,testpmd -o results
  netloom bench v2v --against ovs-dpdk,testpmd --rings packed
  netloom bench latency --against ovs-dpdk
  netloom bench compare results-old/v2v.json results/v2v.json

Exit status: 0 measured, 1 not, 2 wrong usage, 3 no round was undisturbed (run it on an idle machine)."""


def programs():
    """(where netloomd and vm-runner are, where guests/ and bench/distance are): a build directory, or as installed."""
    for folder, tools in ((os.environ.get("BUILD"), None), (os.path.join(HERE, "..", "..", "build"), None),
                          (os.path.join(HERE, "..", "..", "..", "..", "bin"), os.path.join(HERE, ".."))):
        if folder and os.access(os.path.join(folder, "netloomd"), os.X_OK):
            return os.path.realpath(folder), os.path.realpath(tools or folder)
    raise Unavailable("netloomd is not there: run make, or set BUILD")


def cpu_pair(text):
    cpus = [int(part) for part in text.split(",")]
    if len(cpus) != 2 or cpus[0] == cpus[1] or not set(cpus) <= os.sched_getaffinity(0):
        raise argparse.ArgumentTypeError("wants two different CPUs of this machine: the switch's and the generator's")
    return cpus


def peers(text):
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(PEERS)}")
    return names


def positive(text):
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("wants seconds, more than 0")
    return value


def rounds(text):
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("wants 1 to 1000")
    return value


def parse(arguments):
    parser = argparse.ArgumentParser(prog="netloom bench", epilog=EPILOG, description="Measure the switch.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", metavar="BENCH", choices=[*BENCHES, "all", "compare"],
                        help=f"{', '.join(BENCHES)}, all, or compare OLD NEW")
    parser.add_argument("files", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--against", type=peers, default=[], metavar="PEER,...",
                        help=f"measure these in the same run: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=rounds, default=20, help="rounds, each subject twice in each (20)")
    parser.add_argument("--seconds", type=positive, default=1.0, help="length of a trial (1)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.3 s: does it work? No figures to publish")
    parser.add_argument("--cpus", type=cpu_pair, default=None, help="the switch's and the generator's, such as 2,3 (0,1)")
    parser.add_argument("--only", metavar="TEXT", help="of v2v, ndr, loss, back2back: rows with TEXT in their title, such as 1518")
    parser.add_argument("--generator", choices=("microguest", "testpmd"), default="microguest",
                        help="of v2v: who sends; testpmd (DPDK, virtio-user) is one that is not ours")
    parser.add_argument("--rings", choices=("split", "packed"), default="split",
                        help="the virtio rings of all guests, for all subjects (split); with packed, v2v also tells packed over split")
    parser.add_argument("--count-all", action="store_true", help="use disturbed rounds, too, and say so")
    parser.add_argument("--realtime", action="store_true", help="give the two threads that are measured real-time priority "
                        "during trials: others on their CPUs wait. For machines with other work (needs root)")
    parser.add_argument("-o", dest="output", metavar="DIR", help="write JSON, CSV, plots and an HTML report there")
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 3, 0.3
    if options.bench == "compare" and len(options.files) != 2:
        parser.error("compare wants OLD and NEW: two files written by -o")
    if options.bench != "compare" and options.files:
        parser.error(f"\"{options.files[0]}\" is not an option")
    if options.generator == "testpmd" and options.bench != "v2v":
        parser.error("--generator testpmd can only do v2v: it has two stations, no rates, and judges nothing")
    if options.cpus is None and options.bench != "compare":
        available = sorted(os.sched_getaffinity(0))
        if len(available) < 2:
            parser.error("a benchmark needs two CPUs: one for the switch, one for the generator")
        options.cpus = available[:2]
    return options


def measure(name, options):
    began = time.monotonic()
    trials, results = BENCHES[name](options, Progress(options.json))
    trials = [{"rings": options.rings, **trial} for trial in trials]
    return {"bench": name, "command": "netloom bench " + " ".join(sys.argv[1:]), "environment": environment(options.build),
            "cpus": options.cpus, "rounds": options.rounds, "seconds": options.seconds, "rings": options.rings, "count_all": options.count_all,
            "took_s": round(time.monotonic() - began, 1), "results": results, "trials": trials}


def undisturbed(document):
    return all(result.get("excluded") is None or sum(result["excluded"].values()) < result["rounds"] or document["count_all"]
               for result in document["results"])


def bench(options):
    options.build, options.tools = programs()
    for name in options.against:
        if PEERS[name].never:
            raise Unavailable(f"{name} cannot be a subject: {PEERS[name].never}")
    if not os.access("/dev/kvm", os.W_OK):
        raise Unavailable("/dev/kvm cannot be used: the generators are virtual machines")
    if options.output:
        os.makedirs(options.output, exist_ok=True)
    options.scratch = tempfile.mkdtemp(prefix="netloom-bench-")
    status, documents = 0, []
    # However we end, its standard input does, too. DPDK leaves its folders behind, which are named after us.
    cleaner = subprocess.Popen(["sh", "-c", 'trap "" INT TERM HUP; read -r nothing; rm -rf -- "$1" /run/dpdk/*-"$2"-*', "sh",
                                options.scratch, str(os.getpid())], stdin=subprocess.PIPE, start_new_session=True)
    try:
        for name in BENCHES if options.bench == "all" else [options.bench]:
            document = measure(name, options)
            documents.append(document)
            if not options.json:
                print(report.text(document), flush=True)
            if not undisturbed(document):
                print("netloom bench: no round was undisturbed; run it on an idle machine", file=sys.stderr)
                status = 3
            if options.output:
                report.write(document, options.output)
    finally:
        cleaner.stdin.close()
        cleaner.wait()
    if options.json:
        json.dump(documents if options.bench == "all" else documents[0], sys.stdout, indent=1)
        print()
    if options.output:
        print(f"report: {report.html(documents, options.output)}", file=sys.stderr if options.json else sys.stdout)
    return status


def interrupted(number, frame):
    raise KeyboardInterrupt


def main(arguments=None):
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if options.bench == "compare":
            print(compare.text(*options.files))
            return 0
        return bench(options)
    except Disturbed as reason:
        print(f"netloom bench: {reason}", file=sys.stderr)
        return 3
    except (Unavailable, RuntimeError, OSError, subprocess.CalledProcessError, compare.NotComparable) as reason:
        print(f"netloom bench: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
