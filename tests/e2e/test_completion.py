#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
Completion, typed into real shells: what a Tab makes of a line.

    keys --- pty --- bash, zsh, fish --- netloom completion SHELL, netloom _complete --- a lab that is up: two machines, one switch
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(REPO, "build")))
LIMIT_S = 60

# How each is told of the completion, and how to get a prompt that is nothing else
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "PS1='re''ady> '; bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous on'; . <(netloom completion bash)"),
    "zsh": (["zsh", "-f", "-i"],
            "PS1='re''ady> '; autoload -U compinit; compinit -u -D; . <(netloom completion zsh)"),
    "fish": (["fish", "--no-config", "-i"],
             "function fish_prompt; echo -n 're''ady> '; end; set fish_greeting; netloom completion fish | source"),
}
# Typed, and what the line or the list below it then has
CASES = (
    ("netloom gra", ["netloom graph "]),
    ("netloom show sw", ["netloom show switches "]),
    ("netloom graph --format ", ["svg", "dot", "mermaid"]),
    ("netloom web --li", ["netloom web --listen "]),
    ("netloom console com", ["netloom console complab/"]),
    ("netloom console complab/", ["complab/left", "complab/right"]),
    ("netloom capture complab/left:", ["netloom capture complab/left:eth1"]),
    ("netloom validate my", ["netloom validate my-lab.yaml"]),
)


def plain(text):
    text = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[\[(][0-9;?<>=]*[A-Za-z]|\x1b[=>]|[\x00\x07\x0e\x0f]", "", text)
    while "\b" in text: # a character taken back
        text = re.sub(r"[^\b]\b|^\b", "", text, count=1)
    return text


def fish_offers(line, folder):
    """What fish itself would list for a line: its list needs a terminal that can move the cursor."""
    return subprocess.run(["fish", "--no-config", "-c", "netloom completion fish | source; complete -C $argv[1]", line], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, cwd=folder,
                          env=dict(os.environ, HOME=folder, TMPDIR=folder, PATH=BUILD + ":/usr/bin:/bin")).stdout.splitlines()


class Shell:
    def __init__(self, name, folder):
        self.name = name
        self.seen = ""
        command, setup = SHELLS[name]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HOME=folder, TMPDIR=folder, PATH=BUILD + ":/usr/bin:/bin", COLUMNS="200", LINES="50")
            os.chdir(folder)
            os.execvp(command[0], command)
        self.type(setup + "\r")
        self.until(["ready> "])

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, wanted):
        """Read until all of it is on the screen."""
        end = time.monotonic() + LIMIT_S
        while not all(text in plain(self.seen) for text in wanted):
            assert time.monotonic() < end, (self.name, wanted, plain(self.seen)[-1500:])
            if select.select([self.fd], [], [], 1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def complete(self, line, wanted):
        self.seen = ""
        self.type(line)
        self.until([line])
        if not any(text.startswith(line) for text in wanted):
            self.seen = ""
        self.type("\t")
        self.until(wanted)
        self.seen = ""
        self.type("\x15\r") # no line
        self.until(["ready> "])

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def lab_store(folder):
    """As `netloom up` keeps it; nothing has to run."""
    os.makedirs(folder + "/run/labs/complab")
    with open(folder + "/run/labs/complab/lab.yaml", "w", encoding="utf-8") as file:
        file.write("name: complab\ntopology:\n  nodes:\n    sw: { kind: switch }\n    left: { kind: vm }\n    right: { kind: vm }\n  links:\n"
                   "    - { endpoints: [\"left:eth1\", \"sw:p1\"] }\n    - { endpoints: [\"right:eth1\", \"sw:p2\"] }\n")


def main():
    if not os.access(os.path.join(BUILD, "netloom"), os.X_OK):
        print(f"skipped: no netloom in {BUILD}; run make first")
        sys.exit(77)
    missing = [name for name in SHELLS if shutil.which(name) is None]
    if missing:
        print(f"skipped: no {', '.join(missing)} (Debian has them)")
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="nl-", dir="/tmp")
    os.environ.update(NETLOOM_RUNDIR=folder + "/run")
    shell = None
    try:
        lab_store(folder)
        shutil.copy(os.path.join(REPO, "examples", "campus.yaml"), folder + "/my-lab.yaml")
        told = subprocess.run([os.path.join(BUILD, "netloom"), "_complete", "console", "com"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.split()
        assert told == ["complab/left", "complab/right"], told
        for name in SHELLS:
            shell = Shell(name, folder)
            for line, wanted in CASES:
                if name == "fish" and not wanted[0].startswith("netloom"):
                    told = fish_offers(line, folder)
                    assert set(wanted) <= set(told), (line, told)
                else:
                    shell.complete(line, wanted)
            shell.end()
            shell = None
            print("ok   " + name, flush=True)
    finally:
        if shell is not None:
            shell.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
