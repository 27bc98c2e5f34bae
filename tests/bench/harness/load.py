"""The load generator, Redis and the web process, and one measured run of a server under them."""

from __future__ import annotations

import json
import subprocess
import time

from support.redis_server import RedisServer

from harness import machine
from harness.contenders import BUILT, SITE, free_port

#: A generator whose cores are busier than this may have been what a wall time measures.
SATURATED = 0.95


class Failed(Exception):
    """Deliveries were lost, came twice, or clients could not connect."""


def get_settled_cpu(pid):
    """CPU of a process once it has done what it still does with the last of its work."""
    end = time.monotonic() + 2
    now = machine.get_cpu(pid)
    while True:
        time.sleep(0.02)
        before, now = now, machine.get_cpu(pid)
        if now - before < 0.002 or time.monotonic() > end:
            return now


class Surroundings:
    """Redis and the web process, on the cores of the load, for all contenders of a bench."""

    def __enter__(self):
        if not (BUILT / "web").exists():  # before Redis runs, which nobody would then stop
            raise SystemExit(f"{BUILT / 'web'} is not built: `make bench` builds it")
        self.redis = RedisServer()
        self.web_port = free_port()
        self.web = subprocess.Popen(
            [BUILT / "web", str(self.web_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.web.stdout.readline() == "up\n"
        return self

    def __exit__(self, *_):
        self.redis.stop()
        self.web.stdin.close()
        self.web.stdout.close()
        self.web.wait(10)

    def wait_for_subscriber(self):
        """Until the server has subscribed to the events."""
        end = time.monotonic() + 10
        with self.redis.connect() as connection, connection.makefile("rb") as answers:
            while True:
                connection.sendall(b"PUBSUB NUMSUB events\r\n")
                lines = [answers.readline() for _ in range(4)]
                if lines[-1] != b":0\r\n":
                    return
                assert time.monotonic() < end, "the server does not subscribe"
                time.sleep(0.002)

    def get_cpu(self):
        return machine.get_cpu(self.redis.process.pid) + machine.get_cpu(self.web.pid)


class Load:
    """The generator against one server."""

    def __init__(self, server, surroundings, capacity=20000):
        self.server = server
        self.surroundings = surroundings
        ports = [str(server.port), str(surroundings.redis.port)]
        self.process = subprocess.Popen(
            [BUILT / "load", *ports, SITE, str(capacity)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.surroundings.wait_for_subscriber()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the load generator ended")
        answer = json.loads(line)
        if answer["failures"]:
            raise Failed(f"{answer['failure']} ({answer['failures']} times)")
        if answer.get("missing"):
            raise Failed(f"{answer['missing']} deliveries are missing")
        return answer

    def measured(self, command):
        """What the command answers, with what everybody used for it."""
        pid = self.server.pid
        before = machine.get_cpu(pid)
        around = self.surroundings.get_cpu()
        load = machine.get_cpu(self.process.pid)
        core = machine.get_core_busy([machine.SERVER_CORE])
        load_cores = machine.get_core_busy(machine.LOAD_CORES)
        began = time.monotonic()
        self.say(command)
        answer = self.hear()
        wall = time.monotonic() - began
        answer["cpu"] = get_settled_cpu(pid) - before
        load = machine.get_cpu(self.process.pid) - load
        around = self.surroundings.get_cpu() - around
        answer["generator"] = round(load / wall, 3)
        answer["load_cores"] = round((load + around) / wall / len(machine.LOAD_CORES), 3)
        answer["saturated"] = answer["load_cores"] > SATURATED
        settled = time.monotonic() - began
        core = machine.get_core_busy([machine.SERVER_CORE]) - core - answer["cpu"]
        answer["others"] = round(max(0.0, core) / settled, 3)
        load_cores = machine.get_core_busy(machine.LOAD_CORES) - load_cores - load - around
        answer["others_load"] = round(max(0.0, load_cores) / settled / len(machine.LOAD_CORES), 3)
        return answer

    def connect(self, count, transport="websocket", opening=64):
        return self.measured(f"connect {count} {transport} {opening}")

    def drop(self):
        return self.measured("connect 0 websocket 1")

    def join(self, rooms):
        return self.measured(f"join {rooms}")

    def run(self, pace, amount, seconds, *, size=160, rooms=0, events=0):
        """Publishes and adds the figures of a delivery."""
        got = self.measured(f"run {pace} {amount} {int(seconds * 1000)} {events} {size} {rooms}")
        got["per_cpu_s"] = got["deliveries"] / got["cpu"]
        got["cpu_us"] = 1e6 * got["cpu"] / got["deliveries"]
        got["k"] = got["deliveries"] / max(1, got["segments"])
        return got
