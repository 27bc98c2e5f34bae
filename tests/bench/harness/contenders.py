"""Who is measured, and how each is started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import machine

ROOT = Path(__file__).resolve().parents[3]
PEERS = ROOT / "tests/bench/peers"
BUILT = ROOT / "build/bench"
SITE = "bench.localhost"
START_SECONDS = 20


def _answers(*command):
    """None, or why the command cannot be used."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=PEERS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


class Contender:
    name = ""
    title = ""
    #: Whether it knows polling, logins, and rooms that clients ask for.
    full = True
    #: Its interpreter doing nothing: a start is counted from when that would be up.
    interpreter: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """None, or one line: why it is not here."""

    def command(self, port, redis_port, web_port):
        raise NotImplementedError


class FrappeRt(Contender):
    name, title = "frappe_rt", "frappe_rt"
    interpreter = (sys.executable, "-c", "pass")

    def command(self, port, redis_port, web_port):
        bench = BUILT / "bench"
        for folder in "sites", "apps":
            (bench / folder).mkdir(parents=True, exist_ok=True)
        settings = {
            "socketio_port": port,
            "frappe_rt_host": "127.0.0.1",
            "redis_queue": f"redis://127.0.0.1:{redis_port}",
            "webserver_port": web_port,
        }
        (bench / "sites/common_site_config.json").write_text(json.dumps(settings))
        serve = [sys.executable, "-m", "frappe_rt", "serve"]
        return [*serve, "--bench", bench, "--log-level", "error"]


class Floor(Contender):
    name, title, full = "floor", "floor", False

    def command(self, port, redis_port, web_port):
        return [BUILT / "floor", port, redis_port, SITE]


class Node(Contender):
    name, title = "node", "Node"
    interpreter = ("node", "-e", "0")

    def missing(self):
        return _answers("node", "--input-type=module", "-e", "import 'socket.io'")

    def command(self, port, redis_port, web_port):
        return ["node", PEERS / "node.mjs", port, redis_port, web_port, SITE]


class Bun(Contender):
    name, title = "bun", "Bun"
    binary = PEERS / "node_modules/.bin/bun"

    def missing(self):
        return _answers(self.binary, "-e", "import '@socket.io/bun-engine'")

    def command(self, port, redis_port, web_port):
        return [self.binary, PEERS / "bun.mjs", port, redis_port, web_port, SITE]


class PythonSocketio(Contender):
    name, title = "python", "python-socketio"
    interpreter = (sys.executable, "-c", "pass")

    def missing(self):
        return _answers(sys.executable, "-c", "import socketio, uvicorn, uvloop, aiohttp, redis")

    def command(self, port, redis_port, web_port):
        program = PEERS / "python_socketio.py"
        return [sys.executable, program, port, redis_port, web_port, SITE]


ALL = (FrappeRt(), Floor(), Bun(), Node(), PythonSocketio())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Server:
    """A contender that runs, alone on its core."""

    def __init__(self, contender, redis_port, web_port, port=None):
        self.contender = contender
        self.port = port or free_port()
        self.command = contender.command(self.port, redis_port, web_port)
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns when a connection was accepted; `start_seconds` is how long that took."""
        environment = os.environ | {"NODE_ENV": "production"}
        self.began_ns = time.monotonic_ns()
        self.process = subprocess.Popen(
            machine.on_server_core(self.command),
            cwd="/",
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS
        while not _accepts(self.port):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.contender.title} ended with {self.process.returncode}")
            if time.monotonic() > end:
                raise RuntimeError(f"{self.contender.title} does not accept connections")
            time.sleep(0.0005)
        self.start_seconds = (time.monotonic_ns() - self.began_ns) / 1e9
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def measure_interpreter(command):
    """Seconds that an interpreter takes from its start to its end, on the server's core."""
    if not command:
        return 0.0
    times = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run(machine.on_server_core(command), check=True)
        times.append(time.monotonic() - began)
    return sorted(times)[2]
