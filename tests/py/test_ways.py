"""The ways of a publish to a server: its own process, its local socket, Redis; forks and exits."""

import ast
import json
import logging
import os
import platform
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.bench import PATIENCE, SITE, get_figures, make_bench, run, start, wait_for

import frappe_rt
from frappe_rt import config
from frappe_rt.publishing import deliver


@pytest.fixture(autouse=True)
def stopped():
    yield
    frappe_rt.stop()
    config.give(config.Given())


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


@pytest.fixture
def path(bench):
    return str(bench / "config/frappe_rt.sock")


@pytest.fixture
def events(bench, redis):
    """A server that forwards what is published to it, and who hears it: a subscriber."""
    start(bench, frappe_rt_redis=True, redis_queue=redis.url, frappe_rt_forward="on")
    wait_for(lambda: get_figures()["redis_subscribed"])
    with redis.subscribe("events") as subscriber:
        yield subscriber


CHILDREN = 1000
SYS_CLONE = 56

#: Forks children that publish one event and are gone.
FORK = f"""
    import os
    from frappe_rt import publish_realtime
    import frappe_rt.publishing.publish
    running = 0
    for n in range({CHILDREN}):
        if os.fork() == 0:
            publish_realtime("n", n)
            os._exit(0)
        running += 1
        if running > 50:
            assert os.wait()[1] == 0
            running -= 1
    while running:
        assert os.wait()[1] == 0
        running -= 1
"""


@pytest.mark.parametrize("way", ["local", "redis"])
def test_children_that_publish_and_end_at_once(bench, redis, events, way):
    run(FORK, bench, redis, FRAPPE_RT_PUBLISH=way)
    numbers = sorted(events.read()["message"] for _ in range(CHILDREN))
    assert numbers == list(range(CHILDREN))


def test_children_of_the_server_itself_that_end_at_once(bench, redis):
    """They have no server, and publish through the socket of their parent's. That is a process of
    its own: a fork takes longer the more memory a process has, and this one runs all the tests."""
    code = f"""
        import os, time
        import frappe_rt
        from frappe_rt.publishing import deliver
        options = {{"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_forward": "on"}}
        frappe_rt.start({str(bench)!r}, {SITE!r}, **options)
        while not frappe_rt.stats({PATIENCE})["redis_subscribed"]:
            time.sleep(0.01)
        for n in range({CHILDREN}):
            child = os.fork()
            if child == 0:
                deliver.deliver("n", n, "all")
                os._exit(0 if deliver.get_counters()["to_local"] == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
        while frappe_rt.stats({PATIENCE})["forward"]["sent"] < {CHILDREN}:
            time.sleep(0.01)
    """
    with redis.subscribe("events") as events:
        run(code, bench, redis)
        assert sorted(events.read()["message"] for _ in range(CHILDREN)) == list(range(CHILDREN))


@pytest.mark.parametrize("way", ["local", "redis"])
def test_a_burst_before_the_end_of_the_process_arrives_whole(bench, redis, events, way):
    code = """
        import os
        from frappe_rt import publish_realtime
        for n in range(200):
            publish_realtime("n", n)
        os._exit(0)
    """
    run(code, bench, redis, FRAPPE_RT_PUBLISH=way)
    assert [events.read()["message"] for _ in range(200)] == list(range(200))


THREADS = 8
EACH = 500


def publish_from_threads():
    """At full speed, while another thread keeps the interpreter busy."""
    busy = True

    def spin():
        while busy:
            sum(range(1000))

    def work(name):
        for n in range(EACH):
            frappe_rt.publish_realtime("n", [name, n], site=SITE)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(THREADS)]
    spinner = threading.Thread(target=spin)
    spinner.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = False
    spinner.join()


def expect_all_in_order(events):
    """Each thread's events in the order they were published."""
    came = {name: [] for name in range(THREADS)}
    for _ in range(THREADS * EACH):
        name, n = events.read()["message"]
        came[name].append(n)
    assert all(numbers == list(range(EACH)) for numbers in came.values())


def test_threads_in_the_servers_process(events):
    before = deliver.get_counters()["to_thread"]
    publish_from_threads()
    assert deliver.get_counters()["to_thread"] == before + THREADS * EACH
    expect_all_in_order(events)


@pytest.mark.parametrize("way", ["local", "redis"])
def test_threads_in_another_process(bench, redis, events, way):
    code = f"""
        import sys
        sys.path[:0] = {sys.path!r}
        import test_ways
        from frappe_rt.publishing import deliver
        test_ways.publish_from_threads()
        print(deliver.get_counters()["to_{way}"])
    """
    assert run(code, bench, redis, FRAPPE_RT_PUBLISH=way) == f"{THREADS * EACH}\n"
    expect_all_in_order(events)


