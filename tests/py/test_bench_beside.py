"""The server beside a web process, in a process of the test's own: one that waits for its port."""

import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
from support.bench import PATIENCE, make_bench
from support.processes import PATHS, configure

from frappe_rt.bench import beside

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2]
#: What each program begins with: the bench's port is taken, by itself.
BEGIN = """
import atexit, os, socket, sys
from pathlib import Path
from support.bench import wait_for

def count_threads():
    return len(os.listdir("/proc/self/task"))

taken = socket.create_server(("127.0.0.1", int(sys.argv[1])))
told, warned = [], []

def start(beside):
    beside.start(sys.argv[2], tell=told.append, warn=warned.append)
"""


@pytest.fixture
def run(tmp_path):
    """Runs a program in a bench whose port the program has taken; returns its lines."""
    bench = make_bench(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    configure(bench, socketio_port=port, frappe_rt_host="127.0.0.1", frappe_rt_redis=0)

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + textwrap.dedent(code), str(port), str(bench)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE * 2,
        )
        assert done.returncode == 0
        return done.stdout.splitlines()

    return run


def test_who_waits_leaves_signals_to_others(run):
    """Python would note one that came to its thread, and not wake the one that waits for it."""
    run(f"""
        from frappe_rt.bench import beside
        before = set(os.listdir("/proc/self/task"))
        start(beside)
        [thread] = set(os.listdir("/proc/self/task")) - before
        status = Path("/proc/self/task", thread, "status")
        taken = {[int(number) for number in SIGNALS]}

        def has_blocked(number):
            blocked = int(status.read_text().split("SigBlk:")[1].split()[0], 16)
            return blocked >> (number - 1) & 1

        wait_for(lambda: all(map(has_blocked, taken)))
    """)


def test_a_second_start_while_one_waits_takes_its_place(run):
    assert run("""
        from frappe_rt.bench import beside
        start(beside)
        start(beside)
        wait_for(lambda: count_threads() == 2)
        taken.close()
        wait_for(lambda: told)
        print(len(told), len(warned))
    """) == ["1 2"]


def test_a_second_start_leaves_one_that_runs_alone(run):
    assert run("""
        from frappe_rt.bench import beside
        taken.close()
        start(beside)
        beside.start(sys.argv[2], "another.localhost", tell=told.append, warn=warned.append)
        print(len(told), warned)
    """) == ["1 []"]


def test_who_waits_ends_before_the_process_does(run):
    """Or it would start the server once the exit has freed the port, with nobody to stop it."""
    assert run("""
        def look():
            wait_for(lambda: count_threads() == 1)
            print("alone")

        atexit.register(look)  # so that it comes after those of the package
        from frappe_rt.bench import beside
        start(beside)
    """) == ["alone"]


def test_who_is_told_to_end_has_ended_then(run):
    """Also where it is just about to start the server: nobody would know of that one."""
    assert run("""
        import time
        from frappe_rt import server
        from frappe_rt.bench import beside
        tries, done = [], []

        def take_long(*_, **__):
            tries.append(1)
            if len(tries) > 2:  # not at the first one of the thread
                wait_for(lambda: beside._waiting is None)
                time.sleep(0.1)
                done.append(1)
            raise OSError("not yet")

        server.start = take_long
        start(beside)
        wait_for(lambda: len(tries) == 3)
        beside.stop_waiting()
        print(done)
    """) == ["[1]"]


def test_it_waits_until_the_configuration_is_wrong(run):
    """Changed meanwhile: said once, and the web process goes on without a server."""
    assert run("""
        from frappe_rt.bench import beside
        start(beside)
        Path(sys.argv[2], "sites/common_site_config.json").write_text("{")
        wait_for(lambda: len(warned) == 2)
        wait_for(lambda: count_threads() == 1)
        print(told, warned[1].partition(":")[0])
        taken.close()
        beside.stop_waiting()
    """) == ["[] no realtime server"]


@pytest.mark.parametrize(
    ("error", "until", "told"),
    [
        (OSError(98, "it is taken; take another"), "", "it is taken; take another, or stop "),
        (OSError(98, "it is taken; take another"), "noon", "it is taken, until noon"),
        (OSError("it is not there"), "", "it is not there; fix that, or stop "),
    ],
)
def test_what_is_said_of_what_it_waits_for(error, until, told):
    assert beside._describe(error, until).startswith(told)
