"""The jobs: each starts a contender fresh and yields samples under the keys of the rows."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

from harness import machine
from harness.contenders import ROOT, Server
from harness.load import Load

#: How many clients the limit on open files leaves room for, of the 20 000 asked for.
MOST = min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)


class Sizes:
    """How long and how many; `quick` is for trying the harness out, not for figures."""

    def __init__(self, quick):
        self.quick = quick
        self.second = 0.25 if quick else 1.0
        self.herd = 500 if quick else 2000
        self.many = 1000 if quick else 5000
        self.most = 2000 if quick else MOST
        self.cycles = 3 if quick else 10
        self.settle = 0.1 if quick else 0.5


class Job:
    """`groups` are the names that --only knows; `rounds` None: as many as asked for."""

    groups: tuple[str, ...] = ()
    only_for: tuple[str, ...] | None = None
    not_for: tuple[str, ...] = ()
    rounds: int | None = None

    def __init__(self, sizes, wanted):
        self.sizes = sizes
        self.wants = {group for group in self.groups if not wanted or group in wanted}

    def takes(self, contender, round_number):
        if not self.wants or contender.name in self.not_for:
            return False
        if self.only_for is not None and contender.name not in self.only_for:
            return False
        return self.rounds is None or round_number < self.rounds

    def measure(self, contender, around):
        """Yields (key of a row, sample)."""
        with Server(contender, around.redis.port, around.web_port) as server:
            yield from self.with_server(server, around)

    def with_server(self, server, around):
        with Load(server, around) as load:
            yield from self.with_load(load)

    def with_load(self, load):
        raise NotImplementedError


def per_client(answer, count):
    return answer | {"cpu_us": 1e6 * answer["cpu"] / count}


class Thousand(Job):
    groups = ("start", "connect", "fanout", "paced", "unicast")

    def with_server(self, server, around):
        time.sleep(self.sizes.settle)
        pss = machine.get_memory(server.pid, "Pss")
        yield "start.pss", {"bytes": pss}
        yield "start.accepting", {"seconds": server.start_seconds}
        if self.wants != {"start"}:
            yield from super().with_server(server, around)

    def with_load(self, load):
        second = self.sizes.second
        yield "connect.1000", per_client(load.connect(1000), 1000)
        if self.wants & {"fanout", "paced"}:
            load.run("burst", 4, 0.3 * second)  # lets a compiler see the code
        if "fanout" in self.wants:
            yield "fanout.1000.k1", load.run("burst", 1, second)
            yield "fanout.1000.k16", load.run("burst", 16, second)
            yield "fanout.1000.window", load.run("window", 64, 1.5 * second)
        if "paced" in self.wants:
            yield "paced.1000", load.run("rate", 20, 3 * second)
        if "unicast" in self.wants:
            load.run("window", 64, 0.3 * second, rooms=1)
            yield "unicast.64", load.run("window", 64, second, rooms=1)
            yield "unicast.512", load.run("window", 512, second, rooms=1)


class TwoHundred(Job):
    groups = ("fanout", "large", "polling")

    def with_load(self, load):
        second = self.sizes.second
        if self.wants & {"fanout", "large"}:
            load.connect(200)
            load.run("burst", 4, 0.3 * second)
        if "fanout" in self.wants:
            yield "fanout.200.window", load.run("window", 64, second)
        if "large" in self.wants:
            yield "large", self.measure_large(load)
        if "polling" in self.wants and load.server.contender.full:
            load.drop()
            load.connect(200, "polling")
            load.run("burst", 4, 0.3 * second)
            yield "polling.200.k1", load.run("burst", 1, second)
            yield "polling.200.window", load.run("window", 64, second)

    def measure_large(self, load):
        size = 1_000_000
        machine.reset_peak(load.server.pid)
        before = machine.get_memory(load.server.pid)
        got = load.run("burst", 1, 5, size=size, events=1)
        return got | {"bytes": max(0, machine.get_peak(load.server.pid) - before)}


class Restart(Job):
    groups = ("restart",)

    def with_load(self, load):
        herd = self.sizes.herd
        load.connect(herd)
        load.say(f"back {herd}")
        load.hear()
        load.server.kill()
        load.server.start()
        back_ns = load.hear()["at_ns"] - load.server.began_ns
        yield "restart", {"clients": herd, "seconds": back_ns / 1e9}


class Memory(Job):
    """RSS of idle clients, and the CPU of a larger crowd that connects."""

    groups = ("memory", "connect")
    not_for = ("floor",)
    transport = "websocket"

    def with_load(self, load):
        count = self.sizes.many
        yield from measure_memory(load, self.transport, count, self.sizes.settle)


class PollingMemory(Memory):
    groups = ("memory",)
    rounds = 1
    transport = "polling"


class MostMemory(Job):
    groups = ("memory",)
    only_for = ("frappe_rt",)

    def with_load(self, load):
        yield from measure_memory(load, "websocket", self.sizes.most, self.sizes.settle, "most")
        load.drop()


class MostPolling(Job):
    groups = ("memory",)
    only_for = ("frappe_rt",)
    rounds = 1

    def with_load(self, load):
        yield from measure_memory(load, "polling", self.sizes.most, self.sizes.settle, "most")


def measure_memory(load, transport, count, settle, name="many"):
    pid = load.server.pid
    load.connect(10, transport)  # what the first client of all brings along counts once
    time.sleep(settle)
    before, kernel = machine.get_memory(pid), machine.get_kernel_memory()
    answer = load.connect(count, transport)
    time.sleep(settle)
    each = (machine.get_memory(pid) - before) / (count - 10)
    kernel_each = (machine.get_kernel_memory() - kernel) / (count - 10)
    yield (
        f"memory.{transport}.{name}",
        {"bytes": each, "kernel_bytes": kernel_each, "clients": count},
    )
    if transport == "websocket":
        yield f"connect.{name}", per_client(answer, count - 10)


class Cycles(Job):
    """Connects and drops the same crowd: what is in use afterwards must not grow."""

    groups = ("memory",)
    only_for = ("frappe_rt",)
    rounds = 1

    def with_load(self, load):
        rss = []
        for _ in range(self.sizes.cycles):
            load.connect(self.sizes.herd)
            rss.append(machine.get_memory(load.server.pid))
            load.drop()
        yield (
            "memory.cycles",
            {
                "growth": rss[-1] / rss[1] - 1,
                "cycles": self.sizes.cycles,
                "clients": self.sizes.herd,
                "rss": rss,
            },
        )


class GrowthOfClients(Job):
    groups = ("growth",)
    only_for = ("frappe_rt", "floor")

    def with_load(self, load):
        for name, count in ("100", 100), ("1000", 1000), ("most", self.sizes.most):
            load.connect(count)
            load.run("burst", 1, 0.2 * self.sizes.second)
            got = load.run("burst", 1, 0.7 * self.sizes.second)
            yield f"growth.clients.{name}", got | {"clients": count}


class GrowthOfRooms(Job):
    """Events to one client at a time, with few rooms and with many; then all leave."""

    groups = ("growth",)
    only_for = ("frappe_rt",)
    clients = 1000

    def measure(self, contender, around):
        for name, rooms in ("few", 0), ("many", 20 if self.sizes.quick else 100):
            with (
                Server(contender, around.redis.port, around.web_port) as server,
                Load(server, around) as load,
            ):
                load.connect(self.clients)
                if rooms:
                    load.join(rooms)
                    yield "growth.join", {"rooms": rooms * self.clients}
                run = {"rooms": rooms or 1}
                load.run("window", 64, 0.3 * self.sizes.second, **run)
                yield f"growth.rooms.{name}", load.run("window", 64, self.sizes.second, **run)
                left = per_client(load.drop(), self.clients)
                yield f"growth.leave.{name}", left | {"own_rooms": rooms + 3}


HOSTED = """
import frappe_rt, sys
print("imported", flush=True)
sys.stdin.readline()
with frappe_rt.start("", "bench.localhost", **{settings}):
    print("up", flush=True)
    sys.stdin.readline()
"""


class Hosted(Job):
    """What a server thread adds to a process that has imported the package."""

    groups = ("start",)
    only_for = ("frappe_rt",)

    def measure(self, contender, around):
        settings = {
            "socketio_port": 0,
            "frappe_rt_host": "127.0.0.1",
            "redis_queue": around.redis.url,
            "webserver_port": around.web_port,
        }
        program = HOSTED.replace("{settings}", json.dumps(settings))
        with subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        ) as process:
            sizes = []
            for _ in range(2):
                process.stdout.readline()
                time.sleep(self.sizes.settle)
                sizes.append(machine.get_memory(process.pid, "Pss"))
                process.stdin.write("\n")
                process.stdin.flush()
        yield "start.hosted", {"bytes": sizes[1] - sizes[0]}


ALL = (
    Thousand,
    TwoHundred,
    Restart,
    Memory,
    PollingMemory,
    MostMemory,
    MostPolling,
    Cycles,
    GrowthOfClients,
    GrowthOfRooms,
    Hosted,
)
