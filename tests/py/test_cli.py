"""The command line, as a process of its own."""

import fcntl
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import termios
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.bench import PATIENCE, ask, wait_for
from support.fake_host import FakeHost
from support.host_server import write_app
from support.processes import configure, get_free_port

from frappe_rt.cli.serving.process import LOOK_SECONDS


@pytest.fixture
def bench(tmp_path):
    for folder in ("sites", "apps"):
        (tmp_path / folder).mkdir()
    return tmp_path


def start(*words, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "frappe_rt", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def run(*words, cwd, **environment):
    process = start(*words, cwd=cwd, **environment)
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


class Serve:
    """A running `serve`; `output` grows by what it prints."""

    def __init__(self, bench, *options, **environment):
        self.process = start("serve", *options, cwd=bench, **environment)
        self.output = ""

    def read_until(self, text):
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {self.output}")

    def end(self, how=signal.SIGTERM):
        """Exit status: not 0 when it took longer than a stop may take."""
        self.process.send_signal(how)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.output += rest
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal(bench, how):
    port = get_free_port()
    configure(bench, socketio_port=port, frappe_rt_redis=0)
    with Serve(bench) as serve:
        assert f"0.0.0.0:{port}" in serve.read_until("listens on")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            assert serve.end(how) == 0, serve.output


def test_starts_without_redis_and_web_process_and_says_so(bench):
    redis, web = get_free_port(), get_free_port()
    configure(
        bench, socketio_port=0, redis_queue=f"redis://u:hush@127.0.0.1:{redis}", webserver_port=web
    )
    with Serve(bench, "--port", "0") as serve:
        serve.read_until("listens on")
        told = serve.read_until("redis: ")
        assert f"127.0.0.1:{redis} is not there yet (Connection refused)" in told
        told = serve.read_until("web process: ")
        assert f"127.0.0.1:{web} is not there yet (Connection refused)" in told
        assert serve.end() == 0
        assert "hush" not in serve.output


def test_options_stand_above_the_configuration(bench, tmp_path):
    configure(bench, socketio_uds=str(tmp_path / "rt.sock"))
    with Serve(bench, "--port", "0", "--host", "127.0.0.1", "--no-redis") as serve:
        assert "127.0.0.1:" in serve.read_until("listens on")
        serve.read_until("redis: not used")
        assert not (tmp_path / "rt.sock").exists()


def test_unix_socket(bench, tmp_path):
    configure(bench, socketio_port=get_free_port())
    path = tmp_path / "rt.sock"
    with Serve(bench, "--uds", str(path), "--no-redis") as serve:
        assert str(path) in serve.read_until("listens on")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert serve.end() == 0
    assert not path.exists()


def test_bench_option_and_environment(bench, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    configure(bench, frappe_rt_redis=0)
    for options, environment in (
        (["--bench", str(bench)], {}),
        ([], {"FRAPPE_BENCH_ROOT": str(bench)}),
    ):
        with Serve(elsewhere, "--port", "0", *options, **environment) as serve:
            assert serve.read_until("bench:") == f"bench: {bench}\n"


def test_outside_a_bench(tmp_path):
    with Serve(tmp_path, "--port", "0", "--no-redis") as serve:
        assert "none found" in serve.read_until("bench:")


def test_port_in_use(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        configure(bench, socketio_port=port, frappe_rt_redis=0)
        status, output = run("serve", cwd=bench)
    assert status == 1
    assert output.count("\n") == 1, output
    assert str(port) in output
    assert "socketio_port" in output


def test_broken_configuration(bench):
    (bench / "sites/common_site_config.json").write_text('{\n  "socketio_port": 9000,,\n}\n')
    for command in ("serve", "config"):
        status, output = run(command, cwd=bench)
        assert status == 1
        assert output.count("\n") == 1, output
        assert "common_site_config.json" in output
        assert "line 2" in output


@pytest.mark.parametrize("words", [["serve", "--port", "x"], ["serve", "--bench", "/none"], ["no"]])
def test_wrong_usage(bench, words):
    status, output = run(*words, cwd=bench)
    assert status == 2
    assert "Error" in output


def test_no_colours_in_a_pipe(bench):
    configure(bench, redis_queue=f"redis://127.0.0.1:{get_free_port()}")
    with Serve(bench, "--port", "0") as serve:
        serve.read_until("web process: ")
        serve.end()
        assert "\x1b" not in serve.output


def test_config_shows_where_values_are_from(bench):
    configure(bench, socketio_port=9123, redis_queue="redis://:hush@h:1")
    status, output = run("config", cwd=bench, FRAPPE_SITE="one.localhost")
    assert status == 0
    lines = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line}
    assert lines["socketio_port"] == ["9123", "common_site_config.json"]
    assert lines["default_site"] == ['"one.localhost"', "environment", "live"]
    assert lines["webserver_port"] == ["8000", "default", "live"]
    assert "hush" not in output


def test_config_as_json(bench):
    status, output = run("config", "--json", cwd=bench)
    assert status == 0
    assert json.loads(output)["socketio_port"]["value"] == 9000


def test_config_names_an_unknown_key(bench):
    configure(bench, frappe_rt_cach_ms=1)
    done = subprocess.run(
        [sys.executable, "-m", "frappe_rt", "config", "--json"],
        cwd=bench,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["frappe_rt_cache_ms"]["from"] == "default"
    [line] = done.stderr.splitlines()
    assert line.startswith("frappe_rt: sites/common_site_config.json: 'frappe_rt_cach_ms' is no")
    assert line.endswith("did you mean frappe_rt_cache_ms?")


def test_help_names_every_command(bench):
    status, output = run("--help", cwd=bench)
    assert status == 0
    for command in ("config", "demo", "serve", "stats"):
        assert f"  {command} " in output
        assert run(command, "--help", cwd=bench)[0] == 0


def test_version(bench):
    status, output = run("--version", cwd=bench)
    assert (status, output.split()[0]) == (0, "frappe_rt,")


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(bench, abstract):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        path = f"@{bench}/notify" if abstract else str(bench / "notify")
        systemd.bind(path.replace("@", "\0"))
        systemd.settimeout(PATIENCE)
        port = get_free_port()
        with Serve(bench, "--port", str(port), "--no-redis", NOTIFY_SOCKET=path) as serve:
            assert systemd.recv(100) == b"READY=1"
            socket.create_connection(("127.0.0.1", port)).close()  # not a moment too early
            assert serve.end() == 0
            assert systemd.recv(100) == b"STOPPING=1"


def test_a_systemd_that_does_not_listen_is_no_reason_to_stop(bench):
    with Serve(bench, "--port", "0", "--no-redis", NOTIFY_SOCKET=f"{bench}/none") as serve:
        assert f"cannot tell {bench}/none (NOTIFY_SOCKET) READY=1" in serve.read_until("NOTIFY")
        assert serve.end() == 0


def test_the_limit_on_open_files_is_raised(bench):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1, 512), hard))
        with Serve(bench, "--port", "0", "--no-redis") as serve:
            serve.read_until("listens on")
            limits = Path(f"/proc/{serve.process.pid}/limits").read_text()
            [files] = [line for line in limits.splitlines() if line.startswith("Max open files")]
            assert files.split()[3:5] == [str(hard), str(hard)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("port", "becomes_another"), [("0", False), ("+0", True)])
