"""Apps with Python handlers, the real server, its supervisor and real clients."""

import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import socketio
from support.bench import PATIENCE, SITE, ask, get_figures, make_bench, start, wait_for
from support.host_server import write_app
from support.processes import count_descriptors
from support.stub_web import StubWeb

import frappe_rt
from frappe_rt import config

NS = f"/{SITE}"
APPS = Path(__file__).parents[1] / "apps"
FRAPPE = Path(__file__).parents[1] / "client/frappe"

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


def add_app(bench, name):
    """One of tests/apps, as the stub web process has it installed, and what it needs of Frappe."""
    shutil.copytree(APPS / name, bench / "apps" / name)
    shutil.copytree(FRAPPE, bench / "apps/frappe/frappe")
    with (bench / "sites/apps.txt").open("a") as text:
        text.write(f"{name}\n")


class Realtime:
    """The server in this process, with the hosts of its bench."""

    def __init__(self, bench, web):
        self.path = str(bench / "config/frappe_rt.sock")
        self.server = start(bench, webserver_port=web.port, handlers=True)

    def hosts(self):
        return ask(self.path, b'{"rt":"hosts"}')[0]["hosts"]

    def wait_for_host(self, *not_pids):
        wait_for(lambda: [host for host in self.hosts() if host["pid"] not in not_pids])
        return next(host for host in self.hosts() if host["pid"] not in not_pids)


@pytest.fixture
def web():
    with StubWeb(SITE, "v15") as web:  # which does not tell what is installed: every app is
        yield web


@pytest.fixture
def realtime(bench, web):
    started = []

    def run():
        started.append(Realtime(bench, web))
        started[-1].wait_for_host()
        return started[-1]

    yield run
    frappe_rt.stop()
    config.give(config.Given())


@pytest.fixture
def client(realtime):
    clients = []

    def enter(server, sid):
        client = socketio.Client(reconnection=False)
        client.heard = []
        client.on("*", lambda event, *args: client.heard.append((event, *args)), namespace=NS)
        clients.append(client)
        client.connect(
            f"http://127.0.0.1:{server.port}",
            headers={"Cookie": f"sid={sid}"},
            namespaces=[NS],
            transports=["websocket"],
            wait_timeout=PATIENCE,
        )
        return client

    yield enter
    for client in clients:
        client.disconnect()
    clients.clear()
    gc.collect()


def call(client, event, *arguments, timeout=PATIENCE):
    return client.call(event, arguments, namespace=NS, timeout=timeout)


def test_chat(bench, realtime, client):
    add_app(bench, "chat")
    server = realtime().server
    ada, grace = client(server, "ada"), client(server, "grace")
    both = ["ada@example.com", "grace@example.com"]
    assert call(ada, "chat_join", "lobby") == {"ok": True, "people": both[:1]}
    assert call(grace, "chat_join", "lobby") == {"ok": True, "people": both}
    wait_for(lambda: len(ada.heard) == 2)
    assert ada.heard == [
        ("message", "welcome to lobby"),
        ("chat_joined", {"channel": "lobby", "user": "grace@example.com"}),
    ]
    assert call(grace, "chat_say", "lobby", "hello") == {"ok": True, "number": 1}
    assert call(ada, "chat_say", "lobby", b"\x00\xff") == {"ok": True, "number": 1}
    wait_for(lambda: len(ada.heard) == 3 and len(grace.heard) == 2)
    said = {"channel": "lobby", "user": "grace@example.com", "text": "hello"}
    assert ada.heard[2] == ("chat_said", said)
    said = {"channel": "lobby", "user": "ada@example.com", "text": b"\x00\xff"}
    assert grace.heard[1] == ("chat_said", said)
    assert call(ada, "chat_say", "elsewhere", "x") == {"ok": False}
    assert call(ada, "chat_open", "Secret", "x") is None
    grace.disconnect()
    wait_for(lambda: len(ada.heard) == 4)
    assert ada.heard[3] == ("chat_left", {"channel": "lobby", "user": "grace@example.com"})
    assert call(ada, "chat_join", "lobby")["people"] == both[:1]


