"""The supervisor of handler hosts: with real Python hosts, and with programs that play one."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.bench import PATIENCE, wait_for
from support.host_server import write_app
from support.processes import count_descriptors

from frappe_rt.hosts import processes, supervisor

EMPTY = "from frappe_rt.handlers import realtime\n"
ECHO = EMPTY + '@realtime.on("e")\nasync def e(socket, value):\n    return value\n'


class Watch:
    """A supervisor, and what it has said."""

    def __init__(self, bench, server, overrides=None, **more):
        self.path = bench / "log"
        self.log = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.supervisor = supervisor.Supervisor(
            str(bench), server.path, overrides or {}, self.log, **more
        )

    def said(self, text):
        return self.path.read_text().count(text)

    def wait_for(self, text, times=1):
        wait_for(lambda: self.said(text) >= times)

    def pids(self):
        hosts = self.supervisor._hosts.values()
        return [child.pid for host in hosts for child in host.children()]

    def stop(self, seconds=5):
        self.supervisor.begin_to_stop(seconds)
        assert self.supervisor.join(PATIENCE)


@pytest.fixture
def watch(bench, server):
    watches = []

    def watch(**more):
        watches.append(Watch(bench, server, **more))
        watches[-1].supervisor.start()
        return watches[-1]

    yield watch
    for each in watches:
        each.stop()
        os.close(each.log)


PATH = os.environ["PATH"]


def play(monkeypatch, program):
    """Run this in place of a host; sys.argv is what one would get. A Python with sanitizers needs
    the tests' PATH to start, whatever the supervisor has."""
    command = ["/usr/bin/env", f"PATH={PATH}", sys.executable, "-c", textwrap.dedent(program)]
    found = supervisor.Supervisor._get_command

    def get_command(self, language, *arguments):
        words = found(self, language, *arguments)
        return words if language == "node" else command + words[4:]

    monkeypatch.setattr(supervisor.Supervisor, "_get_command", get_command)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_runs_without_handlers(bench, watch):
    write_app(bench, "plain", "").unlink()
    watching = watch()
    time.sleep(0.2)
    assert watching.pids() == []
    watching.stop()
    assert watching.path.read_text() == ""


def test_host_of_a_bench(bench, server, watch):
    write_app(bench, "chat", ECHO)
    watching = watch()
    peer = server.wait_for_host()
    assert peer.hello["language"] == "python"
    assert peer.hello["apps"] == ["chat"]
    assert peer.hello["events"] == ["e"]
    (pid,) = watching.pids()
    assert peer.hello["pid"] == pid
    assert os.getpgid(pid) == pid
    assert Path(f"/proc/{pid}/fd/0").resolve() == Path(os.devnull)
    assert Path(f"/proc/{pid}/cwd").resolve() == bench / "sites"
    peer.connect("s1", apps=None)
    peer.event("s1", "e", 5, i=1)
    assert peer.read()["a"] == [5]
    watching.stop()
    assert not is_alive(pid)
    assert watching.said("ERROR") == 0


def test_signals_are_as_in_a_fresh_process(bench, watch, monkeypatch):
    """Whatever this process blocks: `serve` waits for its signals that way."""
    write_app(bench, "chat", "")
    play(
        monkeypatch,
        """
        import signal, sys, time
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        print("blocked", sorted(blocked), signal.getsignal(signal.SIGTERM), flush=True)
        time.sleep(3600)
        """,
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    try:
        watching = watch()
        watching.wait_for("blocked [] 0")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_signals_that_this_process_ignores_end_a_host(spawn):
    """As with a server that `nohup` or a shell's background has started."""
    signals = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        child, printed = spawn("print(open('/proc/self/status').read())")
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
    wait_for(child.has_ended)
    ignored = int(re.search(r"^SigIgn:\s+(\w+)$", printed(), re.M)[1], 16)
    assert [number for number in signals if ignored >> (number - 1) & 1] == []


def list_tasks():
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def test_signals_of_the_process_are_for_others(watch):
    before = list_tasks()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    watch()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    [thread] = list_tasks() - before
    status = Path(f"/proc/self/task/{thread}/status").read_text()
    blocked = int(re.search(r"^SigBlk:\s+(\w+)$", status, re.M)[1], 16)
    taken = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2}
    assert [number for number in taken if not blocked >> (number - 1) & 1] == []