def test_threads_that_have_to_wait(bench, path):
    """More than the kernel takes: lines stay whole, and in each thread's order."""
    use(bench)
    names, each = range(4), 60
    came = {name: [] for name in names}

    def work(name):
        for n in range(each):
            assert deliver.deliver("e", [name, n, "x" * 20_000], "all")

    with FakeServer(path) as server:
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        with server.accept() as stream:
            for _ in range(len(names) * each):
                name, n, _ = read_envelope(stream)["message"]
                came[name].append(n)
                time.sleep(0.001)
        for thread in threads:
            thread.join()
    assert came == {name: list(range(each)) for name in names}


def test_auto_prefers_the_socket_and_falls_to_redis(bench, redis, events):
    code = """
        from frappe_rt.publishing import deliver
        deliver.deliver("e", 1, "all")
        print({name: count for name, count in deliver.get_counters().items() if count})
    """
    assert run(code, bench, redis) == "{'to_local': 1}\n"
    assert events.read()["frappe_rt_from"]
    frappe_rt.stop()
    assert run(code, bench, redis) == "{'to_redis': 1}\n"
    assert "frappe_rt_from" not in events.read()
    assert run(code, bench, redis, FRAPPE_RT_PUBLISH="local") == "{'lost_local_away': 1}\n"


def use(bench, **more):
    """This process publishes by that bench's configuration."""
    config.give(config.Given(str(bench), SITE, {"frappe_rt_redis": False} | more))


def counted():
    return {name: count for name, count in deliver.get_counters().items() if count}