def test_telephony(bench, realtime, client):
    add_app(bench, "telephony")
    server = realtime().server
    desk, phone = client(server, "ada"), client(server, "grace")
    waiting = threading.Event()

    @phone.on("phone_ring", namespace=NS)
    def ring(about):
        if about["calls"] == 2:
            waiting.wait(PATIENCE)
        return "hello", about["from"]

    grace = "grace@example.com"
    assert call(desk, "phone_call", grace, 1000) == {"state": "away"}
    assert call(phone, "phone_ready") == (NS, 1)
    answered = {"state": "answered", "answer": "hello"}
    assert call(desk, "phone_call", grace, 1000 * PATIENCE) == answered
    missed = call(desk, "phone_call", grace, 100)
    assert missed["state"] == "missed"
    assert "timeout" in missed["why"]
    waiting.set()
    phone.disconnect()
    wait_for(lambda: desk.heard)
    assert desk.heard == [("phone_gone", grace)]


SLOW = """
from frappe_rt.handlers import realtime
import asyncio, time

@realtime.on("slow")
async def slow(socket):
    await asyncio.sleep(3600)

@realtime.on("quick")
async def quick(socket):
    return socket.user
"""
SLOW_PLAIN = SLOW.replace("async def slow", "def slow").replace("await asyncio", "time")


@pytest.mark.parametrize("plain", [False, True])
def test_host_killed_mid_event(bench, realtime, client, plain):
    """That acknowledgement times out; all else goes on, and the host is soon back."""
    write_app(bench, "slow", SLOW_PLAIN if plain else SLOW)
    run = realtime()
    ada = client(run.server, "ada")
    answers = []
    ada.emit("slow", namespace=NS, callback=lambda *args: answers.append(args))
    assert call(ada, "quick") == "ada@example.com"
    pid = run.hosts()[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in [host["pid"] for host in run.hosts()])
    ada.emit("ping", namespace=NS)
    wait_for(lambda: ("pong",) in ada.heard)
    run.wait_for_host(pid)
    assert call(ada, "quick") == "ada@example.com"
    assert answers == []
    assert ada.connected


def test_blocked_loop_hurts_nobody_else(bench, realtime, client):
    write_app(
        bench,
        "block",
        "from frappe_rt.handlers import realtime\nimport time\n"
        "@realtime.on('block')\nasync def block(socket):\n    time.sleep(3600)\n",
    )
    run = realtime()
    ada = client(run.server, "ada")
    for _ in range(50):
        ada.emit("block", namespace=NS)
    ada.emit("ping", namespace=NS)
    wait_for(lambda: ("pong",) in ada.heard)
    begun = time.monotonic()
    assert frappe_rt.stop()
    assert time.monotonic() - begun < PATIENCE  # not the hour that it blocks


#: Seconds between two events of a user, who may send a hundred in a second.
PACE = 0.015

COUNTING = """
from frappe_rt.handlers import realtime

@realtime.on("count")
async def count(socket, number):
    return [VERSION, number]
"""


def test_reload_under_load(bench, realtime, client):
    """Every event is answered by the old or the new host, none by neither, no connection drops."""
    file = write_app(bench, "counting", COUNTING.replace("VERSION", "0"))
    run = realtime()
    clients = [client(run.server, sid) for sid in ("ada", "grace", "customer")]
    answers = {each: [] for each in clients}
    stopping = threading.Event()

    def load(each):
        number = 0
        while not stopping.is_set():
            answers[each].append((number, call(each, "count", number)))
            number += 1
            time.sleep(PACE)

    threads = [threading.Thread(target=load, args=(each,)) for each in clients]
    for thread in threads:
        thread.start()
    try:
        for version in range(1, 6):
            file.write_text(COUNTING.replace("VERSION", str(version)))
            before = [host["pid"] for host in run.hosts()]
            assert ask(run.path, b'{"rt":"reload"}') == [{"ok": True}]
            run.wait_for_host(*before)
            wait_for(lambda: len(run.hosts()) == 1)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    for each in clients:
        assert each.connected
        assert all(answer[1] == number for number, answer in answers[each])
        versions = [answer[0] for _, answer in answers[each]]
        assert versions == sorted(versions)
        assert call(each, "count", 1) == [5, 1]