def test_what_serves_carries_no_command_line(bench, port, becomes_another):
    """Click, its children and libcurl are not in memory: it was not needed, or the process has
    become one without it."""
    with Serve(bench, "--port", port, "--no-redis") as serve:
        serve.read_until("listens on")
        words = Path(f"/proc/{serve.process.pid}/cmdline").read_bytes().split(b"\0")
        assert (b"frappe_rt.cli.serving" in words) == becomes_another
        assert "libcurl" not in Path(f"/proc/{serve.process.pid}/maps").read_text()
    code = "import sys, frappe_rt.cli.serving.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert {"click", "socket", "subprocess", "logging"} & set(loaded.split()) == set()


def listen_on_3(listener):
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)


def test_socket_activation(bench):
    """As systemd does it: the socket is descriptor 3, and LISTEN_PID the process's own id."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        shell = 'export LISTEN_PID=$$; exec "$0" -m frappe_rt serve --no-redis'
        process = subprocess.Popen(
            ["sh", "-c", shell, sys.executable],
            cwd=bench,
            env=os.environ | {"LISTEN_FDS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            close_fds=False,
            preexec_fn=lambda: listen_on_3(listener),
        )
        port = listener.getsockname()[1]
    try:
        assert f"listens on 127.0.0.1:{port}\n" in process.stdout.readline()
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.recv(12) == b"HTTP/1.1 200"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_sockets_of_another_process_are_left_alone(bench):
    with Serve(bench, "--port", "0", "--no-redis", LISTEN_FDS="1", LISTEN_PID="1") as serve:
        assert "0.0.0.0:" in serve.read_until("listens on")


def test_a_descriptor_that_does_not_listen(bench):
    shell = 'export LISTEN_PID=$$; exec "$0" -m frappe_rt serve 3</dev/null'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable],
        cwd=bench,
        env=os.environ | {"LISTEN_FDS": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "descriptor 3 was handed over to listen on, but is not a listening stream" in done.stderr


@pytest.mark.parametrize("last", ["", "--"], ids=["plain", "read by Click"])
def test_it_ends_with_its_parent(bench, last):
    """What Click has to read is served by another program in the same process (`exec`)."""
    options = f"--port 0 --no-redis --die-with-parent {last}"
    shell = f'"$0" -m frappe_rt serve {options} & echo $!; read line'
    parent = subprocess.Popen(
        ["sh", "-c", shell, sys.executable],
        cwd=bench,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("listens on" in line for line in parent.stdout)
        parent.kill()
        rest = parent.stdout.read()  # ends when the child has
        assert "frappe_rt stops" in rest
    finally:
        parent.kill()
        parent.communicate()


def test_it_does_not_begin_when_its_parent_has_ended_before(bench):
    order = json.dumps([str(bench), {"socketio_port": 0}, "info", None, os.getpid()])
    # The parent of the process is the shell, not this process.
    shell = '"$0" -m frappe_rt.cli.serving "$1"; exit $?'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, order], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("origin", ["common_site_config.json", "environment"])
def test_a_redis_that_is_none_is_told_with_its_key_and_without_its_password(bench, origin):
    url = "http://:secret@127.0.0.1:1"
    configure(bench, **({"redis_queue": url} if "json" in origin else {}))
    more = {} if "json" in origin else {"FRAPPE_REDIS_QUEUE": url}
    status, output = run("serve", "--port", "0", cwd=bench, **more)
    assert status == 1
    assert output == (
        f"frappe_rt: {origin}: redis_queue is not the URL of a Redis server: "
        "expected redis://, rediss:// or unix://\n"
    )


def test_log_lines_are_in_frappes_format(bench):
    """That of `frappe.utils.logger`: time, level, name, text."""
    log = bench / "frappe_rt.log"
    options = ["--port", "0", "--no-redis", "--log-file", str(log)]
    with Serve(bench, *options, TZ="UTC-3") as serve:
        serve.read_until("web process: ")
        assert serve.end() == 0
    line = re.compile(
        r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) WARNING frappe_rt\.local no local .*"
    )
    [found] = filter(None, map(line.fullmatch, log.read_text().splitlines()))
    then = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=timezone.utc)
    # In local time, as Python's logging has it: three hours ahead.
    assert timedelta(hours=2) < then - datetime.now(timezone.utc) <= timedelta(hours=3)


def test_log_file_is_opened_again(bench):
    configure(bench, redis_queue=f"redis://127.0.0.1:{get_free_port()}")
    log = bench / "frappe_rt.log"
    with Serve(bench, "--port", "0", "--log-file", str(log)) as serve:
        serve.read_until("web process: ")
        wait_for(lambda: "trying again" in log.read_text())
        log.rename(bench / "old.log")
        serve.process.send_signal(signal.SIGHUP)
        wait_for(log.exists)
        assert serve.end() == 0
        assert "WARNING" not in serve.output


HANDLERS = """
from frappe_rt.handlers import realtime