def test_a_host_is_told_its_bench(bench, server, watch, monkeypatch):
    """By what Frappe's code goes by, which otherwise follows the links of an app's folder."""
    monkeypatch.setenv("FRAPPE_BENCH_ROOT", "/another/bench")
    write_app(
        bench,
        "chat",
        EMPTY + "import os\n@realtime.on('e')\nasync def e(socket):\n"
        "    return os.environ['FRAPPE_BENCH_ROOT']\n",
    )
    watch()
    peer = server.wait_for_host()
    peer.connect("s1", apps=None)
    peer.event("s1", "e", i=1)
    assert peer.read()["a"] == [str(bench)]
    assert os.environ["FRAPPE_BENCH_ROOT"] == "/another/bench"


def test_killed_host_comes_back(bench, server, watch):
    write_app(bench, "chat", ECHO)
    watching = watch()
    first = server.wait_for_host().hello
    os.kill(first["pid"], signal.SIGKILL)
    second = server.wait_for_host().hello
    assert second["pid"] != first["pid"]
    assert "replaces" not in second
    assert watching.said("ended by signal 9") == 1
    assert watching.said(f"starting them again in {processes.FIRST_PAUSE:g}") == 1


def test_crash_loop_slows_down(bench, watch, monkeypatch):
    write_app(bench, "chat", "")
    play(monkeypatch, "raise SystemExit(7)")
    watching = watch()
    watching.wait_for("ended with status 7", 3)
    for pause in ("0.2", "0.4", "0.8"):
        assert watching.said(f"again in {pause}\n") == 1


@pytest.fixture
def spawn(tmp_path):
    """A process as a host's, and what it has printed."""
    path = tmp_path / "printed"
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    children = []

    def spawn(code):
        command = [sys.executable, "-c", code]
        children.append(processes.Child(command, "an id", log, dict(os.environ)))
        return children[-1], path.read_text

    yield spawn
    for child in children:
        child.kill(signal.SIGKILL)
        if not child.reaped:
            os.waitpid(child.pid, 0)
    os.close(log)


def test_what_a_host_prints_is_logged_and_it_has_no_input(spawn):
    read, write = os.pipe()
    before = os.dup(0)
    os.dup2(read, 0)
    try:
        child, printed = spawn(
            "import os, sys; print(os.readlink('/proc/self/fd/0')); print('error', file=sys.stderr)"
        )
    finally:
        os.dup2(before, 0)
        for descriptor in (before, read, write):
            os.close(descriptor)
    wait_for(child.has_ended)
    assert sorted(printed().split()) == [os.devnull, "error"]


def test_a_host_that_ended_leaves_no_descriptor(spawn):
    before = count_descriptors(os.getpid())
    child, _ = spawn("raise SystemExit(5)")
    wait_for(child.has_ended)
    assert count_descriptors(os.getpid()) == before + 1
    assert child.reap() == "ended with status 5"
    assert count_descriptors(os.getpid()) == before
    assert child.has_ended()


def forbid(monkeypatch, *names):
    """What would reach another process by now."""

    def fail(*_):
        raise AssertionError

    for name in names:
        monkeypatch.setattr(*name, fail)


def test_a_host_that_somebody_has_reaped_is_not_killed(spawn, monkeypatch):
    """Its number may be another's by then."""
    child, _ = spawn("")
    os.waitpid(child.pid, 0)
    with monkeypatch.context() as patched:
        forbid(patched, (os, "kill"))
        child.kill(signal.SIGTERM)
        assert child.reap() == "ended"
        forbid(patched, (signal, "pidfd_send_signal"))
        child.kill(signal.SIGTERM)


