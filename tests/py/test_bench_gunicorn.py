"""The server as a thread of gunicorn's master: real gunicorn, real signals, real sockets."""

import json
import os
import signal
import socket
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from gunicorn.config import Config
from support.bench import PATIENCE, SITE, make_bench, wait_for
from support.bench import ask as ask_socket
from support.crowd import Crowd, expect_each_once
from support.host_server import write_app
from support.processes import (
    NO_ANSWER,
    PATHS,
    Program,
    ask,
    configure,
    count_descriptors,
    get_children,
    get_free_port,
    get_state,
    is_free,
    is_gone,
    is_there,
    list_thread_names,
)

import frappe_rt.bench.gunicorn

TABS = 20
WORKERS = 2
#: Longer than a test waits: to gunicorn a worker that has not got a processor is one that hangs.
WORKER_SECONDS = 2 * PATIENCE
KINDS = {
    "sync": ["--worker-class=sync"],
    "gthread": ["--worker-class=gthread", "--threads=4"],
    "gevent": ["--worker-class=gevent"],
}


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


class Gunicorn(Program):
    """Frappe's stand-in under gunicorn, with the realtime server in its master."""

    def __init__(self, bench, *options, **config):
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
        super().__init__(bench, *self.get_words(options))

    def get_words(self, options):
        config = [] if any(o.startswith("--config") for o in options) else ["--config", MODULE]
        return [
            *(SCRIPT, *config, f"--bind=127.0.0.1:{self.web}", f"--workers={WORKERS}"),
            *(f"--timeout={WORKER_SECONDS}", "--graceful-timeout=5"),
            f"--pythonpath={','.join(PATHS)}",
            *(*options, "frappe.app:application"),
        ]

    def wait_until_it_serves(self):
        self.wait_for_line("frappe_rt ")
        self.wait_for_line("listens on")
        wait_for(lambda: is_there(self.web))
        wait_for(lambda: len(get_children(self.pid)) == WORKERS)
        return self


#: Not `-m gunicorn`: gunicorn starts the next master (USR2) by the file that started this one.
SCRIPT = str(Path(sys.prefix, "bin/gunicorn"))
#: Descriptors of the control server that newer ones have, and close while they fork.
CONTROL = 4 if "control_socket" in Config().settings else 0
MODULE = "python:frappe_rt.bench.gunicorn"


class Flow:
    """Requests that publish, one after the other, from a thread: which were answered?"""

    def __init__(self, port):
        self.port = port
        self.asked = 0
        self.done = []
        self.counters = Counter()
        self.masters = set()
        self.going = True
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while self.going:
            first, self.asked = self.asked, self.asked + 10
            try:
                answer = ask(self.port, f"/publish?first={first}&last={first + 9}")
            except NO_ANSWER:  # of a worker that was killed, perhaps half-way
                continue
            self.done += range(first, first + 10)
            self.masters.add(answer["parent"])
            assert answer["sent_by_frappe"] == 0
            assert set(answer["counters"]) == {"to_local"}, answer

    def wait_for_more(self, count=100):
        end = len(self.done) + count
        wait_for(lambda: len(self.done) >= end or not self.thread.is_alive())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join(PATIENCE)


def wait_for_other_workers(pid, before, count=WORKERS):
    def changed():
        now = get_children(pid)
        return len(now) == count and set(now) != set(before)

    wait_for(changed)
    return get_children(pid)