@realtime.on("hello")
async def hello(socket):
    return "hello"
"""


def test_hosts_of_handlers_follow_to_the_new_log_file(bench):
    (bench / "config").mkdir()
    write_app(bench, "chat", HANDLERS)
    log, old = bench / "frappe_rt.log", bench / "old.log"
    with Serve(bench, "--port", "0", "--no-redis", "--log-file", str(log)) as serve:
        wait_for(lambda: log.exists() and "handlers of chat: hello" in log.read_text())
        log.rename(old)
        serve.process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.exists() and "taken over" in log.read_text())
        assert "handlers of chat: hello" in log.read_text()
        [answer] = ask(str(bench / "config/frappe_rt.sock"), b'{"rt":"hosts"}')
        [host] = answer["hosts"]
        assert Path(f"/proc/{host['pid']}/fd/2").resolve() == log
        assert serve.end() == 0


@pytest.mark.parametrize("where", ["-", "/dev/full"])
@pytest.mark.parametrize("how", ["", "-u"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", ["config", "stats", "--help"])
def test_stdout_that_takes_nothing(bench, command, how, where):
    configure(bench, socketio_port=0, frappe_rt_redis=0)
    (bench / "config").mkdir()
    with Serve(bench) as serve:
        serve.read_until("listens on")
        to = "&-" if where == "-" else where
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" {how} -m frappe_rt {command} >{to}', sys.executable],
            cwd=bench,
            env={key: os.environ[key] for key in os.environ if key != "PYTHONUNBUFFERED"},
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    why = "stdout is closed" if where == "-" else "cannot write to stdout: No space left on device"
    assert (done.returncode, done.stderr) == (1, f"frappe_rt: {why}\n")


def test_reload_where_no_app_has_handlers(bench):
    configure(bench, socketio_port=0, frappe_rt_redis=0)
    (bench / "config").mkdir()
    with Serve(bench) as serve:
        serve.read_until("listens on")
        none = "no app of this bench has realtime handlers; there are none to start\n"
        assert run("reload", cwd=bench) == (0, none)
        write_app(bench, "one", "")
        status, output = run("reload", cwd=bench)
        assert (status, output[:31]) == (0, "the handlers are started anew; ")


def test_log_file_is_a_fifo(bench):
    """Without a reader its open would wait, with all signals blocked."""
    log = bench / "log"
    os.mkfifo(log)
    options = ["--port", "0", "--no-redis", "--log-file", str(log)]
    status, output = run("serve", *options, cwd=bench)
    assert status == 1
    assert "log (--log-file): it is a FIFO that nobody reads; start the reader first" in output
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    with Serve(bench, *options) as serve:
        serve.read_until("listens on")
        assert serve.end() == 0, serve.output
    os.close(reader)


def test_log_file_that_cannot_be(bench):
    status, output = run("serve", "--log-file", f"{bench}/none/x.log", cwd=bench)
    assert status == 1
    assert f"cannot write to {bench}/none/x.log (--log-file): No such file" in output


def test_a_terminal_that_is_closed_ends_it(bench):
    """As for any program in the foreground. Elsewhere SIGHUP means: read again."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "frappe_rt", "serve", "--port", "0", "--no-redis"],
        cwd=bench,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    try:
        os.close(theirs)
        shown = b""
        while b"web process" not in shown:
            shown += os.read(ours, 1000)
        os.close(ours)  # the kernel sends SIGHUP
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_an_interval_that_is_no_number_is_refused(bench):
    status, output = run("stats", "--watch", "--interval", "nan", cwd=bench)
    assert status == 2
    assert "nan is not a number of seconds; give 0.1 to 3600" in output