def test_a_host_that_was_reaped_before_it_could_be_watched(spawn, monkeypatch):
    def reap_and_open(pid):
        os.waitpid(pid, 0)
        raise ProcessLookupError

    monkeypatch.setattr(os, "pidfd_open", reap_and_open)
    forbid(monkeypatch, (os, "kill"))
    child, _ = spawn("")
    assert child.has_ended()
    child.kill(signal.SIGTERM)
    assert child.reap() == "ended"


@pytest.mark.parametrize("reaped", [False, True])
def test_a_host_that_cannot_be_watched_does_not_stay(spawn, monkeypatch, reaped):
    pids = []

    def open_none(pid):
        pids.append(pid)
        if reaped:  # by somebody else
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", open_none)
    with pytest.raises(OSError, match="pidfd_open: Too many open files"):
        spawn("import time; time.sleep(3600)")
    assert not is_alive(pids[0])  # nor is it a zombie


class FakeChild:
    """Of a Host without a process."""

    def __init__(self, id, replaces, now):
        self.id, self.replaces, self.since = id, replaces, now
        self.pid = 1
        self.ended = False
        self.ends_after_looks = None
        self.signals = []
        self.reaped = False

    def has_ended(self):
        if self.ends_after_looks is not None:
            self.ended = self.ends_after_looks <= 0
            self.ends_after_looks -= 1
        return self.ended

    def reap(self):
        self.reaped = True
        return "ended"

    def kill(self, number):
        self.signals.append(number)


class Hosts:
    """One Host on a clock of its own."""

    def __init__(self):
        self.now = 1000.0
        self.started = []
        self.said = []
        self.error = None
        self.host = processes.Host(
            "python", self._start, lambda level, text: self.said.append(text)
        )

    def _start(self, id, replaces):
        if self.error:
            raise self.error
        self.started.append(FakeChild(id, replaces, self.now))
        return self.started[-1]

    def tick(self, seconds=0.0):
        self.now += seconds
        self.host.tick(self.now)


@pytest.fixture
def hosts():
    made = Hosts()
    made.tick()
    return made


def test_pauses_grow_and_end(hosts):
    pauses = []
    for _ in range(10):
        hosts.started[-1].ended = True
        hosts.tick(1)
        pauses.append(hosts.host.get_due() - hosts.now)
        hosts.tick(pauses[-1])
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
    hosts.tick(processes.HEALTHY_SECONDS - 1)
    hosts.started[-1].ended = True
    hosts.tick()
    assert hosts.host.get_due() - hosts.now == pytest.approx(processes.LONGEST_PAUSE)
    hosts.tick(processes.LONGEST_PAUSE + 1)
    hosts.tick(processes.HEALTHY_SECONDS)
    hosts.started[-1].ended = True
    hosts.tick()
    assert hosts.host.get_due() - hosts.now == pytest.approx(processes.FIRST_PAUSE)


def test_program_that_cannot_be_started(hosts):
    hosts.started[-1].ended = True
    hosts.tick()
    hosts.error = PermissionError(13, "Permission denied")
    for pause in (0.4, 0.8, 1.6):
        hosts.tick(1)
        assert "cannot be started (Permission denied)" in hosts.said[-1]
        assert f"trying again in {pause:g} seconds" in hosts.said[-1]
        assert hosts.host.get_due() - hosts.now == pytest.approx(pause)
        hosts.tick(pause - 0.1)
        hosts.now += 0.1
    hosts.error = None
    hosts.tick(1)
    assert len(hosts.started) == 2


def test_successor_takes_over(hosts):
    hosts.host.reload(hosts.now)
    old, new = hosts.started
    assert new.replaces == old.id != new.id
    hosts.tick(1)
    assert hosts.host.current is old
    old.ended = True
    hosts.tick(1)
    assert (hosts.host.current, hosts.host.successor) == (new, None)
    assert old.reaped
    assert "taken over" in hosts.said[-1]


def test_successor_that_fails_changes_nothing(hosts):
    hosts.host.reload(hosts.now)
    old, new = hosts.started
    new.ended = True
    hosts.tick(1)
    assert (hosts.host.current, hosts.host.successor) == (old, None)
    assert new.reaped
    assert hosts.said == ["the new Python handlers ended; the old ones go on"]


