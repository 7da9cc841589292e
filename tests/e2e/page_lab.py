# SPDX-License-Identifier: BSD-3-Clause
"""A lab with real traffic and, if wanted, a machine, and `netloom web` in front of it; for the tests of the page."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(REPO, "build")))
NETLOOM = os.path.join(BUILD, "netloom")
LIMIT_S = 90

FILE = """
name: page
topology:
  defaults: { memory: 128M }
  nodes:
    s1: { kind: switch }
    s2: { kind: switch }
    a: { kind: tap, netns: NSa, ipv4: { eth1: 10.0.0.1/24 } }
    b: { kind: tap, netns: NSb, ipv4: { eth1: 10.0.0.2/24 } }
MACHINE
  links:
    - { endpoints: ["a:eth1", "s1:p1"], vlan: { access: 10 } }
    - { endpoints: ["s1:up", "s2:up"], vlan: { trunk: [10, 20] } }
    - { endpoints: ["b:eth1", "s2:p1"], vlan: { access: 10 } }
"""


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def wait_for(what, condition, seconds=LIMIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("gave up waiting for " + what)


class PageLab:
    """Two namespaces on two switches; with @machine, a virtual machine on the second."""

    def __init__(self, machine=False):
        for program in ("netloom", "netloomd"):
            if not os.access(os.path.join(BUILD, program), os.X_OK):
                skip(f"no {program} in {BUILD}; run make first")
        if os.geteuid() != 0:
            skip("needs root")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
        self.folder = tempfile.mkdtemp(prefix="nl-", dir="/tmp")
        self.namespaces = []
        self.web = None
        self.children = []
        os.environ.update(NETLOOM_RUNDIR=os.path.join(self.folder, "run"), NETLOOMD_ARGS="--no-huge",
                          NETLOOM_LIBDIR=os.environ.get("NETLOOM_LIBDIR", os.path.join(REPO, "control/lab/image")))
        try:
            self.up(machine)
        except BaseException:
            self.end()
            raise

    def up(self, machine):
        prefix = f"nlw{os.getpid()}"
        for name in "ab":
            self.namespaces.append(prefix + name)
            subprocess.run(["ip", "netns", "add", prefix + name], check=True)
        text = FILE.replace("NS", prefix)
        text = text.replace("MACHINE", "    h: { kind: vm, agent: false, ipv4: { eth1: 10.0.0.3/24 } }" if machine else "")
        if machine:
            text += '    - { endpoints: ["h:eth1", "s2:p2"], vlan: { access: 10 } }\n'
        with open(os.path.join(self.folder, "page.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run([NETLOOM, "up", "--quiet", file.name], check=True, stdin=subprocess.DEVNULL)
        self.web = subprocess.Popen([NETLOOM, "web", "--listen", "0"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
        self.url = self.web.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=([0-9a-f]{32})", self.url)
        assert found, self.url
        self.port, self.token = int(found.group(1)), found.group(2)

    def ping(self, *options):
        child = subprocess.Popen(["ip", "netns", "exec", self.namespaces[0], "ping", *options, "10.0.0.2"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def netloom(self, *arguments):
        return subprocess.run([NETLOOM, *arguments], check=True, stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL).stdout

    def api(self, path, body=None, headers=None, token=True):
        """Status and parsed answer of a call."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}",
                                         None if body is None else body if isinstance(body, bytes)
                                         else json.dumps(body).encode())
        if token:
            request.add_header("Authorization", "Bearer " + (self.token if token is True else token))
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def end(self):
        for child in [self.web] + self.children:
            if child is not None and child.poll() is None:
                child.terminate()
                child.wait(LIMIT_S)
        subprocess.run([NETLOOM, "down", "--all", "--quiet"], check=False, stdin=subprocess.DEVNULL)
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
