"""Events through the handler hosts: what a handler adds to an answer, and how many go through one.

    python tests/bench/bench_handlers.py [--rounds N] [--clients N]        needs node

Added: one event at a time on one connection, event -> handler -> acknowledgement, each beside a
`ping` that the server answers itself; the median of the one less that of the other, in µs. Rate:
clients that each keep a burst on its way until it is answered, within the limit of events that one
client may send; events a second, and events for a second of the host's CPU. Rounds are
interleaved, and the table has their medians.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "py"))

from harness.machine import get_cpu
from support.bench import ask, make_bench
from support.stub_web import StubWeb

SITE = "one.localhost"
#: What the server lets one client send at once; see docs/limits.md.
EVENTS_AT_ONCE = 400
BURST = 39
PAIRS = 150
ADDED_GOAL_US = 300
PATIENCE = 60

PYTHON_APP = """
from frappe_rt.handlers import realtime

@realtime.on("echo")
async def echo(socket, value):
    return value

@realtime.on("plain")
def plain(socket, value):
    return value
"""
JAVASCRIPT_APP = 'module.exports = (socket) => socket.on("echo", (value, reply) => reply(value));'

#: What is measured: title, language, event, events a second that are to be reached.
CASES = [
    ("Python, async def", "python", "echo", 20_000),
    ("Python, def in a thread", "python", "plain", None),
    ("JavaScript", "node", "echo", 50_000),
]


def frame(text: str) -> bytes:
    """A masked text frame; a mask of zeros changes nothing."""
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def make_event(name: str, number: int) -> bytes:
    """Numbers have three digits, so all answers have one length."""
    return frame(f'42/{SITE},{number}["{name}",{{"n":{number}}}]')


ANSWER_BYTES = len(f'43/{SITE},100[{{"n":100}}]') + 2
PING = frame(f'42/{SITE},["ping"]')


def connect(port: int) -> socket.socket:
    """A client that is in its namespace."""
    peer = socket.create_connection(("127.0.0.1", port), PATIENCE)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
        "Host: 127.0.0.1",
        "Origin: http://127.0.0.1",
        "Cookie: sid=ada",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    peer.sendall("\r\n".join((*head, "", "")).encode())
    peer.sendall(frame(f"40/{SITE},"))
    came = b""
    while b"}" not in came.partition(b"40/")[2]:
        came += peer.recv(65536)
    return peer


class Contender:
    """A server whose bench has one app, and its host."""

    def __init__(self, port: int, bench: Path) -> None:
        self.port = port
        self._local = str(bench / "config/frappe_rt.sock")
        self.pid = self._get_host()["pid"]

    def _get_host(self) -> dict:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            hosts = ask(self._local, b'{"rt":"hosts"}')[0]["hosts"]
            if hosts and hosts[0]["state"] == "active":
                return hosts[0]
            time.sleep(0.01)
        raise RuntimeError("no host")

    def check(self) -> None:
        """Nothing may have been lost: the figures would be those of something else."""
        lost = self._get_host()["events_lost"]
        if lost:
            raise RuntimeError(f"{lost} events were lost")


@contextmanager
def run(language: str, web_port: int) -> Iterator[Contender]:
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        if language == "python":
            app = bench / "apps/one/one/realtime/handlers.py"
            text = PYTHON_APP
        else:
            app, text = bench / "apps/one/realtime/handlers.js", JAVASCRIPT_APP
        app.parent.mkdir(parents=True)
        app.write_text(text)
        (bench / "sites/apps.txt").write_text("one\n")
        config = {"default_site": SITE, "webserver_port": web_port}
        (bench / "sites/common_site_config.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "frappe_rt", "serve", "--port", "0", "--no-redis"]
        with subprocess.Popen(
            command,
            cwd=bench,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("FRAPPE_")},
        ) as server:
            try:
                yield Contender(read_port(server), bench)
            finally:
                server.terminate()


def read_port(server: subprocess.Popen) -> int:
    said = ""
    for line in server.stdout:
        said += line
        if "listens on" in line:
            return int(line.rsplit(":", 1)[1].split()[0].strip("/"))
    raise RuntimeError(said)


def measure_added(contender: Contender, event: str) -> tuple[float, float]:
    """Medians in µs: of a ping, and of what an event with a handler takes more."""
    clock = time.perf_counter_ns
    took: dict[str, list[int]] = {"ping": [], "event": []}
    with connect(contender.port) as peer:
        sent = {"ping": PING, "event": make_event(event, 100)}
        for _ in range(PAIRS):
            for kind, packet in sent.items():
                began = clock()
                peer.send(packet)
                peer.recv(4096)
                took[kind].append(clock() - began)
    ping, whole = (statistics.median(times) / 1000 for times in took.values())
    return ping, whole - ping


class Sender:
    """One client's events, a burst at a time."""

    def __init__(self, peer: socket.socket, burst: bytes) -> None:
        self.peer = peer
        self._burst = burst
        self._left = EVENTS_AT_ONCE // BURST
        self._missing = 0

    def send(self) -> bool:
        """False: all are answered."""
        if not self._left:
            return False
        self._left -= 1
        self._missing = ANSWER_BYTES * BURST
        self.peer.sendall(self._burst)
        return True

    def is_answered(self) -> bool:
        self._missing -= len(self.peer.recv(1 << 16))
        return self._missing <= 0