def test_successor_that_cannot_be_started_changes_nothing(hosts):
    hosts.error = FileNotFoundError(2, "there is no node in PATH")
    hosts.host.reload(hosts.now)
    said = "the new Python handlers cannot be started (there is no node in PATH); "
    assert hosts.said == [said + "the old ones go on"]
    assert (hosts.host.children(), hosts.host.get_due()) == (hosts.started, None)
    hosts.started[-1].ended = True
    hosts.tick(1)
    assert hosts.host.get_due() - hosts.now == pytest.approx(processes.FIRST_PAUSE)


def test_successor_that_hangs_is_killed(hosts):
    hosts.host.reload(hosts.now)
    old, new = hosts.started
    hosts.tick(processes.SUCCEED_SECONDS)
    assert hosts.host.successor is new
    assert hosts.host.get_due() == hosts.now
    hosts.tick(1)
    assert new.signals == [signal.SIGKILL]
    assert "not ready in 60 seconds; the old ones go on" in hosts.said[-1]
    assert hosts.host.children() == [old, new]
    new.ended = True
    hosts.tick()
    assert hosts.host.children() == [old]
    assert (new.reaped, hosts.host.get_due()) == (True, None)


def test_reload_while_one_is_under_way_is_done_once_more(hosts):
    for _ in range(5):
        hosts.host.reload(hosts.now)
    old, new = hosts.started
    old.ended = True
    hosts.tick(1)
    assert [child.replaces for child in hosts.started] == [None, old.id, new.id]
    new.ended = True
    hosts.tick(1)
    assert len(hosts.started) == 3
    assert hosts.host.successor is None


def test_reload_of_what_waits_starts_it_at_once(hosts):
    for _ in range(8):
        hosts.started[-1].ended = True
        hosts.tick()
        hosts.tick(hosts.host.get_due() - hosts.now)
    hosts.started[-1].ended = True
    hosts.tick()
    hosts.host.reload(hosts.now)
    before = len(hosts.started)
    hosts.tick()
    assert len(hosts.started) == before + 1
    hosts.started[-1].ended = True
    hosts.tick()
    assert hosts.host.get_due() - hosts.now == pytest.approx(processes.FIRST_PAUSE)


def test_both_end_at_once(hosts):
    hosts.host.reload(hosts.now)
    for child in hosts.started:
        child.ended = True
    hosts.tick()
    hosts.tick(1)
    assert len(hosts.started) == 3


def test_the_old_one_ends_while_it_is_looked_at(hosts):
    """Its successor is there: no third one starts, which would take every event as well."""
    hosts.host.reload(hosts.now)
    old, new = hosts.started
    old.ends_after_looks = 1
    for _ in range(3):
        hosts.tick(1)
    assert hosts.host.children() == hosts.started[1:] == [new]


def test_what_no_app_needs_ends_without_a_word(hosts):
    hosts.host.reload(hosts.now)
    hosts.host.reload(hosts.now)
    hosts.host.end()
    assert [child.signals for child in hosts.started] == [[signal.SIGTERM]] * 2
    for child in reversed(hosts.started):
        child.ended = True
        hosts.tick(1)
    assert (hosts.host.children(), hosts.host.get_due(), hosts.said) == ([], None, [])
    assert len(hosts.started) == 2


def take_over(server, old):
    """As the server does: the old one drains when the new one is there."""
    new = server.wait_for_host()
    assert new.hello["replaces"] == old.hello["id"]
    old.say(op="drain")
    return new


def test_reload(bench, server, watch):
    file = write_app(bench, "chat", ECHO)
    watching = watch()
    old = server.wait_for_host()
    file.write_text(ECHO.replace('"e"', '"changed"'))
    watching.supervisor.reload()
    new = take_over(server, old)
    assert new.hello["events"] == ["changed"]
    watching.wait_for("have taken over")
    assert watching.pids() == [new.hello["pid"]]
    assert old.read() is None


