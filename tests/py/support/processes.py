"""Programs that tests start, what they print, and their children."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from support.bench import PATIENCE, wait_for

TESTS = Path(__file__).parents[1]
#: Of a task's flags in proc(5): it has begun to end.
PF_EXITING = 0x4
#: What such a program finds beside what is installed: this package, and a stand-in for Frappe.
PATHS = (str(TESTS / "support/bench_apps"), str(TESTS))


#: Ports that nobody is given who does not ask for a certain one: below Linux's ephemeral ones.
_ports = iter(random.sample(range(10_000, 32_768), 20_000))


def get_free_port():
    """One that nobody listens on, and that nothing here takes by chance before it is used."""
    return next(filter(is_free, _ports))


def configure(bench, **values):
    (bench / "sites/common_site_config.json").write_text(json.dumps(values))


def is_free(port):
    """Whether one could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def get_children(pid):
    try:
        names = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(name) for name in names]


def get_state(pid):
    """As in proc(5): S, R, Z, ...; None: gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_gone(pid):
    return get_state(pid) in (None, "Z")


def count_descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def list_thread_names(pid):
    """Names of the threads of a process; "frappe_rt" is the server's. Who joins a thread may go on
    before the kernel has it off the list: one that only has to leave it is none any more."""
    names = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            flags = int((task / "stat").read_text().rpartition(")")[2].split()[6])
            if not flags & PF_EXITING:
                names.append((task / "comm").read_text().strip())
    return names


class Program:
    """A process of a bench, in its folder `sites`; `lines` grows by what it and its own print."""

    def __init__(self, bench, *words, **environment):
        paths = os.pathsep.join(PATHS)
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=bench / "sites",
            env=os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = self.process.pid
        self.also = set()  # other processes to end with it
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def find(self, text):
        return [line for line in self.lines if text in line]

    def wait_for_line(self, text, count=1):
        def found():
            more = self.reader.is_alive()
            enough = len(self.find(text)) >= count
            assert more or enough
            return enough

        try:
            wait_for(found)
        except AssertionError:
            raise AssertionError(f"no {text!r} in:\n{self.told()}") from None
        return self.find(text)[count - 1]

    def told(self):
        return "\n".join(self.lines)

    def end(self, how=signal.SIGTERM):
        """Exit status, once all that it has started is gone too."""
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)  # the pipe ends with the last process that could write to it
        assert not self.reader.is_alive(), self.told()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        left = {self.pid, *self.also}
        while left:
            pid = left.pop()
            left |= set(get_children(pid))
            if not (pid == self.pid and self.process.poll() is not None):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()


#: What `ask` raises of a server that is not there, or goes while it answers.
NO_ANSWER = (OSError, HTTPException)


def ask(port, path):
    """What the stand-in for Frappe answers."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return json.load(answer)


def is_there(port):
    try:
        ask(port, "/state")
    except NO_ANSWER:
        return False
    return True