def measure_rate(contender: Contender, event: str, clients: int) -> tuple[float, float]:
    """Events a second, and for a second of the host's CPU."""
    burst = b"".join(make_event(event, 100 + n) for n in range(BURST))
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(contender.port)) for _ in range(clients)]
        senders = {peer.fileno(): Sender(peer, burst) for peer in peers}
        epoll = stack.enter_context(select.epoll())
        for descriptor in senders:
            epoll.register(descriptor, select.EPOLLIN)
        cpu, began = get_cpu(contender.pid), time.perf_counter()
        for sender in senders.values():
            sender.send()
        open_ones = clients
        while open_ones:
            ready = epoll.poll(PATIENCE)
            if not ready:
                raise RuntimeError("an event has no answer")
            for descriptor, _ in ready:
                sender = senders[descriptor]
                if sender.is_answered() and not sender.send():
                    open_ones -= 1
        took = time.perf_counter() - began
        cpu = get_cpu(contender.pid) - cpu
    events = clients * (EVENTS_AT_ONCE // BURST) * BURST
    return events / took, events / cpu


def measure(rounds: int, clients: int) -> dict[str, list[float]]:
    found: dict[str, list[list[float]]] = {}
    with ExitStack() as stack:
        web = stack.enter_context(StubWeb(SITE, "v15"))
        languages = ["python", *(["node"] if shutil.which("node") else [])]
        contenders = {name: stack.enter_context(run(name, web.port)) for name in languages}
        for _ in range(rounds):
            for title, language, event, _ in CASES:
                if language in contenders:
                    contender = contenders[language]
                    row = [*measure_added(contender, event)]
                    row += measure_rate(contender, event, clients)
                    contender.check()
                    found.setdefault(title, []).append(row)
    return {
        title: [statistics.median(column) for column in zip(*rows, strict=True)]
        for title, rows in found.items()
    }


def say_yes(value: float, goal: float, reached: bool) -> str:
    return "yes" if reached else f"NO, {100 * abs(value - goal) / goal:.0f} % short"


def show(found: dict[str, list[float]]) -> None:
    print(f"{'event -> handler -> ack, medians':34}{'ping µs':>9}{'added':>8}", end="")
    print(f"{'events/s':>12}{'per CPU-s':>12}   to be reached")
    for title, _, _, goal in CASES:
        if title not in found:
            print(f"{title:34}skipped: there is no node in PATH")
            continue
        ping, added, rate, per_cpu = found[title]
        verdicts = [f"+{ADDED_GOAL_US} µs: {say_yes(added, ADDED_GOAL_US, added <= ADDED_GOAL_US)}"]
        if goal:
            verdicts.append(f"{goal} events/s: {say_yes(rate, goal, rate >= goal)}")
        print(f"{title:34}{ping:9.1f}{added:8.1f}{rate:12.0f}{per_cpu:12.0f}   ", end="")
        print(", ".join(verdicts))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--clients", type=int, default=100, help="that send at one time")
    given = options.parse_args()
    show(measure(given.rounds, given.clients))


if __name__ == "__main__":
    main()