def test_reload_finds_new_apps_and_misses_old_ones(bench, server, watch):
    watching = watch()
    file = write_app(bench, "chat", ECHO)
    watching.supervisor.reload()
    pid = server.wait_for_host().hello["pid"]
    file.unlink()
    watching.supervisor.reload()
    wait_for(lambda: not watching.pids())
    assert not is_alive(pid)
    file.write_text(ECHO)
    watching.supervisor.reload()
    server.wait_for_host()


def test_what_runs_and_is_needed_stays_when_the_apps_are_read_again(bench, server, watch):
    write_app(bench, "chat", ECHO)
    watching = watch()
    first = server.wait_for_host()
    script = bench / "apps/board/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.write_text("module.exports = () => {};")
    with (bench / "sites/apps.txt").open("a") as listed:
        listed.write("board")
    watching.supervisor.read_again()
    second = server.wait_for_host()
    assert (second.hello["language"], second.hello["apps"]) == ("javascript", ["board"])
    assert watching.pids() == [first.hello["pid"], second.hello["pid"]]


def test_without_node(bench, watch, monkeypatch, tmp_path):
    """Said once; a Node that is there later is found by the next reload."""
    script = bench / "apps/board/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.touch()
    (bench / "sites/apps.txt").write_text("board\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    watching = watch()
    said = "the JavaScript handlers of board do not run: there is no node in PATH"
    watching.wait_for(said)
    file = write_app(bench, "chat", "")
    play(monkeypatch, "print('the next look')")
    watching.supervisor.reload()
    watching.wait_for("the next look")
    assert watching.said(said) == 1
    file.unlink()
    node = folder / "node"
    node.write_text("#!/bin/sh\necho as node: $1\n")
    node.chmod(0o755)
    watching.supervisor.reload()
    watching.wait_for(f"as node: {supervisor.HOST_JS}")
    node.unlink()
    watching.wait_for("JavaScript handlers cannot be started (there is no node in PATH)")


def test_a_wrong_configuration_is_told_and_the_one_before_counts(bench, server, watch):
    write_app(bench, "chat", ECHO)
    watching = watch()
    old = server.wait_for_host()
    (bench / "sites/common_site_config.json").write_text("{")
    watching.supervisor.read_again()
    watching.wait_for("WARNING frappe_rt.handlers the configuration is not read again: ")
    assert watching.pids() == [old.hello["pid"]]
    os.kill(old.hello["pid"], signal.SIGKILL)
    watching.wait_for("starting them again")


def test_request(bench, server, watch):
    """`{"rt":"reload"}` comes by a descriptor of the extension."""
    write_app(bench, "chat", ECHO)
    read, write = os.pipe()
    try:

        def take():
            return "reload" if os.read(read, 1) else None

        os.set_blocking(read, False)

        def take_without_waiting():
            try:
                return take()
            except BlockingIOError:
                return None

        watching = watch(requests=supervisor.Requests(read, take_without_waiting))
        old = server.wait_for_host()
        os.write(write, b"x")
        new = take_over(server, old)
        watching.wait_for("have taken over")
        os.kill(new.hello["pid"], signal.SIGKILL)  # which is no request
        assert "replaces" not in server.wait_for_host().hello
    finally:
        os.close(write)


@pytest.mark.parametrize("developing", [True, False])
@pytest.mark.parametrize("overridden", [True, False])
def test_changed_file_in_developer_mode(bench, server, watch, monkeypatch, developing, overridden):
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.05)
    configured = int(developing is not overridden)
    (bench / "sites/common_site_config.json").write_text(f'{{"developer_mode": {configured}}}')
    file = write_app(bench, "chat", ECHO)
    watching = watch(overrides={"developer_mode": int(developing)} if overridden else {})
    old = server.wait_for_host()
    (file.parent / "helper.py").write_text("")
    if developing:
        take_over(server, old)
        watching.wait_for("have taken over")
        assert watching.said("Python handlers have changed") == 1
    else:
        os.kill(old.hello["pid"], signal.SIGKILL)  # so that it has reason to look around
        assert "replaces" not in server.wait_for_host().hello
        assert watching.said("have changed") == 0