def test_more_events_where_they_are_configured(bench, realtime, client):
    """As moving cursors need it; while the server runs."""
    write_app(bench, "counting", COUNTING.replace("VERSION", "0"))
    common = bench / "sites/common_site_config.json"
    common.write_text('{"frappe_rt_events_per_second": 1}')
    ada = client(realtime().server, "ada")
    answered = []
    began = time.monotonic()
    for number in range(500):
        ada.emit("count", number, namespace=NS, callback=lambda *answer: answered.append(answer))
    wait_for(lambda: ada.heard)
    assert len(answered) <= 5 + (time.monotonic() - began)  # four saved up, one earned a second
    limits = [(told["limit"], told["max"]) for event, told in ada.heard]
    assert set(limits) == {("events_per_second", 1)}
    common.write_text('{"frappe_rt_events_per_second": 10000}')
    frappe_rt.reload()
    wait_for(lambda: len(answered) == 500)  # none was lost
    assert get_figures()["engineio"]["packets_paced"] > 0


def test_command_reload(bench, realtime):
    write_app(bench, "counting", COUNTING)
    run = realtime()
    before = run.hosts()[0]["pid"]
    command = [sys.executable, "-m", "frappe_rt", "reload"]
    done = subprocess.run(command, cwd=bench, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "started anew" in done.stdout
    run.wait_for_host(before)


def test_command_reload_where_handlers_are_off(bench):
    write_app(bench, "counting", COUNTING)
    start(bench, handlers=True, frappe_rt_handlers="off")
    try:
        command = [sys.executable, "-m", "frappe_rt", "reload"]
        done = subprocess.run(command, cwd=bench, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1
        assert "supervised" in done.stderr
    finally:
        frappe_rt.stop()
        config.give(config.Given())


def test_no_local_socket(bench, capfd):
    write_app(bench, "counting", COUNTING)
    start(bench, handlers=True, frappe_rt_local_socket="off")
    frappe_rt.stop()
    config.give(config.Given())
    assert "handlers do not run: they need the local socket, and" in capfd.readouterr().err


@pytest.mark.parametrize("apps", [True, False])
def test_starts_and_stops_leave_no_descriptor(bench, apps):
    if apps:
        write_app(bench, "counting", COUNTING)
    counts = []
    for _ in range(4):
        with start(bench, handlers=True):
            if apps:
                wait_for(lambda: frappe_rt.server._supervisor._hosts)
        counts.append(count_descriptors(os.getpid()))
    assert counts[1:] == counts[:1] * 3


@pytest.mark.parametrize("fails", ["start_new_thread", "os.pipe2"])
def test_a_start_that_fails_halfway_leaves_nothing(bench, monkeypatch, fails):
    """The server is up when its supervisor cannot be started; who has called does not know."""

    def fail(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    with start(bench, handlers=True):
        pass
    before = count_descriptors(os.getpid())
    with monkeypatch.context() as without:
        without.setattr(f"frappe_rt.hosts.supervisor.{fails}", fail)
        for _ in range(3):
            with pytest.raises(OSError, match="Too many open files"):
                start(bench, handlers=True)
            assert not frappe_rt.running()
    assert count_descriptors(os.getpid()) == before
    with start(bench, handlers=True):
        path = str(bench / "config/frappe_rt.sock")
        assert ask(path, b'{"rt":"reload"}') == [{"ok": True}]


def test_supervised_once(bench, realtime):
    write_app(bench, "counting", COUNTING)
    assert frappe_rt.server.supervise() is False
    realtime()
    assert frappe_rt.server.supervise() is False


@pytest.fixture
def path_without_node(tmp_path_factory):
    """All other programs: the sanitized interpreter is a script that needs some."""
    links = tmp_path_factory.mktemp("programs")
    for folder in os.get_exec_path():
        for program in Path(folder).glob("*"):
            link = links / program.name
            if program.name != "node" and not link.is_symlink():
                link.symlink_to(program)
    return str(links)


def test_no_node(bench, realtime, client, monkeypatch, capfd, path_without_node):
    """One line says what does not run and what to do; all else does, and then that does too."""
    write_app(bench, "slow", SLOW)
    script = bench / "apps/board/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.write_text("module.exports = (s) => s.on('board', (n, reply) => reply(n));")
    with (bench / "sites/apps.txt").open("a") as text:
        text.write("board\n")
    with monkeypatch.context() as without:
        without.setenv("PATH", path_without_node)
        run = realtime()
        ada, grace = client(run.server, "ada"), client(run.server, "grace")
        answers = []
        ada.emit("board", 1, namespace=NS, callback=lambda *answer: answers.append(answer))
        for each, user in ((ada, "ada@example.com"), (grace, "grace@example.com")):
            each.emit("ping", namespace=NS)
            wait_for(lambda each=each: ("pong",) in each.heard)
            assert call(each, "quick") == user
        before = run.hosts()
        assert [host["language"] for host in before] == ["python"]
        assert ask(run.path, b'{"rt":"reload"}') == [{"ok": True}]
        run.wait_for_host(before[0]["pid"])
        wait_for(lambda: len(run.hosts()) == 1)
        assert call(ada, "quick") == "ada@example.com"
        frappe_rt.publish_realtime("news", {"n": 1}, user="grace@example.com")
        wait_for(lambda: ("news", {"n": 1}) in grace.heard)
        assert answers == []
        said = capfd.readouterr().err
        [line] = [line for line in said.splitlines() if "JavaScript" in line or "node" in line]
        assert line.endswith(
            " WARNING frappe_rt.handlers the JavaScript handlers of board do not run: there is no "
            "node in PATH; install Node 18 or later, then `python -m frappe_rt reload`"
        )
        assert "ERROR" not in said
    assert ask(run.path, b'{"rt":"reload"}') == [{"ok": True}]
    wait_for(lambda: "javascript" in [host["language"] for host in run.hosts()])
    wait_for(lambda: all(host["state"] == "active" for host in run.hosts()))
    served = {host["language"]: host["apps"] for host in run.hosts()}
    assert served == {"python": ["slow"], "javascript": ["board"]}
    assert call(ada, "board", 2) == 2
    assert ada.connected
    assert grace.connected


def test_serve_runs_handlers(bench, web):
    write_app(bench, "counting", COUNTING)
    with subprocess.Popen(
        [sys.executable, "-m", "frappe_rt", "serve", "--port", "0", "--no-redis"],
        cwd=bench,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if "handlers of counting: count" in line:
                    break
            found = ask(str(bench / "config/frappe_rt.sock"), b'{"rt":"hosts"}')[0]["hosts"]
            process.terminate()
            assert process.wait(PATIENCE) == 0
            assert not is_running(found[0]["pid"])
        finally:
            process.kill()


PARENT = """
    import json, os, signal, sys, time
    import frappe_rt
    bench = sys.argv[1]
    settings = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
    frappe_rt.start(bench, "one.localhost", handlers=True, **settings)
    hosts = frappe_rt.server._supervisor._hosts
    while not hosts or not hosts["python"].current:
        time.sleep(0.01)
    child = hosts["python"].current
"""


def run_parent(bench, code):
    code = textwrap.dedent(PARENT) + textwrap.dedent(code)
    command = [sys.executable, "-c", code, str(bench)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_hosts_end_with_a_parent_that_is_killed(bench):
    write_app(bench, "counting", COUNTING)
    with run_parent(bench, "print(child.pid, flush=True); time.sleep(3600)") as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not is_running(pid))


def is_running(pid):
    """As a process that is more than what its parent has not asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_forked_child_has_no_hosts(bench):
    """It neither holds what is the parent's nor stops it."""
    write_app(bench, "counting", COUNTING)
    code = """
        watching = frappe_rt.server._supervisor
        if os.fork() == 0:
            for descriptor in (child.descriptor, watching._wake_read, watching._wake_write):
                try:
                    os.fstat(descriptor)
                except OSError:
                    continue
                os._exit(1)
            frappe_rt.stop()
            os._exit(0 if frappe_rt.server._supervisor is None else 1)
        assert os.wait()[1] == 0
        assert not child.has_ended()
        frappe_rt.stop()
        assert child.reaped
    """
    with run_parent(bench, code) as parent:
        assert parent.wait(PATIENCE) == 0


def test_reaped_by_a_master(bench):
    """As gunicorn's does it, at any SIGCHLD; whose disposition stays as it was."""
    write_app(bench, "counting", COUNTING)
    code = """
        reaped = []
        def reap(*_):
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    return
                if not pid:
                    return
                reaped.append(status)
        signal.signal(signal.SIGCHLD, reap)
        for _ in range(3):
            child = hosts["python"].current
            os.kill(child.pid, signal.SIGKILL)
            while hosts["python"].current in (None, child):
                time.sleep(0.01)
        assert signal.getsignal(signal.SIGCHLD) is reap
        frappe_rt.stop()
        print(json.dumps(reaped))
    """
    with run_parent(bench, code) as parent:
        assert parent.wait(PATIENCE) == 0
        assert set(json.loads(parent.stdout.read())) <= {signal.SIGKILL, signal.SIGTERM}