class TestStats:
    @pytest.fixture(autouse=True)
    def with_config(self, bench):
        (bench / "config").mkdir()

    @pytest.fixture
    def serve(self, bench):
        with Serve(bench, "--port", "0", "--no-redis") as serve:
            serve.read_until("web process: ")
            yield serve

    def test_plain_text_in_a_pipe(self, bench, serve):
        status, output = run("stats", cwd=bench / "sites")
        assert status == 0
        figures = dict(line.split(" ", 1) for line in output.splitlines())
        assert figures["local_lines.commands"] == "1"
        assert figures["clients"] == "0"
        assert "\x1b" not in output

    def test_json(self, bench, serve, tmp_path_factory):
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        status, output = run("stats", "--json", "--bench", str(bench), cwd=elsewhere)
        assert status == 0
        assert json.loads(output)["local_peers"] == 1

    def test_explain(self, bench, serve):
        status, output = run("stats", "--explain", cwd=bench)
        assert status == 0
        commands = next(line for line in output.splitlines() if "local_lines.commands" in line)
        assert commands.split(maxsplit=2) == [
            "local_lines.commands",
            "1",
            "Commands received on the local socket.",
        ]

    def test_explain_names_each_host(self, bench, serve):
        with FakeHost(str(bench / "config/frappe_rt.sock"), ["hello"]) as host:
            status, output = run("stats", "--explain", cwd=bench)
        assert status == 0
        assert f"\nhosts.emits[{host.id}] " in output

    def test_explain_as_json(self, bench, serve):
        status, output = run("stats", "--explain", "--json", cwd=bench)
        assert status == 0
        assert {"name", "value", "type", "unit", "help"} == set(json.loads(output)["figures"][0])

    def test_prometheus(self, bench, serve):
        status, output = run("stats", "--prometheus", cwd=bench)
        assert status == 0
        assert "\nfrappe_rt_local_lines_commands_total 1\n" in output
        assert not output.endswith("\n\n")

    @pytest.mark.parametrize("other", ["--json", "--explain"])
    def test_prometheus_alone(self, bench, other):
        status, output = run("stats", "--prometheus", other, cwd=bench)
        assert status == 2
        assert "--prometheus goes with neither --json nor --explain." in output

    def test_a_server_that_cannot_explain(self, bench):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(bench / "config/frappe_rt.sock"))
            listener.listen()
            process = start("stats", "--explain", cwd=bench)
            peer, _ = listener.accept()
            with peer, peer.makefile("rwb") as stream:
                assert json.loads(stream.readline()) == {"rt": "figures"}
                stream.write(b'{"error":"no such command"}\n')
            output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert output.endswith("config/frappe_rt.sock: no such command\n")

    def test_watch(self, bench, serve):
        process = start("stats", "--json", "--watch", "--interval", "0.1", cwd=bench)
        counts = [json.loads(process.stdout.readline())["turns"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        more, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert all("turns" in json.loads(line) for line in more.splitlines())  # and nothing else
        assert counts[0] < counts[1] < counts[2]

    def test_watch_until_the_server_goes(self, bench, serve):
        process = start("stats", "--json", "--watch", "--interval", "0.1", cwd=bench)
        assert process.stdout.readline()
        assert serve.end() == 0
        *_, last = process.communicate(timeout=PATIENCE)[0].splitlines()
        assert process.returncode == 1
        assert last.startswith("frappe_rt: the server at ")
        assert str(bench / "config/frappe_rt.sock") in last

    def show_on_terminal(self, bench):
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "frappe_rt", "stats"],
            cwd=bench,
            stdout=its,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "50"},
        )
        os.close(its)
        output = ""
        with suppress(OSError):  # how a terminal says that the other side has closed
            while piece := os.read(ours, 10000):
                output += piece.decode()
        os.close(ours)
        assert process.wait(PATIENCE) == 0
        return output.replace("\x1b[1m", "").replace("\x1b[0m", "").split("\r\n")

    def test_columns_on_a_terminal(self, bench, serve):
        lines = self.show_on_terminal(bench)
        assert lines[0].startswith(f"{bench}/config/frappe_rt.sock, up 00:0")
        assert any("clients" in line for line in lines)
        assert "local lines" in lines
        assert any(line.split() == ["commands", "1"] for line in lines)
        assert max(map(len, lines[1:])) <= 100

    def test_columns_with_handlers(self, bench):
        write_app(bench, "chat", HANDLERS)
        with Serve(bench, "--port", "0", "--no-redis") as serve:
            serve.read_until("handlers of chat: hello")
            lines = self.show_on_terminal(bench)
        assert any(re.fullmatch(r"python handlers, process \d+, active", line) for line in lines)
        assert max(map(len, lines[1:])) <= 100

    @pytest.mark.parametrize(
        ("case", "said"),
        [
            ("none", "no server runs here: {path}: No such file or directory"),
            ("killed", "no server runs here: {path}: Connection refused"),
            ("off", "no local socket to ask: frappe_rt_local_socket is off\n"),
            ("no bench", "no local socket to ask: no bench was found, and frappe_rt_local_socket "),
            ("no bench", ": change into a bench, give --bench, or set an absolute path\n"),
            ("broken", "common_site_config.json, line 1, column 2: not valid JSON"),
            ("deaf", "the server at {path} did not answer within 3 seconds"),
        ],
    )
    def test_errors(self, bench, case, said):
        path = bench / "config/frappe_rt.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            if case in ("killed", "deaf"):
                listener.bind(str(path))
            if case == "deaf":
                listener.listen()
            if case == "off":
                configure(bench, frappe_rt_local_socket=False)
            if case == "broken":
                (bench / "sites/common_site_config.json").write_text("{")
            status, output = run("stats", cwd="/" if case == "no bench" else bench)
        assert status == 1
        assert output.count("\n") == 1, output
        assert said.format(path=path) in output


