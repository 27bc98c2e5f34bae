"""What a publish costs its caller, each way, beside redis-py's publish and Frappe's own in one run.

    python tests/bench/bench_publish.py [--rounds N] [--accept]

Needs redis-server, the programs of `make bench`, redis-py, orjson and werkzeug. --accept puts the
figures into docs/performance.md.

The caller has one core, all else the other: servers, Redis, and a browser that hears each event.
Rounds go through all ways in turn; a figure is the median over the rounds of a round's median.

"busy": who takes the events is kept at work by another process, so that nobody has to be woken.
"burst": publishes follow each other, so that some wake and some do not. "asleep": the caller spins
for 200 µs before each, so that each pays for waking. redis-py waits for an answer, which comes
latest from a busy Redis: its burst stands for busy, too.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import ModuleType

from werkzeug.local import Local

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "py"))

from harness import machine, publishing
from harness.contenders import SITE
from harness.load import Load, Surroundings
from support import frappe_json

import frappe_rt
from frappe_rt import _rt, config
from frappe_rt.publishing import deliver, message

USER = "u0@example.com"  # whom the generator's first client is
ROOM = f"user:{USER}"
MESSAGE = {"doctype": "ToDo", "name": "T-0001", "modified": "2026-01-01 12:00:00", "user": "ada"}
ENVELOPE = {"event": "note", "message": MESSAGE, "room": ROOM, "namespace": SITE}

BATCHES, UNTIMED, TIMED = 40, 20, 100
SINGLE, PAUSE_NS = 300, 200_000
#: Between two batches, for those who take the events to have done with them all.
DRAIN_SECONDS = 0.004

#: Writes to a socket for ever; nothing is answered.
FILLER = """
import socket, sys
path, port, text = sys.argv[1:]
filler = socket.socket(socket.AF_UNIX) if path else socket.create_connection(("127.0.0.1", port))
if path:
    filler.connect(path)
else:
    filler.sendall(b"CLIENT REPLY OFF\\r\\n")
print("up", flush=True)
while True:
    filler.sendall(text.encode() * 500)
"""
#: For a site without clients.
FILLING_LINE = json.dumps(ENVELOPE | {"namespace": "other.localhost"}) + "\n"

#: Does nothing but to be woken, until it is told a large number.
SLEEPER = """
import os, sys
while os.eventfd_read(int(sys.argv[1])) < 1 << 32:
    pass
"""

SERVER = """
import json, sys
import frappe_rt
with frappe_rt.start(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3])) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


class Elsewhere:
    """A server in another process."""

    def __init__(self, bench: str, around: Surroundings) -> None:
        settings = make_settings(around)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, bench, SITE, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("FRAPPE_")},
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.pid = self.process.pid

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def make_settings(around: Surroundings) -> dict[str, object]:
    return {
        "socketio_port": 0,
        "frappe_rt_host": "127.0.0.1",
        "redis_queue": around.redis.url,
        "webserver_port": around.web_port,
    }