@pytest.fixture
def unstarted(bench, server):
    """A watch without its thread, in developer mode."""
    (bench / "sites/common_site_config.json").write_text('{"developer_mode": 1}')
    watching = Watch(bench, server)
    yield watching
    watching.supervisor.forget()
    os.close(watching.log)


def test_of_two_languages_the_one_whose_files_have_changed_is_replaced(
    bench, unstarted, monkeypatch
):
    watching = unstarted.supervisor
    monkeypatch.setattr(supervisor, "_find_program", lambda _: "/usr/bin/node")

    def look(at):
        """When each host is due after that, by its language."""
        watching._look_at_files(at)
        return {language: host.due for language, host in watching._hosts.items()}

    write_app(bench, "chat", ECHO)
    watching._look_for_handlers(0.0)
    script = bench / "apps/board/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.touch()
    with (bench / "sites/apps.txt").open("a") as listed:
        listed.write("board\n")
    assert look(100.0) == {"python": 0, "node": 0}  # its first files are no changed ones
    assert unstarted.said("have changed") == 0
    script.write_text("changed")
    assert look(100.0 + supervisor.LOOK_SECONDS / 2) == {"python": 0, "node": 0}
    assert look(200.0) == {"python": 0, "node": 200}
    assert unstarted.said("JavaScript handlers have changed") == 1

    (bench / "sites/common_site_config.json").write_text("{")
    look(300.0)
    assert unstarted.said("WARNING") == 0  # without a change nothing is read anew
    script.write_text("changed again")
    assert look(300.0 + supervisor.LOOK_SECONDS / 2)["node"] == 200
    script.unlink()
    look(400.0)
    assert not watching._hosts["node"].wanted
    assert unstarted.said("have changed") == 1


def test_changed_files_of_a_language_that_cannot_run(bench, unstarted, monkeypatch):
    monkeypatch.setattr(supervisor, "_find_program", lambda _: None)
    script = bench / "apps/board/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.touch()
    (bench / "sites/apps.txt").write_text("board\n")
    unstarted.supervisor._look_for_handlers(0.0)
    script.write_text("changed")
    unstarted.supervisor._look_at_files(100.0)
    assert unstarted.said("have changed") == 0
    assert unstarted.said("the JavaScript handlers of board do not run") == 1


def test_what_no_app_needs_is_told_to_end_once(unstarted, hosts):
    unstarted.supervisor._hosts["python"] = hosts.host
    for now in (1.0, 2.0):
        unstarted.supervisor._look_for_handlers(now)
    assert hosts.started[0].signals == [signal.SIGTERM]
    unstarted.supervisor._hosts.clear()


def test_at_the_end_one_host_ends_sooner_than_another(unstarted, spawn):
    host = processes.Host("python", lambda *_: None, lambda *_: None)
    host.current, _ = spawn("")
    host.successor, printed = spawn(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('stubborn', flush=True); time.sleep(3600)"
    )
    wait_for(lambda: host.current.has_ended() and "stubborn" in printed())
    unstarted.supervisor._hosts["python"] = host
    unstarted.supervisor.begin_to_stop(0.1)
    unstarted.supervisor._stop_all()
    assert host.current.reaped
    assert host.successor.reaped


