"""Start, stop, fork, exit: the real server thread."""

import ast
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from support.bench import PATIENCE, get_figures, wait_for
from support.processes import count_descriptors, list_thread_names

import frappe_rt
from frappe_rt import config
from frappe_rt.publishing import deliver

SETTINGS = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}


def start(**more):
    return frappe_rt.start("", "one.localhost", **(SETTINGS | more))


@pytest.fixture(autouse=True)
def stopped():
    yield
    frappe_rt.stop()


def run(code):
    """A fresh interpreter; its exit status must be 0. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def test_start_and_stop():
    assert not frappe_rt.running()
    server = start()
    assert frappe_rt.running()
    assert server.addresses == [f"127.0.0.1:{server.port}"]
    assert server.uds is None
    assert is_listening(server.port)
    assert frappe_rt.stop() is True
    assert not frappe_rt.running()
    assert not is_listening(server.port)


def test_again_and_again_on_the_same_port():
    port = start().port
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)):
            frappe_rt.stop()
        assert start(socketio_port=port).port == port


def test_start_twice_is_one_server():
    server = start()
    assert start() is server


def test_start_on_sockets_that_listen_already(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        port = tcp.getsockname()[1]
        server = frappe_rt.start(
            "", sockets=[os.dup(tcp.fileno()), os.dup(unix.fileno())], frappe_rt_redis=False
        )
        assert (server.port, server.addresses) == (port, [f"127.0.0.1:{port}"])
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.recv(12) == b"HTTP/1.1 200"
    assert is_listening(port)
    frappe_rt.stop()
    assert not is_listening(port)


def test_sockets_that_are_somebody_elses_listen_on(tmp_path):
    """systemd keeps them, and starts us again when somebody comes."""
    path = str(tmp_path / "s")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        for _ in range(2):
            sockets = [os.dup(tcp.fileno()), os.dup(unix.fileno())]
            frappe_rt.start("", sockets=sockets, socketio_uds=path, frappe_rt_redis=False)
            for family, address in ((socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, path)):
                with socket.socket(family) as peer:
                    peer.connect(address)
                    peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert peer.recv(12) == b"HTTP/1.1 200"
            frappe_rt.stop()
        for family, address in ((socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, path)):
            with socket.socket(family) as peer:
                peer.connect(address)


@pytest.mark.parametrize("count", [1, 9, 65])
def test_sockets_that_do_not_listen(count):
    with socket.socket() as idle:
        with pytest.raises(ValueError, match=r"not a listening stream|at most 8|at most 64"):
            frappe_rt.start("", sockets=[idle.fileno()] * count, frappe_rt_redis=False)
        assert not frappe_rt.running()
        idle.getsockname()  # still open


@pytest.mark.parametrize(
    ("make", "options", "why"),
    [
        (lambda fd: [fd, fd], {}, "descriptor {} was handed over twice"),
        (lambda fd: [fd, 0], {}, "descriptor 0 was handed over to listen on, but is not"),
        (lambda fd: [fd, 2**32 + fd], {}, "is not a descriptor"),
        (lambda fd: [fd, 2**70], {}, "1180591620717411303424 was handed over"),
        (lambda fd: [fd, -1], {}, "-1 was handed over"),
        (lambda fd: [fd], {"redis_queue": "no url"}, "redis_queue"),
    ],
)
def test_a_failed_start_leaves_the_sockets_open(make, options, why):
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        before = count_descriptors(os.getpid())
        with pytest.raises(ValueError, match=why.format(tcp.fileno())):
            frappe_rt.start("", sockets=make(tcp.fileno()), **options)
        assert count_descriptors(os.getpid()) == before
        assert is_listening(tcp.getsockname()[1])
        server = frappe_rt.start("", sockets=[tcp.detach()], frappe_rt_redis=False)
    frappe_rt.stop()
    assert not is_listening(server.port)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"socketio_uds": "/tmp/a\0b"}, "socketio_uds"),
        ({"site": "a\0b"}, "default_site"),
        ({"socketio_allowed_origins": ["*", "\0"]}, "socketio_allowed_origins"),
    ],
)
def test_a_nul_in_an_option(options, key):
    with pytest.raises(ValueError, match=f"{key} has a NUL character in it"):
        frappe_rt.start("", frappe_rt_redis=False, **options)
    assert not frappe_rt.running()


def test_a_warning_is_one_line():
    line = run(r"""
        import os
        from frappe_rt import _rt
        read, write = os.pipe()
        _rt.set_log(2, write)
        _rt.warn("config", "a\n2026 ERROR b\x1b[2J\x7f \xe9")
        print(ascii(os.read(read, 1000).decode()))
    """)
    assert line.strip().endswith(r" a\\x0a2026 ERROR b\\x1b[2J\\x7f \xe9\n'")


def test_start_otherwise_while_it_runs():
    server = start()
    with pytest.raises(
        RuntimeError, match=f"runs in this process already, on 127.0.0.1:{server.port}"
    ):
        start(socketio_port=1)
    assert frappe_rt.running()


def test_stop_twice():
    start()
    assert [frappe_rt.stop(), frappe_rt.stop()] == [True, False]


def count_threads():
    return list_thread_names(os.getpid()).count("frappe_rt")


def test_a_thread_that_is_not_waited_for_ends_all_the_same():
    start()
    frappe_rt.stop()  # libuv keeps a pipe of its own from the first loop on
    before = count_descriptors(os.getpid())
    for _ in range(50):
        start()
        frappe_rt.stop(0)
    assert frappe_rt.stop(PATIENCE) is False
    assert count_threads() == 0
    assert count_descriptors(os.getpid()) == before


def test_a_fork_waits_for_the_end_of_a_thread_left_behind():
    for _ in range(20):
        start()
        frappe_rt.stop(0)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert count_threads() == 0
        assert os.waitpid(child, 0)[1] == 0


def test_stop_without_start():
    assert frappe_rt.stop() is False


def test_a_with_block_stops_its_own_server_only():
    with start():
        frappe_rt.stop()
        other = start(socketio_port=0, default_site="two.localhost")
    assert frappe_rt.running()
    with other:
        assert is_listening(other.port)
    assert not frappe_rt.running()


def test_a_server_is_shown_with_its_address_and_whether_it_runs():
    first = start()
    where = f"127.0.0.1:{first.port}"
    assert repr(first) == f"<frappe_rt.Server on {where}, running>"
    frappe_rt.stop()
    assert repr(first) == f"<frappe_rt.Server on {where}, stopped>"
    second = start()
    assert repr(first) == f"<frappe_rt.Server on {where}, stopped>"
    assert repr(second) == f"<frappe_rt.Server on 127.0.0.1:{second.port}, running>"


NO_SECONDS = [
    (-1, ValueError),
    (-0.001, ValueError),
    (float("nan"), ValueError),
    (float("inf"), ValueError),
    (86_401, ValueError),
    (10**400, ValueError),
    ("2", TypeError),
    (None, TypeError),
]


@pytest.mark.parametrize(("seconds", "error"), NO_SECONDS, ids=lambda value: str(value)[:9])
def test_what_is_no_number_of_seconds_is_refused(seconds, error):
    start()
    for function, name in ((frappe_rt.stop, "deadline"), (frappe_rt.stats, "timeout")):
        with pytest.raises(error) as refused:
            function(seconds)
        assert str(refused.value).startswith(f"{name} is {seconds!r}")
        assert "give" in str(refused.value)
    assert frappe_rt.running()


def test_context_manager():
    with start() as server:
        assert is_listening(server.port)
    assert not frappe_rt.running()


def test_unix_socket(tmp_path):
    path = tmp_path / "rt.sock"
    for _ in range(2):
        server = start(socketio_uds=str(path))
        assert (server.port, server.uds, server.addresses) == (None, str(path), [str(path)])
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
        frappe_rt.stop()
        assert not path.exists()


def test_stale_unix_socket_is_replaced(tmp_path):
    path = tmp_path / "rt.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    start(socketio_uds=str(path))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))


def test_all_addresses_by_default():
    server = start(frappe_rt_host="")
    assert server.addresses == [f"0.0.0.0:{server.port}", f"[::]:{server.port}"]
    for address in ("127.0.0.1", "::1"):
        with socket.create_connection((address, server.port), timeout=PATIENCE) as peer:
            peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_one_address_only(host, other):
    port = start(frappe_rt_host=host).port
    socket.create_connection((host, port), timeout=PATIENCE).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other, port), timeout=PATIENCE)


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"{port}.*socketio_port"):
            start(socketio_port=port)
    assert not frappe_rt.running()
    assert start(socketio_port=port).port == port


def test_wrong_setting():
    with pytest.raises(ValueError, match="socketio_port"):
        start(socketio_port=-1)
    assert not frappe_rt.running()


def test_stats():
    with pytest.raises(RuntimeError):
        frappe_rt.stats()
    start()
    stats = get_figures()
    assert stats["publisher"] == deliver.get_counters()


def test_publish_reaches_the_thread():
    start()
    before = deliver.get_counters()["to_thread"]
    frappe_rt.publish_realtime("e", {"n": 1})
    assert deliver.get_counters()["to_thread"] == before + 1


def test_publishing_from_many_threads():
    start()
    before = deliver.get_counters()["to_thread"]

    def work():
        for n in range(500):
            frappe_rt.publish_realtime("e", {"n": n})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = deliver.get_counters()
    assert after["to_thread"] + after["lost_inbox_full"] >= before + 2000


def test_starting_and_stopping_from_many_threads():
    def work():
        for _ in range(10):
            start()
            frappe_rt.stop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_stopping_while_publishes_come():
    """Some are behind the word to stop in the inbox of a server that is no more."""
    going = True

    def flood():
        while going:
            frappe_rt.publish_realtime("e", {"n": 1}, site="one.localhost")

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            start()
            assert frappe_rt.stop() is True
    finally:
        going = False
        for thread in threads:
            thread.join()


def test_reading_the_configuration_again(tmp_path):
    (tmp_path / "sites").mkdir()
    common = tmp_path / "sites/common_site_config.json"
    common.write_text("{}")
    assert frappe_rt.reload() is False
    frappe_rt.start(str(tmp_path), **SETTINGS)
    assert frappe_rt.reload() is True
    common.write_text('{"webserver_port": "x"}')
    with pytest.raises(ValueError, match="webserver_port"):
        frappe_rt.reload()
    common.write_text('{"webserver_port": 1, "default_site": "d.localhost"}')
    assert frappe_rt.reload() is True
    assert get_figures()["uptime_ms"] >= 0  # it has read what came before


class TestFork:
    def in_child(self, function):
        """What `function` returns in a forked child that leaves as an RQ work-horse does."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, repr(function()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            text = answer.read()
        assert os.waitpid(child, 0)[1] == 0
        return text

    def test_the_child_has_no_server_and_may_start_its_own(self):
        server = start()

        def child():
            before = frappe_rt.running(), frappe_rt.stop()
            own = start()
            return (*before, own.port != server.port, frappe_rt.running(), frappe_rt.stop())

        assert self.in_child(child) == repr((False, False, True, True, True))
        assert is_listening(server.port)

    def test_the_child_does_not_hold_the_port(self):
        server = start()
        child = os.fork()
        if child == 0:
            time.sleep(3600)
            os._exit(0)
        try:
            frappe_rt.stop()
            assert not is_listening(server.port)
            assert start(socketio_port=server.port).port == server.port
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)

    def test_nothing_of_the_server_stays_open_in_the_child(self, redis):
        def sockets_and_loop():
            kinds = ("socket:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]")
            entries = Path("/proc/self/fd").iterdir()
            names = [str(entry.readlink()) for entry in entries if os.path.lexists(entry)]
            return sorted(name for name in names if name.startswith(kinds))

        before = sockets_and_loop()
        server = start(frappe_rt_redis=True, redis_queue=redis.url)
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            peer.sendall(b"GET /health HTTP/1.1\r\nHost: one.localhost\r\n\r\n")
            assert peer.recv(12) == b"HTTP/1.1 200"
            wait_for(lambda: get_figures()["redis_subscribed"])
            ours = [str(Path(f"/proc/self/fd/{peer.fileno()}").readlink())]
            assert len(sockets_and_loop()) > len(before) + 4
            kept = ast.literal_eval(self.in_child(sockets_and_loop))
            assert set(kept) <= {*before, *ours}
            assert ours[0] in kept

    def test_many_forks_while_the_thread_works(self):
        """A child hangs if it inherits a lock that the thread held; then the wait below does."""
        server = start()
        going = True

        def requests():
            while going:
                with socket.create_connection(("127.0.0.1", server.port)) as peer:
                    peer.sendall(b"GET /health HTTP/1.1\r\n\r\n")
                    peer.recv(12)

        def publishes():
            while going:
                frappe_rt.publish_realtime("e", {"n": 1})

        threads = [threading.Thread(target=work) for work in (requests, publishes)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(50):
                assert self.in_child(frappe_rt.running) == "False"
        finally:
            going = False
            for thread in threads:
                thread.join()

    def test_the_child_publishes_by_its_parents_configuration(self, redis):
        start(frappe_rt_redis=True, redis_queue=redis.url)
        with redis.subscribe("events") as events:

            def child():
                frappe_rt.publish_realtime("from child", {"n": 1}, user="u")
                return deliver.get_counters()["to_redis"]

            assert self.in_child(child) == "1"
            assert events.read() == {
                "event": "from child",
                "message": {"n": 1},
                "namespace": "one.localhost",
                "room": "user:u",
            }


class TestRedis:
    def test_a_burst_before_the_end_of_the_process_arrives_whole(self, redis, monkeypatch):
        code = """
            import os
            from frappe_rt import publish_realtime
            for n in range(200):
                publish_realtime("n", n, site="one.localhost")
            os._exit(0)
        """
        monkeypatch.setenv("FRAPPE_REDIS_QUEUE", redis.url)
        with redis.subscribe("events") as events:
            run(code)
            assert [events.read()["message"] for _ in range(200)] == list(range(200))

    def test_redis_may_go_and_come_back(self, redis):
        config.give(config.Given("", "one.localhost", {"redis_queue": redis.url}))
        frappe_rt.publish_realtime("e")
        redis.stop()
        lost = deliver.get_counters()["lost_redis_away"]
        frappe_rt.publish_realtime("e")
        assert deliver.get_counters()["lost_redis_away"] == lost + 1
        redis.start()
        with redis.subscribe("events") as events:
            # It is not tried again for a moment after a failure.
            wait_for(lambda: deliver.deliver("back", {}, "all"))
            assert events.read()["event"] == "back"


class TestExit:
    """Nothing is owed to anybody, so that there is nothing to wait for: with an hour for the stop,
    what waits all the same is still there when `run` gives up."""

    BEGIN = """
        import frappe_rt, os, sys, threading, time
        frappe_rt.stop.__defaults__ = (3600.0,)
        frappe_rt.start("", "one.localhost", socketio_port=0, frappe_rt_redis=False)
    """

    @pytest.mark.parametrize(
        "end",
        [
            "pass",
            "frappe_rt.publish_realtime('e')",
            "sys.exit(0)",
            "os._exit(0)",
            "frappe_rt.stop(); frappe_rt.stop()",
            "frappe_rt.stop(0)",
            "threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()",
            "import atexit; atexit.register(frappe_rt.publish_realtime, 'late')",
            "os.fork() and os.wait()",
        ],
    )
    def test_it_ends_soon(self, end):
        run(textwrap.dedent(self.BEGIN) + end)

    def test_with_a_client_that_never_reads(self):
        code = """
            import frappe_rt, socket
            frappe_rt.stop.__defaults__ = (3600.0,)
            server = frappe_rt.start("", "one.localhost", socketio_port=0, frappe_rt_redis=False)
            peer = socket.create_connection(("127.0.0.1", server.port))
            peer.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\\r\\n")
        """
        run(code)


def test_import_is_light():
    heavy = run(
        """
        import sys
        import frappe_rt
        print(*[m for m in ("click", "asyncio", "http", "logging", "socket") if m in sys.modules])
        """
    )
    assert heavy.split() == []


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
def test_a_process_without_standard_descriptors(closed):
    """No socket takes such a number: what is printed there must not reach a client, and libuv
    aborts the process when it closes one."""
    program = f"""
        import os, sys
        for fd in map(int, "{closed}".split()):
            os.close(fd)
        import frappe_rt
        for _ in range(2):
            frappe_rt.start(
                "", "one.localhost", socketio_port=0, frappe_rt_host="127.0.0.1",
                frappe_rt_redis=False,
            )
            where = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in {closed.split()}]
            assert set(where) == {{"/dev/null"}}
            frappe_rt.stop()
        os._exit(7)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=PATIENCE)
    assert done.returncode == 7


def test_a_start_without_descriptors_is_an_error_and_leaks_none():
    """At each number of free ones: it starts, or says why not, and never ends the process."""
    program = """
        import os, resource, frappe_rt
        options = dict(socketio_port=0, frappe_rt_host="127.0.0.1", frappe_rt_redis=False)
        with frappe_rt.start("", "one.localhost", **options):
            pass  # libuv keeps a pipe of its own from the first loop on
        messages = set()
        for free in range(40):
            before = os.listdir("/proc/self/fd")
            limit = max(map(int, before)) + free
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 4096))
            try:
                frappe_rt.start("", "one.localhost", **options)
            except OSError as error:
                messages.add(error.errno)
            else:
                frappe_rt.stop()
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
            assert len(os.listdir("/proc/self/fd")) == len(before), free
        assert messages == {24}, messages
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