class TestReading:
    """The configuration, again."""

    def serve(self, bench, **values):
        self.port = get_free_port()
        configure(bench, socketio_port=self.port, frappe_rt_redis=False, **values)
        serve = Serve(bench)
        serve.read_until("web process: ")
        return serve

    @pytest.mark.parametrize("signalled", [True, False])
    def test_a_new_value_counts(self, bench, signalled):
        with self.serve(bench, webserver_port=1) as serve:
            configure(bench, socketio_port=self.port, frappe_rt_redis=False, webserver_port=2)
            if signalled:
                serve.process.send_signal(signal.SIGHUP)
            assert "webserver_port is 2 now" in serve.read_until("webserver_port")
            assert serve.end() == 0

    def test_what_counts_from_the_next_start(self, bench):
        with self.serve(bench) as serve:
            configure(bench, socketio_port=1, frappe_rt_redis=False, developer_mode=True)
            serve.process.send_signal(signal.SIGHUP)
            assert "restart the server to use the new value" in serve.read_until("socketio_port")
            assert "true now" in serve.read_until("developer_mode")
            assert serve.end() == 0

    def test_a_broken_file_changes_nothing(self, bench):
        with self.serve(bench, default_site="one.localhost") as serve:
            (bench / "sites/common_site_config.json").write_text("{")
            serve.process.send_signal(signal.SIGHUP)
            told = serve.read_until("stays as it was")
            assert "common_site_config.json, line 1" in told
            configure(
                bench, socketio_port=self.port, frappe_rt_redis=False, default_site="two.localhost"
            )
            serve.process.send_signal(signal.SIGHUP)
            assert '"two.localhost" now' in serve.read_until("default_site")
            assert serve.end() == 0

    def test_a_broken_file_is_told_of_once(self, bench):
        """Also where there are handlers, whose keeper reads it as well."""
        (bench / "config").mkdir()
        write_app(bench, "chat", HANDLERS)
        with self.serve(bench) as serve:
            serve.read_until("handlers of chat: hello")
            (bench / "sites/common_site_config.json").write_text("{")
            serve.process.send_signal(signal.SIGHUP)
            serve.read_until("stays as it was")
            assert serve.end() == 0
            assert serve.output.count("common_site_config.json, line 1") == 1


