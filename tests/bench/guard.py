"""Instructions per connect, delivery, unicast event and publish, counted by callgrind.

    make guard                     within 10 % of tests/bench/guard.json, or it fails
    make guard GUARD=--record      writes this toolchain's counts there

The counts are of the process alone, without the kernel, and the same on a busy machine and on an
idle one; of a publish, those of the thread that calls, since how often it finds the server awake is
chance. They differ by compiler, libraries and Python, so each toolchain has its own record; where
there is none the guard says so and passes. Faster by more than 10 % fails as well: record it, or
the next change may lose it again unseen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness import contenders
from harness.load import Load, Surroundings

RECORD = Path(__file__).with_name("guard.json")
OUT = contenders.ROOT / "build/guard"
MARKS = contenders.ROOT / "build/bench/marks.so"
TARGET = Path(__file__).with_name("guard_target.py")
ALLOWED = 0.10

CLIENTS = 100
EVENTS = 100
PUBLISHES = 500


def get_toolchain():
    """What the counts depend on, as far as it has a name."""
    release = platform.freedesktop_os_release()
    system = f"{release.get('ID', 'linux')}{release.get('VERSION_ID', '')}"
    gcc = subprocess.run(["gcc", "-dumpversion"], capture_output=True, text=True, check=True)
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{system} {platform.machine()} gcc{gcc.stdout.strip()} python{python}"


class Target:
    """guard_target.py under callgrind; to `Load` it is a server.

    A mark counts all threads together, or with `alone` Python's only.
    """

    def __init__(self, around, alone=False):
        self.port = contenders.free_port()
        settings = {
            "socketio_port": self.port,
            "frappe_rt_host": "127.0.0.1",
            "redis_queue": around.redis.url,
            "webserver_port": around.web_port,
        }
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir(parents=True)
        self.process = subprocess.Popen(
            [
                *("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={OUT}/marks"),
                f"--separate-threads={'yes' if alone else 'no'}",
                *(sys.executable, TARGET, contenders.SITE, json.dumps(settings), MARKS),
            ],
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(OUT / "log").open("w"),
            text=True,
        )
        self.marks = 0
        self.suffix = "-01" if alone else ""

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.wait_for_done()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    def wait_for_done(self):
        line = self.process.stdout.readline()
        if line != "done\n":
            raise SystemExit(f"the server under callgrind ended:\n{(OUT / 'log').read_text()}")

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.wait_for_done()

    def mark(self):
        """Instructions since the last mark."""
        self.do("mark")
        self.marks += 1
        text = (OUT / f"marks.{self.marks}{self.suffix}").read_text()
        return int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE).group(1))

    def count(self, times, command):
        """Instructions for one of `times`. What is first done once is no part of it."""
        self.mark()
        command()
        return round(self.mark() / times)


def count_server(around):
    with Target(around) as target, Load(target, around) as load:

        def connect(number):
            load.say(f"connect {number} websocket 1")
            load.hear()

        def publish(rooms, number):
            load.say(f"run burst 1 20000 {number} 160 {rooms}")
            load.hear()

        connect(10)
        counts = {"connect": target.count(CLIENTS, lambda: connect(10 + CLIENTS))}
        for name, rooms, deliveries in ("delivery", 0, 10 + CLIENTS), ("unicast", 1, 1):
            publish(rooms, 2)
            counts[name] = target.count(
                EVENTS * deliveries,
                lambda rooms=rooms: publish(rooms, EVENTS),
            )
    return counts


def count_publish(around):
    with Target(around, alone=True) as target:
        target.do("publish 20")
        return target.count(PUBLISHES, lambda: target.do(f"publish {PUBLISHES}"))


def count():
    """Name -> instructions for one."""
    with Surroundings() as around:
        return count_server(around) | {"publish": count_publish(around)}


def compare(counts, recorded):
    """Prints a line each; True when all are where they were."""
    good = True
    for name, now in counts.items():
        before = recorded[name]
        change = now / before - 1
        told = "as recorded"
        if abs(change) > ALLOWED:
            good = False
            told = "SLOWER than recorded" if change > 0 else "faster than recorded: record it"
        print(f"{name:10}{now:>9} instructions, {100 * change:+5.1f} %  {told}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="make these the recorded counts")
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("the guard needs valgrind (Debian: valgrind)")
    toolchain = get_toolchain()
    records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    counts = count()
    if given.record:
        records[toolchain] = counts
        RECORD.write_text(json.dumps(records, indent=4, sort_keys=True) + "\n")
        print(f"recorded for {toolchain}: {counts}")
    elif toolchain not in records:
        print(f"no counts are recorded for {toolchain}; measured: {counts}")
    elif not compare(counts, records[toolchain]):
        sys.exit(f"the counts of {toolchain} are not within {100 * ALLOWED:.0f} % of the record")


if __name__ == "__main__":
    main()
