"""What an idle server takes, in proportional set size (PSS), libraries included."""

import os
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.bench import make_bench, read_until, serve

#: KB, by the promise in docs/performance.md: what `serve` takes on the Python of its table, and on
#: any what it adds to a bare interpreter.
SERVE_MAX = 12_000 if sys.version_info[:2] == (3, 11) else 100_000
SERVE_ADDS_MAX = 9_000
THREAD_MAX = 3_000

pytestmark = pytest.mark.skipif(
    "FRAPPE_RT_SANITIZED" in os.environ, reason="a sanitizer needs memory of its own"
)


def get_pss(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss: +(\d+) kB", rollup, re.M)[1])


@contextmanager
def bare_interpreter():
    code = "import sys; print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_serve(tmp_path):
    process = serve(make_bench(tmp_path), "--no-redis")
    try:
        read_until(process, "web process")
        with bare_interpreter() as bare:
            total, least = get_pss(process.pid), get_pss(bare.pid)
        assert 1_000 < total <= SERVE_MAX
        assert 1_000 < total - least <= SERVE_ADDS_MAX
    finally:
        process.kill()
        process.communicate()


def test_the_thread_in_a_process_that_hosts_it(tmp_path):
    bench = make_bench(tmp_path)
    code = f"""
        import click, json, logging, os, sys  # what a host has imported anyway
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_memory import get_pss
        before = get_pss(os.getpid())
        import frappe_rt
        frappe_rt.start({str(bench)!r}, socketio_port=0, frappe_rt_redis=False)
        frappe_rt.publish_realtime("e", site="one.localhost")
        frappe_rt.stats()
        print(get_pss(os.getpid()) - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=30,
    )
    assert 100 < int(done.stdout) <= THREAD_MAX