def kill_a_worker(pid):
    """Whether there was one: it may end by itself after it was listed."""
    for worker in get_children(pid):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            return True
    return False


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
@pytest.mark.parametrize("kind", KINDS)
def test_browsers_and_events_survive_whatever_happens_to_workers(bench, kind, preload):
    options = [*KINDS[kind], "--max-requests=20", "--max-requests-jitter=10"]
    options += ["--preload"] if preload else []
    with Gunicorn(bench, *options) as master, Crowd() as crowd:
        master.wait_until_it_serves()
        tabs = crowd.come(master.realtime, count=TABS)
        with Flow(master.web) as flow:
            flow.wait_for_more()
            descriptors = count_descriptors(master.pid) + CONTROL
            workers = get_children(master.pid)
            os.kill(master.pid, signal.SIGHUP)
            workers = wait_for_other_workers(master.pid, workers)
            flow.wait_for_more()
            os.kill(master.pid, signal.SIGTTIN)
            wait_for(lambda: len(get_children(master.pid)) == WORKERS + 1)
            flow.wait_for_more()
            os.kill(master.pid, signal.SIGTTOU)
            wait_for(lambda: len(get_children(master.pid)) == WORKERS)
            flow.wait_for_more()
            wait_for(lambda: kill_a_worker(master.pid))
            wait_for_other_workers(master.pid, workers)
            master.wait_for_line("Autorestarting worker")  # after 20 to 30 requests to it
            flow.wait_for_more()
        for tab in tabs:
            wait_for(lambda tab=tab: set(flow.done) <= set(tab.heard))
            assert len(tab.heard) == len(set(tab.heard))
        assert crowd.count_closed() == 0
        assert list_thread_names(master.pid).count("frappe_rt") == 1
        wait_for(lambda: len(get_children(master.pid)) == WORKERS)
        # Each worker that is there may have its connection to us; those of the others are closed.
        wait_for(lambda: count_descriptors(master.pid) <= descriptors + WORKERS)
        wait_for(lambda: "Z" not in map(get_state, get_children(master.pid)))
        workers = get_children(master.pid)
        assert master.end(signal.SIGTERM) == 0
        wait_for(lambda: all(map(is_gone, workers)))  # the master does not wait for whom it kills
        assert is_free(master.realtime)
        assert not (bench / "config/frappe_rt.sock").exists()
        wait_for(lambda: crowd.count_closed() == TABS)


def test_children_of_workers(bench):
    with Gunicorn(bench, "--preload") as master, Crowd() as crowd:
        master.wait_until_it_serves()
        [tab] = crowd.come(master.realtime)
        answer = ask(master.web, "/fork?first=0&last=99")
        assert (answer["parent"], answer["running"]) == (master.pid, False)
        expect_each_once(tab, range(100))


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT])
def test_a_quick_end(bench, how):
    with Gunicorn(bench, "--preload") as master, Crowd() as crowd:
        master.wait_until_it_serves()
        crowd.come(master.realtime)
        assert master.end(how) == 0
        assert is_free(master.realtime)


def test_a_master_that_is_killed_leaves_the_port_free(bench):
    # Its workers look for it twice in that time.
    with Gunicorn(bench, "--preload", "--timeout=8") as master, Crowd() as crowd:
        master.wait_until_it_serves()
        crowd.come(master.realtime)
        workers = get_children(master.pid)
        master.also |= set(workers)
        os.kill(workers[0], signal.SIGSTOP)  # it cannot go when it sees that its master has gone
        master.process.kill()
        master.process.wait(PATIENCE)
        assert is_free(master.realtime)
        wait_for(lambda: crowd.count_closed() == 1)
        assert (bench / "config/frappe_rt.sock").exists()
        assert not is_gone(workers[0])
        with Gunicorn(bench, "--preload") as next_master:
            next_master.wait_until_it_serves()
            [tab] = crowd.come(next_master.realtime)
            ask(next_master.web, "/publish?first=1&last=10")
            expect_each_once(tab, range(1, 11))
        os.kill(workers[0], signal.SIGCONT)
        wait_for(lambda: all(map(is_gone, workers)))


def wait_for_next_master(pid):
    """The child of a master that has workers of its own. While others come and go the kernel may
    leave it out of a list, so what was seen once counts."""
    seen = []

    def is_there():
        seen.extend(child for child in get_children(pid) if get_children(child))
        return seen

    wait_for(is_there)
    return seen[0]


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
def test_usr2_the_next_master_takes_the_port_when_the_first_has_gone(bench, preload):
    with Gunicorn(bench, *(["--preload"] if preload else [])) as master, Crowd() as crowd:
        master.wait_until_it_serves()
        [tab] = crowd.come(master.realtime)
        os.kill(master.pid, signal.SIGUSR2)
        following = wait_for_next_master(master.pid)
        master.also.add(following)
        master.wait_for_line("trying again")
        with Flow(master.web) as flow:  # both masters' workers publish to the server of the first
            wait_for(lambda: flow.masters >= {master.pid, following})
        wait_for(lambda: set(flow.done) <= set(tab.heard))
        assert "frappe_rt" not in list_thread_names(following)
        os.kill(master.pid, signal.SIGTERM)
        master.process.wait(PATIENCE)
        master.wait_for_line("listens on", 2)
        [waits] = master.find("trying again")
        assert f"cannot listen on port {master.realtime} (127.0.0.1: Address already in" in waits
        assert f", until the master before this one ({master.pid}) has ended; trying" in waits
        wait_for(lambda: list_thread_names(following).count("frappe_rt") == 1)  # it names itself
        [tab] = crowd.come(master.realtime)
        ask(master.web, "/publish?first=0&last=9")
        expect_each_once(tab, range(10))
        os.kill(following, signal.SIGTERM)
        wait_for(lambda: is_gone(following))
        assert is_free(master.realtime)
        assert not (bench / "config/frappe_rt.sock").exists()


