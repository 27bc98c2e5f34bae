"""What a publish costs its caller, each way, beside redis-py's publish in the same run.

    python tests/bench/bench_publish.py [--rounds N]      needs redis-server; redis-py if installed

"busy": publishes follow each other, so the server is mostly awake. "asleep": the caller spins for a
moment before each, so that the call pays for waking who sleeps, and for nothing else. Figures are
medians in µs of one call.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "py"))

from support.redis_server import RedisServer

import frappe_rt
from frappe_rt import _rt, config, deliver, message

SITE = "one.localhost"
ROOM = "user:ada@example.com"
MESSAGE = {"doctype": "ToDo", "name": "T-0001", "modified": "2026-01-01 12:00:00", "user": "ada"}
PAUSE_NS = 200_000

SERVER = """
import json, sys
import frappe_rt
frappe_rt.start(sys.argv[1], "one.localhost", **json.loads(sys.argv[2]))
print("up", flush=True)
sys.stdin.read()
"""


def measure(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median µs, busy and asleep."""
    for _ in range(200):
        call()
    gc.disable()
    clock = time.perf_counter_ns
    busy = []
    for _ in range(rounds):
        began = clock()
        for _ in range(100):
            call()
        busy.append((clock() - began) / 100)
    asleep = []
    for _ in range(rounds):
        end = clock() + PAUSE_NS
        while clock() < end:
            pass
        began = clock()
        call()
        asleep.append(clock() - began)
    gc.enable()
    return statistics.median(busy) / 1000, statistics.median(asleep) / 1000


def make_bench(folder: str) -> str:
    for name in ("sites", "apps", "config"):
        (Path(folder) / name).mkdir()
    return folder


def use(bench: str, redis: RedisServer, way: str) -> None:
    config.give(config.Given(bench, SITE, {"redis_queue": redis.url, "frappe_rt_publish": way}))


def publish() -> None:
    frappe_rt.publish_realtime("list_update", MESSAGE, user="ada@example.com")


def measure_redis_py(redis: RedisServer, rounds: int) -> tuple[float, float] | None:
    """As Frappe publishes: json, then PUBLISH and its answer."""
    try:
        from redis import Redis
    except ImportError:
        return None
    client = Redis("127.0.0.1", redis.port)
    envelope = {"event": "e", "message": MESSAGE, "room": ROOM, "namespace": SITE}
    return measure(lambda: client.publish("events", json.dumps(envelope)), rounds)


def measure_elsewhere(
    bench: str, redis: RedisServer, rounds: int
) -> dict[str, tuple[float, float]]:
    """With the server in another process."""
    found = {}
    path = str(Path(bench) / "config/frappe_rt.sock")
    encoded = message.encode(MESSAGE)
    found["local socket, C call"] = measure(
        lambda: _rt.local_publish(path, SITE, ROOM, "e", encoded), rounds
    )
    use(bench, redis, "local")
    found["local socket, publish_realtime"] = measure(publish, rounds)
    found["Redis on TCP, C call"] = measure(
        lambda: _rt.redis_publish(redis.url, SITE, ROOM, "e", encoded), rounds
    )
    use(bench, redis, "redis")
    found["Redis on TCP, publish_realtime"] = measure(publish, rounds)
    use(bench, redis, "local")
    path = "/nowhere/rt.sock"
    found["local socket missing, C call"] = measure(
        lambda: _rt.local_publish(path, SITE, ROOM, "e", encoded), rounds
    )
    return found


def measure_here(rounds: int) -> dict[str, tuple[float, float]]:
    """With the server's thread in this process. The C call beside an idle interpreter."""
    encoded = message.encode(MESSAGE)
    with frappe_rt.start("", SITE, socketio_port=0, frappe_rt_redis=False):
        return {
            "in-process, C call": measure(lambda: _rt.publish(SITE, ROOM, "e", encoded), rounds),
            "in-process, publish_realtime": measure(publish, rounds),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1000)
    rounds = options.parse_args().rounds
    redis = RedisServer()
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(folder)
        overrides = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "redis_queue": redis.url}
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, bench, json.dumps(overrides)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("FRAPPE_")},
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"up\n"
            reference = measure_redis_py(redis, rounds)
            found = measure_elsewhere(bench, redis, rounds)
            found |= measure_here(rounds)
        finally:
            server.communicate()
            redis.stop()
    show(found, reference)


def show(found: dict[str, tuple[float, float]], reference: tuple[float, float] | None) -> None:
    print(f"{'median µs of one call':34}{'busy':>8}{'asleep':>9}   redis-py / this")
    if reference is None:
        print("redis-py is not installed: no ratio")
    else:
        print(f"{'redis-py publish, TCP':34}{reference[0]:8.2f}{reference[1]:9.2f}")
    for name, (busy, asleep) in found.items():
        ratio = ""
        if reference is not None:
            ratio = f"{reference[0] / busy:7.0f} {reference[1] / asleep:7.0f}"
        print(f"{name:34}{busy:8.2f}{asleep:9.2f}{ratio}")
    lost = {name: n for name, n in deliver.get_counters().items() if n and "lost" in name}
    if lost:
        print(f"lost: {lost}")


if __name__ == "__main__":
    main()