@contextmanager
def on_servers_core() -> Iterator[None]:
    """What is started in here stays on that core; this thread returns."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {machine.SERVER_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextmanager
def browser(server: object, around: Surroundings) -> Iterator[Load]:
    with on_servers_core():
        load = Load(server, around)
    with load:
        load.say("connect 1 websocket 1")
        load.hear()
        yield load


def time_calls(call: Callable[[], object], number: int, pause_ns: int) -> list[int]:
    """ns of each; before it the caller spins for `pause_ns`."""
    clock = time.perf_counter_ns
    taken = []
    for _ in range(number):
        end = clock() + pause_ns
        while clock() < end:
            pass
        began = clock()
        call()
        taken.append(clock() - began)
    return taken


def time_bursts(call: Callable[[], object]) -> list[int]:
    taken: list[int] = []
    for _ in range(BATCHES):
        time.sleep(DRAIN_SECONDS)
        taken += time_calls(call, UNTIMED + TIMED, 0)[UNTIMED:]
    return taken


@contextmanager
def busy(path: str, port: int) -> Iterator[None]:
    """The server behind a local socket, or without `path` Redis, has always something to do."""
    text = FILLING_LINE if path else "PING\r\n"
    with on_servers_core():
        filler = subprocess.Popen(
            [sys.executable, "-c", FILLER, path, str(port), text], stdout=subprocess.PIPE
        )
    assert filler.stdout is not None
    assert filler.stdout.readline() == b"up\n"
    try:
        yield
    finally:
        filler.kill()
        filler.communicate()


def measure(
    call: Callable[[], object], filled: AbstractContextManager[None] | None = None
) -> publishing.Medians:
    """Without what it costs to measure."""
    burst = time_bursts(call)
    asleep = time_calls(call, SINGLE, PAUSE_NS)
    at_work = burst
    if filled is not None:
        with filled:
            at_work = time_bursts(call)
    clock = statistics.median(time_calls(lambda: None, TIMED, 0))
    return publishing.Medians(
        *((statistics.median(taken) - clock) / 1000 for taken in (at_work, burst, asleep))
    )


def publish() -> None:
    frappe_rt.publish_realtime("note", MESSAGE, user=USER)


def get_path(bench: str) -> str:
    return str(Path(bench) / "config/frappe_rt.sock")


Measured = Iterator[tuple[str, publishing.Medians]]


def measure_references(around: Surroundings) -> Measured:
    from redis import ConnectionError, Redis

    client = Redis("127.0.0.1", around.redis.port)
    text = json.dumps(ENVELOPE)

    def emit_via_redis() -> None:
        with suppress(ConnectionError):
            client.publish("events", frappe_json.encode(ENVELOPE))

    yield "redis-py", measure(lambda: client.publish("events", text))
    yield "frappe", measure(emit_via_redis)
    client.close()


def measure_wake() -> Measured:
    """What it costs to wake a process of the other core, whatever for."""
    eventfd = os.eventfd(0)
    with on_servers_core():
        command = [sys.executable, "-c", SLEEPER, str(eventfd)]
        sleeper = subprocess.Popen(command, pass_fds=[eventfd])
    time.sleep(0.1)
    yield "wake", measure(lambda: os.eventfd_write(eventfd, 1))
    os.eventfd_write(eventfd, 1 << 32)
    sleeper.wait()
    os.close(eventfd)


def measure_kernel(bench: str, around: Surroundings) -> Measured:
    """The same bytes by the same system call, and nothing else."""
    line = json.dumps(ENVELOPE, separators=(",", ":")).encode()
    with socket.socket(socket.AF_UNIX) as server, around.redis.connect() as redis:
        server.connect(get_path(bench))
        yield "local.send", measure(lambda: server.send(line + b"\n"), busy(get_path(bench), 0))
        redis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        redis.settimeout(None)
        redis.sendall(b"CLIENT REPLY OFF\r\n")
        command = b"*3\r\n$7\r\nPUBLISH\r\n$6\r\nevents\r\n$%d\r\n%s\r\n" % (len(line), line)
        yield "redis.send", measure(lambda: redis.send(command), busy("", around.redis.port))


def measure_elsewhere(bench: str, around: Surroundings) -> Measured:
    """With the server in another process."""
    path = get_path(bench)
    event = SITE, ROOM, "note", message.encode(MESSAGE)
    port = around.redis.port
    for way, filled, call in (
        ("local", path, lambda: _rt.local_publish(path, *event)),
        ("redis", "", lambda: _rt.redis_publish(around.redis.url, *event)),
    ):
        yield f"{way}.call", measure(call, busy(filled, port))
        keys = {"redis_queue": around.redis.url, "frappe_rt_publish": way}
        config.give(config.Given(bench, SITE, keys))
        yield f"{way}.publish", measure(publish, busy(filled, port))
    yield "absent.call", measure(lambda: _rt.local_publish("/nowhere/rt.sock", *event))


def measure_here(bench: str, around: Surroundings) -> Measured:
    """With the server's thread in this process, on the servers' core."""
    path = get_path(bench)
    event = SITE, ROOM, "note", message.encode(MESSAGE)
    with on_servers_core():
        server = frappe_rt.start(bench, SITE, **make_settings(around))
    with server, browser(server, around):
        yield "thread.call", measure(lambda: _rt.publish(*event), busy(path, 0))
        yield "thread.publish", measure(publish, busy(path, 0))
        with inside_frappe():
            yield "thread.frappe", measure(publish, busy(path, 0))


@contextmanager
def inside_frappe() -> Iterator[None]:
    """What a publish asks of Frappe 15: attributes of werkzeug's Local."""
    frappe = ModuleType("frappe")
    frappe.local = Local()
    frappe.local.site, frappe.local.task_id, frappe.local.conf = SITE, None, {}
    sys.modules["frappe"] = frappe
    try:
        yield
    finally:
        del sys.modules["frappe"]


def run(rounds: int) -> publishing.Figures:
    figures = publishing.Figures()
    with tempfile.TemporaryDirectory() as bench, on_servers_core(), Surroundings() as around:
        for name in ("sites", "apps", "config"):
            (Path(bench) / name).mkdir()
        os.sched_setaffinity(0, machine.LOAD_CORES)
        gc.disable()
        for _ in range(rounds):
            with on_servers_core():
                server = Elsewhere(bench, around)
            with server, browser(server, around):
                figures.add(measure_references(around))
                figures.add(measure_wake())
                figures.add(measure_kernel(bench, around))
                figures.add(measure_elsewhere(bench, around))
            figures.add(measure_here(bench, around))
            gc.collect()
    lost = {name: n for name, n in deliver.get_counters().items() if n and "lost" in name}
    if lost:
        raise SystemExit(f"events were lost, so the figures are worth nothing: {lost}")
    return figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--accept", action="store_true", help="put the table into the docs")
    given = options.parse_args()
    with suppress(PermissionError):  # so that a busy machine disturbs less
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    state = publishing.State()
    figures = run(given.rounds)
    told = state.tell(given.rounds)
    print(publishing.make_table(figures, told))
    if given.accept:
        publishing.accept(figures, told)


if __name__ == "__main__":
    main()