def test_usr2_a_next_master_that_is_ended_changes_nothing(bench):
    with Gunicorn(bench, "--preload") as master, Crowd() as crowd:
        master.wait_until_it_serves()
        [tab] = crowd.come(master.realtime)
        os.kill(master.pid, signal.SIGUSR2)
        following = wait_for_next_master(master.pid)
        master.wait_for_line("trying again")
        os.kill(following, signal.SIGTERM)
        wait_for(lambda: get_state(following) is None)  # its parent has seen it go
        ask(master.web, "/publish?first=0&last=9")
        expect_each_once(tab, range(10))
        assert crowd.count_closed() == 0
        assert master.end() == 0


def test_a_port_that_is_taken_does_not_keep_the_web_from_serving(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        master = Gunicorn(bench, "--preload", socketio_port=port)
        with master, Crowd() as crowd:
            told = master.wait_for_line("trying again")
            assert f"cannot listen on port {port}" in told
            assert "set socketio_port in" in told
            assert "or stop the realtime server that is already running; trying again" in told
            wait_for(lambda: is_there(master.web))
            taken.close()
            master.wait_for_line("listens on")
            crowd.come(port)
            assert master.end() == 0


def test_it_ends_while_it_waits_for_the_port(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Gunicorn(bench, "--preload", socketio_port=port) as master:
            master.wait_for_line("trying again")
            wait_for(lambda: is_there(master.web))
            # A worker, forked while its master waits, has nothing to wait for.
            worker = ask(master.web, "/state")["pid"]
            os.kill(worker, signal.SIGTERM)
            wait_for(lambda: is_gone(worker))
            assert not master.find("WORKER TIMEOUT")
            assert master.end() == 0
            assert not master.find("Traceback")


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
def test_a_wrong_value_ends_the_start_with_one_line(bench, preload):
    options = ["--preload"] if preload else []
    with Gunicorn(bench, *options, frappe_rt_ping_interval_ms="often") as master:
        assert master.process.wait(PATIENCE) == 1
        master.reader.join(PATIENCE)
        [line] = master.find("frappe_rt_ping_interval_ms")
        assert "common_site_config.json" in line
        assert not master.find("Traceback")


OWN = """
from frappe_rt.bench.gunicorn import *

def on_starting(server):
    server.log.info("our own hook")
"""
CALLS = """
from frappe_rt.bench import gunicorn as realtime

def when_ready(server):
    realtime.when_ready(server)
    server.log.info("our own hook")

def post_worker_init(worker):
    realtime.post_worker_init(worker)
"""


@pytest.mark.parametrize("text", [OWN, CALLS], ids=["import *", "calls"])
def test_in_a_configuration_file_of_ones_own(bench, text):
    path = bench / "gunicorn.conf.py"
    path.write_text(text)
    with Gunicorn(bench, "--preload", f"--config={path}") as master, Crowd() as crowd:
        master.wait_for_line("our own hook")
        master.wait_until_it_serves()
        [tab] = crowd.come(master.realtime)
        assert ask(master.web, "/publish?first=0&last=9")["sent_by_frappe"] == 0
        expect_each_once(tab, range(10))


HANDLERS = """
from frappe_rt.handlers import Socket, realtime

@realtime.on("hello")
async def hello(socket: Socket) -> str:
    return "hello"
"""
JAVASCRIPT = 'module.exports = (socket) => socket.on("hello", (reply) => reply("hello"));'


def write_handlers(bench, language):
    if language == "python":
        write_app(bench, "greeter", HANDLERS)
        return
    script = bench / "apps/greeter/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.write_text(JAVASCRIPT)
    (bench / "sites/apps.txt").write_text("greeter\n")


def list_hosts(bench):
    [answer] = ask_socket(str(bench / "config/frappe_rt.sock"), b'{"rt":"hosts"}')
    return [host["pid"] for host in answer["hosts"]]


@pytest.mark.parametrize("language", ["python", "javascript"])
@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
def test_handlers_of_apps_run_beside_the_master(bench, preload, language):
    write_handlers(bench, language)
    with Gunicorn(bench, *(["--preload"] if preload else [])) as master:
        master.wait_for_line("listens on")
        wait_for(lambda: is_there(master.web) and list_hosts(bench))
        [host] = list_hosts(bench)
        workers = set(get_children(master.pid)) - {host}
        os.kill(master.pid, signal.SIGHUP)
        wait_for(lambda: not workers & set(get_children(master.pid)))
        assert list_hosts(bench) == [host]  # it has nothing to do with workers
        os.kill(host, signal.SIGKILL)
        wait_for(lambda: host not in list_hosts(bench) and list_hosts(bench))
        [following] = list_hosts(bench)
        assert master.end(signal.SIGTERM) == 0
        wait_for(lambda: is_gone(following))


def test_handlers_of_apps_run_once_a_port_that_was_taken_is_free(bench):
    write_handlers(bench, "python")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Gunicorn(bench, "--preload", socketio_port=taken.getsockname()[1]) as master,
    ):
        master.wait_for_line("trying again")
        taken.close()
        master.wait_for_line("listens on")
        wait_for(lambda: list_hosts(bench))
        assert master.end(signal.SIGTERM) == 0


def test_hup_reads_the_configuration_again(bench):
    path = bench / "sites/common_site_config.json"
    with Gunicorn(bench, "--preload") as master:
        master.wait_until_it_serves()
        values = json.loads(path.read_text())
        configure(bench, **values, frappe_rt_ping_interval_ms=30000)
        os.kill(master.pid, signal.SIGHUP)
        master.wait_for_line(
            "frappe_rt_ping_interval_ms has changed; restart the server to use the new value"
        )
        path.write_text("{")
        os.kill(master.pid, signal.SIGHUP)
        told = master.wait_for_line("the configuration stays as it was")
        assert "sites/common_site_config.json, line 1" in told


class Worker:
    """Of gunicorn: what it is warned of."""

    def __init__(self):
        self.log = self
        self.warnings = []

    def warning(self, line, *arguments):
        self.warnings.append(line % arguments)


def test_a_worker_of_another_application_is_left_alone(monkeypatch):
    for name in ("frappe", "frappe.realtime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    worker = Worker()
    frappe_rt.bench.gunicorn.post_worker_init(worker)
    assert worker.warnings == []
    assert "frappe" not in sys.modules


def test_a_worker_whose_frappe_publishes_otherwise_serves_all_the_same(monkeypatch):
    realtime = ModuleType("frappe.realtime")
    exec("def emit_via_redis(event, message, room, namespace): pass", vars(realtime))
    frappe = ModuleType("frappe")
    frappe.realtime = realtime
    monkeypatch.setitem(sys.modules, "frappe", frappe)
    monkeypatch.setitem(sys.modules, "frappe.realtime", realtime)
    worker = Worker()
    frappe_rt.bench.gunicorn.post_worker_init(worker)
    [warning] = worker.warnings
    assert "takes (event, message, room, namespace), frappe_rt knows" in warning
    assert warning.endswith("; Frappe publishes through Redis as before")


def test_gunicorn_takes_nothing_else_of_the_module_for_a_setting():
    names = set(vars(frappe_rt.bench.gunicorn)) & set(Config().settings)
    assert names == set(frappe_rt.bench.gunicorn.__all__)
    settings = Config()
    for name in names:
        settings.set(name, getattr(frappe_rt.bench.gunicorn, name))


def test_the_module_does_not_bring_gunicorn_in():
    source = Path(frappe_rt.bench.gunicorn.__file__).read_text()
    assert "import gunicorn" not in source