class FakeServer:
    """A listener that keeps what it is sent."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(5)
        self.socket.settimeout(PATIENCE)
        self.path = path

    def accept(self):
        peer, _ = self.socket.accept()
        with peer:  # the stream has its own hold on it
            peer.settimeout(PATIENCE)
            return peer.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        Path(self.path).unlink()


def read_envelope(stream):
    return json.loads(stream.readline())


def test_the_line_is_frappes_envelope(bench, path):
    use(bench)
    with FakeServer(path) as server:
        assert deliver.deliver("é", {"text": 'a\n"ü\u2028'}, "user:a\n", "two")
        assert deliver.deliver("e", None, None)
        with server.accept() as stream:
            assert read_envelope(stream) == {
                "event": "é", "message": {"text": 'a\n"ü\u2028'}, "namespace": "two",
                "room": "user:a\n",
            }  # fmt: skip
            assert read_envelope(stream) == {
                "event": "e", "message": None, "namespace": SITE, "room": None,
            }  # fmt: skip


def test_the_message_on_the_channel_is_the_same(redis):
    config.give(config.Given("", SITE, {"redis_queue": redis.url, "frappe_rt_publish": "redis"}))
    with redis.subscribe("events") as events:
        assert deliver.deliver("é", {"text": 'a\n"ü\u2028'}, "user:a\n", "two")
        assert deliver.deliver("e", None, None)
        assert events.read() == {
            "event": "é", "message": {"text": 'a\n"ü\u2028'}, "namespace": "two",
            "room": "user:a\n",
        }  # fmt: skip
        assert events.read() == {
            "event": "e", "message": None, "namespace": SITE, "room": None,
        }  # fmt: skip


def test_five_megabytes(bench, redis, events):
    code = """
        from frappe_rt.publishing import deliver
        assert deliver.deliver("e", "x" * 5_000_000, "all")
        assert deliver.deliver("e", 2, "all")
        print(deliver.get_counters()["to_local"])
    """
    assert run(code, bench, redis) == "2\n"
    assert events.read()["message"] == "x" * 5_000_000
    assert events.read()["message"] == 2


def test_too_long_for_the_socket(bench, path, complaints):
    use(bench, frappe_rt_publish="local")
    before = counted().get("lost_local_away", 0)
    with FakeServer(path) as server:
        assert not deliver.deliver("e", "x" * (17 << 20), "all")
        assert deliver.deliver("e", 1, "all")
        with server.accept() as stream:
            assert read_envelope(stream)["message"] == 1
    assert counted()["lost_local_away"] == before + 1
    assert "17825794 bytes" in complaints()[-1]


NOBODY = 65534


def test_a_socket_of_another_user_is_explained(bench, path):
    use(bench, frappe_rt_publish="local")

    def child():
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        told = []
        logging.getLogger("frappe_rt").addFilter(lambda record: told.append(record.getMessage()))
        deliver._told.clear()
        assert not deliver.deliver("e", 1, "all")
        return told

    with FakeServer(path):
        assert deliver.deliver("e", 1, "all")  # reads the configuration while that is allowed
        Path(path).chmod(0)
        [line] = ast.literal_eval(in_child(child))
    assert f"{path}: Permission denied; only root and the user" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can let another user listen")
def test_another_users_socket_gets_nothing(bench, path, redis, complaints):
    use(bench, frappe_rt_redis=True, redis_queue=redis.url)
    with FakeServer(path) as squatter, redis.subscribe("events") as subscriber:
        os.seteuid(NOBODY)
        try:
            squatter.socket.listen(5)  # the kernel notes who does this
        finally:
            os.seteuid(0)
        assert deliver.deliver("e", "payroll", "all")
        assert subscriber.read()["message"] == "payroll"
        with squatter.accept() as stream:
            assert stream.read() == b""
    assert counted()["local_not_trusted"] >= 1
    assert "another user's process listens there" in complaints()[0]


def test_what_cannot_be_text_is_refused(bench, path):
    use(bench)
    with FakeServer(path) as server:
        before = counted().get("lost_bad_message", 0)
        assert not deliver.deliver("e", 1, "user:\ud800")
        assert counted()["lost_bad_message"] == before + 1
        assert deliver.deliver("e", 1, "all")
        with server.accept() as stream:
            assert read_envelope(stream)["room"] == "all"


def test_a_server_that_never_reads_costs_a_second_and_no_more(bench, path):
    use(bench)
    with FakeServer(path):
        began = time.monotonic()
        while deliver.deliver("e", "x" * 10_000, "all"):
            assert time.monotonic() < began + PATIENCE
        before = time.monotonic()
        for _ in range(100):
            assert not deliver.deliver("e", "x" * 10_000, "all")
        assert time.monotonic() - before < PATIENCE  # a second for each would be more


def test_a_new_server_is_found_by_who_has_published_before(bench, path):
    use(bench)
    for n in range(3):
        with FakeServer(path) as server:
            assert deliver.deliver("e", n, "all")
            with server.accept() as stream:
                assert read_envelope(stream)["message"] == n


# --- kinds of URL ---


@pytest.fixture
def guarded(redis, tmp_path):
    """That Redis asks for a login, and listens on a Unix socket as well."""
    path = tmp_path / "redis.sock"
    redis.stop()
    redis.start(
        *("--unixsocket", str(path), "--requirepass", "secret"),
        *("--user", "ada", "on", ">p@ss", "&*", "+@all"),
    )
    return path


URLS = {
    "password": "redis://:secret@127.0.0.1:{port}",
    "user and password": "redis://ada:p%40ss@127.0.0.1:{port}",
    "database": "redis://:secret@127.0.0.1:{port}/5",
    "Unix socket": "unix://{path}?password=secret",
    "user, Unix socket, database": "unix://ada:p%40ss@{path}?db=2",
}


def use_redis(url):
    config.give(config.Given("", SITE, {"redis_queue": url, "frappe_rt_publish": "redis"}))


@pytest.mark.parametrize("kind", URLS)
def test_kinds_of_url(guarded, redis, kind):
    url = URLS[kind].format(port=redis.port, path=guarded)
    use_redis(url)
    with redis.subscribe("events", "secret") as events:
        for n in range(3):
            assert deliver.deliver("e", n, "all")
            assert events.read()["message"] == n
        database = url.split("db=")[-1] if "db=" in url else "5" if url.endswith("/5") else "0"
        assert f" db={database} " in find_client(redis, "publish")


def find_client(redis, command):
    """The line of CLIENT LIST about who did this last."""
    with redis.connect() as connection, connection.makefile("rb") as answers:
        connection.sendall(b"AUTH secret\r\nCLIENT LIST\r\n")
        assert answers.readline() == b"+OK\r\n"
        text = answers.read(int(answers.readline()[1:])).decode()
    [line] = [line for line in text.splitlines() if f" cmd={command} " in line]
    return line


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:wrong@127.0.0.1:{port}", "Redis refuses: WRONGPASS"),
        ("redis://127.0.0.1:{port}", "Redis refuses: NOAUTH"),
        ("rediss://:secret@127.0.0.1:{port}", "is that its TLS port?"),
        ("unix://{path}.other", "No such file or directory"),
    ],
)
def test_urls_that_do_not_work(guarded, redis, complaints, url, says):
    """Told in words, without the password, counted, and nothing raised."""
    use_redis(url.format(port=redis.port, path=guarded))
    before = counted().get("lost_redis_away", 0)
    deliver._told.clear()
    assert not deliver.deliver("e", 1, "all")
    assert counted()["lost_redis_away"] == before + 1
    [line] = complaints()
    assert says in line
    assert "secret" not in line
    assert ":wrong" not in line


# --- fork ---


def in_child(function):
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


def list_sockets():
    """What descriptors that are Unix sockets are connected to."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the folder just read
            found.append(str(entry.readlink()))
    return [target for target in found if target.startswith("socket:")]


