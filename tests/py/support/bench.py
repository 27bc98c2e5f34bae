"""A bench to run servers in, and talking to its local socket."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time

import frappe_rt

SITE = "one.localhost"
#: Seconds for what may take long on a busy machine.
PATIENCE = 60


def make_bench(root):
    for folder in ("sites", "apps", "config"):
        (root / folder).mkdir()
    return root


def start(bench, **more):
    settings = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
    return frappe_rt.start(str(bench), SITE, **(settings | more))


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def get_figures():
    """Of the server of this process, whose thread may have to wait for a processor."""
    return frappe_rt.stats(PATIENCE)


def run(code, bench, redis, **environment):
    """A process of that bench; its exit status must be 0. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ
        | {"FRAPPE_BENCH_ROOT": str(bench), "FRAPPE_REDIS_QUEUE": redis.url, "FRAPPE_SITE": SITE}
        | environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0
    return done.stdout


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE)
    peer.connect(path)
    return peer


def ask(path, *lines):
    """An answer for each line."""
    with connect(path) as peer, peer.makefile("rwb") as stream:
        stream.write(b"".join(line + b"\n" for line in lines))
        stream.flush()
        return [json.loads(stream.readline()) for _ in lines]


def serve(bench, *options):
    """`python -m frappe_rt serve` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "frappe_rt", "serve", "--port", "0", *options],
        cwd=bench,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process, text):
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(seen)
