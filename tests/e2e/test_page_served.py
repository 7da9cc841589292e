#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
netloomd --web: the page is there as long as netloomd is, on loopback, with a token.

    netloom web --- RPC: where? --- netloomd --web 0 --- starts --- netloom web --attached --- HTTP client
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from page_lab import BUILD, LIMIT_S, NETLOOM, skip, wait_for


class Daemon:
    all = []

    def __init__(self, folder, *options):
        Daemon.all.append(self)
        self.log = folder + "/log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "netloomd"), "--no-huge", *options], stderr=log)

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(LIMIT_S)

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as children:
            return [int(pid) for pid in children.read().split()]


def address():
    """What `netloom web` prints when netloomd serves: it does not stay."""
    done = subprocess.run([NETLOOM, "web"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=LIMIT_S, check=True)
    return re.fullmatch(r"(http://127\.0\.0\.1:\d+)/#token=([0-9a-f]{32})\n", done.stdout).groups()


def ask(url, token=None):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.readline() + answer.readline()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def is_served(daemon):
    assert daemon.process.poll() is None, daemon.said()
    return "page: served" in daemon.said()


def answers(url):
    try:
        return ask(url + "/")[0] == 200
    except OSError:
        return False


def netloomd_serves_the_page(daemon):
    wait_for("the page", lambda: is_served(daemon))
    url, token = address()
    assert token not in daemon.said()
    status, page = ask(url + "/")
    assert status == 200 and b"<!doctype html>" in page, page
    assert ask(url + "/api/stream")[0] == 401 and ask(url + "/api/stream", "0" * 32)[0] == 401
    status, lines = ask(url + "/api/stream", token)
    told = [json.loads(line) for line in lines.splitlines()]
    assert status == 200 and {"topology", "state"} >= {line["type"] for line in told}, told
    return url


def a_page_that_ends_is_started_again(daemon, url):
    [page] = daemon.children()
    os.kill(page, signal.SIGKILL)
    wait_for("another process", lambda: daemon.children() not in ([], [page]))
    wait_for("the page again", lambda: daemon.said().count("page: served") == 2)
    again, token = address()
    assert ask(again + "/api/stream", token)[0] == 200
    wait_for("the end of the old one", lambda: again == url or not answers(url))
    return again


def the_page_ends_with_netloomd(folder, daemon, url):
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    wait_for("the end of the page", lambda: not answers(url))
    daemon = Daemon(folder, "--web", "0")
    wait_for("the page", lambda: is_served(daemon))
    url = address()[0]
    assert daemon.end() == 0 and not answers(url), daemon.said()


def mistakes_are_told(folder):
    daemon = Daemon(folder, "--web", "not:an:address")
    wait_for("the sentence", lambda: "is not an address to listen on" in daemon.said() and "started again in" in daemon.said())
    assert subprocess.run([NETLOOM, "show", "switches"], check=True, stdout=subprocess.PIPE, timeout=LIMIT_S), daemon.said()
    assert daemon.end() == 0
    daemon = Daemon(folder, "--web", "0", "--socket", folder + "/elsewhere.sock")
    assert daemon.process.wait(LIMIT_S) == 2 and "NETLOOM_RUNDIR" in daemon.said(), daemon.said()


def main():
    if not os.access(NETLOOM, os.X_OK):
        skip(f"no netloom in {BUILD}; run make first")
    if os.geteuid() != 0:
        skip("needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="nl-", dir="/tmp")
    os.environ.update(NETLOOM_RUNDIR=folder)
    try:
        daemon = Daemon(folder, "--web", "0")
        url = netloomd_serves_the_page(daemon)
        url = a_page_that_ends_is_started_again(daemon, url)
        the_page_ends_with_netloomd(folder, daemon, url)
        mistakes_are_told(folder)
        print("ok")
    finally:
        for daemon in Daemon.all:
            daemon.end(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