def test_child_keeps_nothing_of_its_parents_connection(bench, path):
    use(bench)
    before = list_sockets()
    with FakeServer(path) as server:
        assert deliver.deliver("e", "parent", "all")
        with server.accept() as stream:
            own = set(list_sockets()) - set(before)
            assert len(own) == 3  # the listener, the connection's two ends

            def child():
                kept = own & set(list_sockets())
                assert deliver.deliver("e", "child", "all")
                return len(kept)

            assert in_child(child) == "2"
            assert deliver.deliver("e", "parent again", "all")
            assert read_envelope(stream)["message"] == "parent"
            assert read_envelope(stream)["message"] == "parent again"
            with server.accept() as second:
                assert read_envelope(second)["message"] == "child"
                assert second.read() == b""


def test_child_keeps_nothing_of_its_parents_connection_to_redis(redis):
    config.give(config.Given("", SITE, {"redis_queue": redis.url, "frappe_rt_publish": "redis"}))
    before = set(list_sockets())  # of the process that the tests run in
    deliver.deliver("e", "opens a connection here", "all")
    with redis.subscribe("events") as events:
        for n in range(3):
            assert deliver.deliver("e", n, "all")
            parents = set(list_sockets())

            def child(parents=parents):
                kept = (parents - before) & set(list_sockets())
                assert deliver.deliver("e", "child", "all")
                return len(kept)

            assert in_child(child) == "1"  # the subscriber's, which is the test's own
            assert [events.read()["message"] for _ in range(2)] == [n, "child"]


@pytest.mark.parametrize("way", ["local", "redis"])
def test_nested_forks(bench, redis, events, way):
    code = """
        import os
        from frappe_rt.publishing import deliver
        for depth in range(5):
            assert deliver.deliver("n", depth, "all")
            if os.fork():
                assert os.wait()[1] == 0
                os._exit(0)
        os._exit(0)
    """
    run(code, bench, redis, FRAPPE_RT_PUBLISH=way)
    assert [events.read()["message"] for _ in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call")
@pytest.mark.parametrize("way", ["local", "redis"])
def test_a_child_made_past_the_fork_handlers(bench, redis, events, way):
    """By the bare system call: it must not write to its parent's connection either."""
    code = f"""
        import ctypes, os, signal
        from pathlib import Path
        from frappe_rt.publishing import deliver
        def list_sockets():
            return {{os.readlink(e) for e in Path("/proc/self/fd").iterdir() if e.is_socket()}}
        assert deliver.deliver("n", 0, "all")
        assert deliver.deliver("n", 1, "all")
        before = list_sockets()
        clone = {SYS_CLONE}
        if ctypes.PyDLL(None).syscall(clone, signal.SIGCHLD, 0, 0, 0, 0) == 0:
            sent = deliver.deliver("n", 2, "all")
            os._exit(0 if sent and not before & list_sockets() else 1)
        assert os.wait()[1] == 0
        assert deliver.deliver("n", 3, "all")
    """
    run(code, bench, redis, FRAPPE_RT_PUBLISH=way)
    assert [events.read()["message"] for _ in range(4)] == [0, 1, 2, 3]


def test_forks_while_threads_publish(bench, redis, events):
    code = """
        import os, threading, time
        from frappe_rt.publishing import deliver
        done = False
        def work(name):
            n = 0
            while not done:
                deliver.deliver("thread", n, "all")
                n += 1
                time.sleep(0.001)  # Redis drops a subscriber who has too much to read at the end
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for n in range(100):
            child = os.fork()
            if child == 0:
                deliver.deliver("child", n, "all")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done = True
        for thread in threads:
            thread.join()
        deliver.deliver("end", deliver.get_counters()["to_local"], "all")
    """
    run(code, bench, redis, FRAPPE_RT_PUBLISH="local")
    children, threads = [], 0
    while (envelope := events.read())["event"] != "end":
        if envelope["event"] == "child":
            children.append(envelope["message"])
        else:
            threads += 1
    assert children == list(range(100))
    assert threads == envelope["message"]