def test_stubborn_host_is_killed(bench, watch, monkeypatch):
    write_app(bench, "chat", "")
    play(
        monkeypatch,
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("stubborn", flush=True)
        time.sleep(3600)
        """,
    )
    watching = watch()
    watching.wait_for("stubborn")
    (pid,) = watching.pids()
    assert not watching.supervisor.join(0)
    watching.stop(0.2)
    assert not is_alive(pid)


def test_a_host_is_given_its_time_to_end(bench, watch, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0)  # where nothing else is said
    write_app(bench, "chat", "")
    play(
        monkeypatch,
        """
        import signal, time
        def finish(*_):
            time.sleep(0.2)
            print("finished", flush=True)
            raise SystemExit
        signal.signal(signal.SIGTERM, finish)
        print("runs", flush=True)
        time.sleep(3600)
        """,
    )
    watching = watch()
    watching.wait_for("runs")
    watching.stop(PATIENCE)
    assert watching.said("finished") == 1


def test_a_forked_child_closes_what_is_its_parents(bench, server, spawn):
    before = count_descriptors(os.getpid())
    watching = supervisor.Supervisor(str(bench), server.path, {})
    host = processes.Host("python", lambda *_: None, lambda *_: None)
    watching._hosts["python"] = host
    host.current, _ = spawn("import time; time.sleep(3600)")
    host.successor, _ = spawn("")
    wait_for(host.successor.has_ended)
    host.successor.reap()
    assert count_descriptors(os.getpid()) == before + 3
    watching.forget()  # what it does after os.fork
    assert count_descriptors(os.getpid()) == before
    host.current.descriptor = -1


def test_after_a_fork_the_parent_has_its_supervisor_and_the_child_none(bench, server):
    code = """
        import os, sys
        from frappe_rt.hosts import supervisor
        watching = supervisor._current = supervisor.Supervisor(*sys.argv[1:], {})
        pid = os.fork()
        if not pid:
            try:
                os.fstat(watching._wake_write)
            except OSError:
                os._exit(supervisor._current is not None)
            os._exit(2)
        os.fstat(watching._wake_write)
        assert supervisor._current is watching
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(bench), server.path]
    assert subprocess.run(command, timeout=PATIENCE).returncode == 0


def test_who_asks_never_waits(bench, server):
    """Also where nobody takes what is asked."""
    watching = supervisor.Supervisor(str(bench), server.path, {})
    for _ in range(fcntl.fcntl(watching._wake_write, fcntl.F_GETPIPE_SZ) + 1):
        watching.reload()
    watching.forget()


def test_somebody_else_reaps(bench, server, watch, monkeypatch):
    """gunicorn's master waits for any child of its process."""
    reap = os.waitpid

    def reap_before(pid, options):
        reap(pid, 0)
        raise ChildProcessError

    write_app(bench, "chat", ECHO)
    watching = watch()
    pid = server.wait_for_host().hello["pid"]
    monkeypatch.setattr(os, "waitpid", reap_before)
    os.kill(pid, signal.SIGKILL)
    server.wait_for_host()
    assert watching.said(f"(process {pid}) ended after") == 1


def test_program_in_path(tmp_path, monkeypatch):
    first, second, third = (tmp_path / name for name in "123")
    monkeypatch.setenv("PATH", f"{first}:{second}:{third}:")
    (first / "node").mkdir(parents=True)
    for folder, mode in ((second, 0o644), (third, 0o755)):
        folder.mkdir()
        (folder / "node").touch(mode)
    assert supervisor._find_program("node") == str(third / "node")
    assert supervisor._find_program("no such program") is None
    monkeypatch.delenv("PATH")
    assert supervisor._find_program("sh") in ("/bin/sh", "/usr/bin/sh")


def test_python_of_the_bench(bench, monkeypatch):
    assert supervisor._find_python(str(bench)) == sys.executable
    own = bench / "env/bin/python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert supervisor._find_python(str(bench)) == str(own)
    monkeypatch.setattr(sys, "prefix", str(bench / "env"))  # it is the one that runs here
    assert supervisor._find_python(str(bench)) == sys.executable
    (bench / "link").symlink_to(bench)
    assert supervisor._find_python(str(bench / "link")) == sys.executable


