"""Where frappe_rt's CPU goes under the loads of the benchmarks.

    make profile                        fan-out, connect, unicast and polling, by perf or callgrind
    make profile PROFILE=--callgrind

Writes build/profile/<load>.txt, the functions with the most CPU first, and prints the first ten.
perf counts the kernel's too; callgrind counts instructions, those of the process alone.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from harness import contenders, machine
from harness.load import Load, Surroundings

OUT = contenders.ROOT / "build/profile"
SHOWN = 10


def fan_out(load):
    load.run("burst", 1, 3)


def fan_out_window(load):
    load.run("window", 64, 3)


def connect(load):
    for _ in range(3):
        load.connect(4000)
        load.drop()


def unicast(load):
    load.run("window", 64, 3, rooms=1)


#: Name -> (clients that are there before, how, the load).
LOADS = {
    "fanout": (1000, "websocket", fan_out),
    "fanout_window": (1000, "websocket", fan_out_window),
    "connect": (0, "websocket", connect),
    "unicast": (1000, "websocket", unicast),
    "polling": (200, "polling", fan_out),
}


def perf_works():
    if shutil.which("perf") is None:
        return False
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-o", OUT / "try.data", "sleep", "0.01"]
    return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def perf(name, pid):
    data = OUT / f"{name}.data"
    recorder = subprocess.Popen(
        ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-p", str(pid), "-o", data]
    )
    time.sleep(0.5)  # it attaches
    yield
    recorder.send_signal(signal.SIGINT)
    recorder.wait(30)
    lines = [*perf_report(data, "dso,symbol"), "", "by file:", *perf_report(data, "dso")]
    (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n")


def perf_report(data, sort):
    report = ["perf", "report", "-q", "--stdio", "--no-children", "--sort", sort, "-i", data]
    told = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    return [line.strip(" -") for line in told.splitlines() if line.strip()]


class UnderCallgrind(contenders.FrappeRt):
    def __init__(self, name):
        self.data = OUT / f"{name}.callgrind"

    def command(self, *ports):
        options = [f"--callgrind-out-file={self.data}", "--instr-atstart=no"]
        follow = "--trace-children=yes"  # `serve` becomes another program
        return ["valgrind", "-q", "--tool=callgrind", follow, *options, *super().command(*ports)]


@contextmanager
def callgrind(name, pid):
    subprocess.run(["callgrind_control", "-i", "on", str(pid)], check=True, capture_output=True)
    yield
    subprocess.run(["callgrind_control", "-d", str(pid)], check=True, capture_output=True)
    told = subprocess.run(
        ["callgrind_annotate", OUT / f"{name}.callgrind.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    table = told.stdout.partition("file:function\n")[2].splitlines()[1:]
    (OUT / f"{name}.txt").write_text("\n".join(line.strip() for line in table if line) + "\n")


def profile(name, around, with_perf):
    clients, transport, put_load = LOADS[name]
    contender = contenders.FrappeRt() if with_perf else UnderCallgrind(name)
    watch = perf if with_perf else callgrind
    with (
        contenders.Server(contender, around.redis.port, around.web_port) as server,
        Load(server, around) as load,
    ):
        load.connect(clients, transport)
        with watch(name, server.pid):
            put_load(load)
    print(f"\n{name}: build/profile/{name}.txt")
    print("\n".join((OUT / f"{name}.txt").read_text().splitlines()[:SHOWN]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=LOADS)
    parser.add_argument("--callgrind", action="store_true", help="though perf is there")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with_perf = not given.callgrind and perf_works()
    if not with_perf and shutil.which("valgrind") is None:
        sys.exit("profiling needs perf or valgrind")
    machine.pin_self()
    with Surroundings() as around:
        for name in given.only or LOADS:
            profile(name, around, with_perf)


if __name__ == "__main__":
    main()
