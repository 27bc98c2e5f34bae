"""Frappe's development web process with the server beside it: a real Werkzeug and its reloader."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from support.bench import PATIENCE, SITE, make_bench, wait_for
from support.crowd import Crowd, expect_each_once
from support.processes import (
    NO_ANSWER,
    PATHS,
    Program,
    ask,
    configure,
    count_descriptors,
    get_children,
    get_free_port,
    is_free,
    is_gone,
    is_there,
    list_thread_names,
)

RELOADS = 3


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


class Web(Program):
    """`python -m frappe_rt web`, with the folder `apps` on the path."""

    def __init__(self, bench, *options, environment=None, **config):
        self.web = get_free_port()
        self.realtime = get_free_port()
        values = {
            "socketio_port": self.realtime,
            "webserver_port": self.web,
            "default_site": SITE,
            "frappe_rt_host": "127.0.0.1",
            "frappe_rt_redis": 0,
        }
        configure(bench, **values | config)
        paths = os.pathsep.join([*PATHS, str(bench / "apps")])
        words = [*WORDS, "--port", str(self.web), *options]
        super().__init__(bench, *words, PYTHONPATH=paths, **(environment or {}))

    def wait_until_it_serves(self):
        self.wait_for_line("frappe_rt ")
        wait_for(lambda: is_there(self.web))
        return self

    def get_server(self):
        """The process that serves: with the reloader, the child of the one that was started."""
        return ask(self.web, "/state")["pid"]

    def find_server(self):
        """None: there is none at this moment."""
        try:
            return self.get_server()
        except NO_ANSWER:
            return None


WORDS = ["-m", "frappe_rt", "web"]


def change(bench):
    """Let the reloader see a change in an app."""
    module = bench / "apps/changing.py"
    module.write_text(f"x = {time.time()}\n")
    os.utime(module, (time.time() + 10, time.time() + 10 + change.count))
    change.count += 10


change.count = 0


def test_browsers_stay_through_reloads(bench):
    (bench / "apps/changing.py").write_text("x = 0\n")
    with Web(bench) as web, Crowd() as crowd:
        web.wait_until_it_serves()
        [tab] = crowd.come(web.realtime)
        descriptors = count_descriptors(web.pid)
        server = web.get_server()
        assert get_children(web.pid) == [server]
        for reload in range(RELOADS):
            change(bench)
            wait_for(lambda before=server: web.find_server() not in (None, before))
            server = web.get_server()
            assert get_children(web.pid) == [server]
            # It lives once, in the process that stays.
            assert list_thread_names(web.pid).count("frappe_rt") == 1
            assert "frappe_rt" not in list_thread_names(server)
            answer = ask(web.web, f"/publish?first={reload * 10}&last={reload * 10 + 9}")
            assert answer["counters"] == {"to_local": 10}
            assert answer["sent_by_frappe"] == 0
        expect_each_once(tab, range(RELOADS * 10))
        assert crowd.count_closed() == 0
        assert count_descriptors(web.pid) <= descriptors + 1  # that server's connection to us
        assert len(web.find("frappe_rt 0")) == 1
        assert not web.find("trying again")
        assert web.end() == 0
        assert is_gone(server)
        assert is_free(web.realtime)
        assert not (bench / "config/frappe_rt.sock").exists()


def test_without_reloader_there_is_one_process(bench):
    with Web(bench, "--noreload") as web, Crowd() as crowd:
        web.wait_until_it_serves()
        [tab] = crowd.come(web.realtime)
        answer = ask(web.web, "/publish?first=0&last=9")
        assert (answer["pid"], answer["running"]) == (web.pid, True)
        assert answer["counters"] == {"to_thread": 10}
        assert answer["sent_by_frappe"] == 0
        expect_each_once(tab, range(10))
        assert web.end(signal.SIGINT) == 0
        assert is_free(web.realtime)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_when_it_ends_the_port_is_free(bench, how):
    with Web(bench) as web:
        web.wait_until_it_serves()
        server = web.get_server()
        web.also.add(server)
        os.kill(web.pid, how)
        if how == signal.SIGINT:
            with suppress(ProcessLookupError):  # the first may have ended it
                os.kill(server, how)  # as Ctrl-C does
        web.process.wait(PATIENCE)
        assert is_free(web.realtime)


def test_an_option_that_frappe_does_not_know(bench):
    with Web(bench, "--no-such-option") as web:
        assert web.process.wait(PATIENCE) == 2
        web.reader.join(PATIENCE)
        assert web.find("No such option"), web.told()
        assert is_free(web.realtime)


def test_a_port_that_is_taken_does_not_keep_the_web_from_serving(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Web(bench, socketio_port=port) as web, Crowd() as crowd:
            assert f"cannot listen on port {port}" in web.wait_for_line("trying again")
            wait_for(lambda: is_there(web.web))
            taken.close()
            web.wait_for_line("listens on")
            crowd.come(port)
            assert web.end() == 0


def test_one_site_only(bench):
    with Web(bench, "--site", SITE, "--noreload", default_site="") as web:
        web.wait_until_it_serves()
        assert ask(web.web, "/state")["pinned"] == SITE
        assert web.end(signal.SIGINT) == 0


@pytest.mark.parametrize("root", ["", "somewhere/else"])
def test_frappe_finds_its_bench_as_workers_do(bench, root):
    """It names the queues of jobs by that path, so it is set only where it was."""
    with Web(bench, "--bench", str(bench), environment={"FRAPPE_BENCH_ROOT": root}) as web:
        web.wait_until_it_serves()
        assert ask(web.web, "/state")["root"] == (str(bench) if root else "")
        assert ask(web.web, "/publish?first=0&last=9")["counters"] == {"to_local": 10}
        assert web.end() == 0


def test_a_wrong_value_is_said_in_one_line(bench):
    with Web(bench, frappe_rt_ping_interval_ms="often") as web:
        assert web.process.wait(PATIENCE) == 1
        web.reader.join(PATIENCE)
        [line] = web.lines
        assert "frappe_rt_ping_interval_ms" in line


def run(*words, cwd):
    done = subprocess.run(
        [sys.executable, *WORDS, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def test_without_a_bench_or_without_frappe(tmp_path):
    status, output = run(cwd=tmp_path)
    assert (status, output.count("\n")) == (1, 1)
    assert "no bench around here" in output
    status, output = run("--bench", str(tmp_path), cwd="/")
    assert (status, output.count("\n")) == (1, 1)
    assert f"{tmp_path} is not a bench: its folder sites: No such file" in output
    bench = make_bench(tmp_path)
    status, output = run(cwd=bench)
    assert (status, output.count("\n")) == (1, 1)
    assert "it needs Frappe" in output