def test_socket_of_another_process(bench, server):
    """Of two servers of one bench, the one that has the local socket runs the handlers. The other
    says so once."""
    write_app(bench, "chat", ECHO)
    code = f"""
        import sys, time
        from frappe_rt.hosts import supervisor
        supervisor.FIRST_PAUSE = 0.01
        look, looks = supervisor.Supervisor._find_hindrance, []
        def count(watching):
            looks.append(1)
            return look(watching)
        supervisor.Supervisor._find_hindrance = count
        watching = supervisor.start(*sys.argv[1:], {{}})
        while len(looks) < 5:
            time.sleep(0.01)
        watching.begin_to_stop()
        assert watching.join({PATIENCE})
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(bench), server.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0
    [told] = done.stderr.splitlines()
    assert f"do not run yet: {server.path} belongs to the server of process {os.getpid()}" in told
    assert server.hosts.empty()


def test_who_waits_for_the_socket_looks_ever_less_often(bench, server):
    """And says nothing where no app has handlers."""
    watching = Watch(bench, server)
    pauses = []

    def wait(seconds):
        pauses.append(seconds)
        watching.supervisor._stopping = len(pauses) == 8

    watching.supervisor._find_hindrance = lambda: "belongs to another"
    watching.supervisor._wait = wait
    watching.supervisor._wait_for_socket()
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
    assert watching.path.read_text() == ""
    os.close(watching.log)


def test_a_server_that_takes_nobody_in_is_not_waited_for(bench, tmp_path):
    path = str(tmp_path / "full.sock")
    watching = supervisor.Supervisor(str(bench), path, {})
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(path)
        full.listen(0)
        with suppress(BlockingIOError):
            while True:
                peer = sockets.enter_context(socket.socket(socket.AF_UNIX))
                peer.setblocking(False)
                peer.connect(path)
        found = watching._find_hindrance()
    watching.forget()
    assert found.startswith("cannot be reached (")


def test_with_nobody_to_tell_it_goes_on(bench, server):
    watching = supervisor.Supervisor(str(bench), server.path, {}, log=-1)
    watching._say("INFO", "to nobody")
    watching.forget()


@pytest.mark.parametrize("handlers", [True, False])
def test_a_server_without_local_socket_says_so_where_an_app_has_handlers(
    bench, tmp_path, monkeypatch, handlers
):
    monkeypatch.setattr(time, "time", lambda: 5.0625)
    if handlers:
        write_app(bench, "chat", ECHO)
    path = tmp_path / "log"
    log = os.open(path, os.O_WRONLY | os.O_CREAT)
    supervisor.tell_no_socket(str(bench), "it is off", log)
    os.close(log)
    told = (
        "WARNING frappe_rt.handlers handlers do not run: they need the local socket, and it is off"
    )
    assert path.read_text().endswith(f":05,062 {told}\n" if handlers else "")
    assert bool(path.read_text()) == handlers


def test_the_end_of_the_watch_is_told(bench, server, watch, monkeypatch):
    """The server goes on, and stops when it is told to."""

    def fail(*_):
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(supervisor.Supervisor, "_look_for_handlers", fail)
    watching = watch()
    assert watching.supervisor.join(PATIENCE)
    said = "ERROR frappe_rt.handlers handlers are no longer watched: RuntimeError: "
    assert watching.said(f"{said}nobody thought of it\n") == 1


def test_a_socket_that_comes_late(bench, server, watch):
    write_app(bench, "chat", ECHO)
    Path(server.path).rename(bench / "later.sock")
    watching = watch()
    watching.wait_for("cannot be reached (No such file or directory)")
    (bench / "later.sock").rename(server.path)
    assert server.wait_for_host().hello["events"] == ["e"]
    assert watching.said("do not run yet") == 1


def test_waking_one_that_ends_writes_to_no_other_file(bench, server):
    """Its descriptors are closed, and their numbers may be another file's at once."""
    for _ in range(30):
        watching = Watch(bench, server)
        watching.supervisor.start()
        ended = threading.Event()

        def wake(supervisor=watching.supervisor, ended=ended):
            while not ended.is_set():
                supervisor.read_again()
            supervisor.read_again()

        waker = threading.Thread(target=wake)
        waker.start()
        watching.stop()
        read, write = os.pipe2(os.O_NONBLOCK)
        ended.set()
        waker.join()
        with pytest.raises(BlockingIOError):
            os.read(read, 1)
        for descriptor in (read, write, watching.log):
            os.close(descriptor)


def test_serving_stays_small():
    code = "import sys, frappe_rt.cli.serving.run, frappe_rt.hosts.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    heavy = {"asyncio", "click", "logging", "socket", "subprocess", "threading"}
    assert heavy & set(loaded.split()) == set()