def test_a_line_is_one_write_also_without_a_buffer():
    """Or the lines of the server's thread and of hosts would come in between."""
    read, write = os.pipe2(os.O_DIRECT)  # keeps writes apart
    said = "from frappe_rt.terminal import say; say('one'); say('two')"
    unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
    subprocess.run([sys.executable, "-c", said], stdout=write, env=unbuffered, check=True)
    os.close(write)
    assert [os.read(read, 100), os.read(read, 100), os.read(read, 100)] == [b"one\n", b"two\n", b""]
    os.close(read)


def test_it_goes_on_after_it_was_stopped(bench):
    """By Ctrl-Z and `fg`, say, with the next look at the files due in between."""
    with Serve(bench, "--port", "0", "--no-redis") as serve:
        serve.read_until("web process: ")
        serve.process.send_signal(signal.SIGSTOP)
        time.sleep(LOOK_SECONDS + 0.5)
        serve.process.send_signal(signal.SIGCONT)
        configure(bench, webserver_port=2)
        assert "webserver_port is 2 now" in serve.read_until("webserver_port")
        assert serve.end() == 0


def test_nobody_reads_what_it_prints(bench):
    process = start("serve", "--port", "0", "--no-redis", cwd=bench)
    try:
        while "web process" not in process.stdout.readline():
            pass
        process.stdout.close()
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_plain_serve_starts_without_click(bench):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "frappe_rt", "serve"],
        cwd=bench,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"FRAPPE_SOCKETIO_PORT": str(get_free_port()), "FRAPPE_RT_REDIS": "0"},
    )
    try:
        while "web process" not in process.stdout.readline():
            assert process.poll() is None
        process.terminate()
        _, imported = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "frappe_rt.cli.serving.run" in imported
        assert "click" not in imported
    finally:
        process.kill()
        process.communicate()
