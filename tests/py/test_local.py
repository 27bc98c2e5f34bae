"""The local socket: its file, its lines, and two servers that share a Redis."""

import json
import signal
import time
from pathlib import Path

import pytest
from support.bench import (
    PATIENCE,
    SITE,
    ask,
    connect,
    get_figures,
    make_bench,
    read_until,
    run,
    serve,
    start,
    wait_for,
)
from support.host_server import write_app

import frappe_rt
from frappe_rt import config
from frappe_rt.publishing import deliver

HANDLERS = """
from frappe_rt.handlers import realtime

@realtime.on("hello")
async def hello(socket):
    return "hello"
"""


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


# --- the file ---


def test_comes_and_goes_with_the_server(bench, path):
    for _ in range(3):
        start(bench)
        assert Path(path).stat().st_mode & 0o777 == 0o600
        frappe_rt.stop()
        assert not Path(path).exists()


@pytest.mark.parametrize("value", ["off", False, "OFF"])
def test_off(bench, path, value):
    start(bench, frappe_rt_local_socket=value)
    assert not Path(path).exists()


def test_elsewhere(bench, path):
    start(bench, frappe_rt_local_socket="here.sock")
    assert (bench / "here.sock").is_socket()
    assert not Path(path).exists()


def test_without_a_bench_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start("")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", ["in use", "no folder", "no socket", "too long"])
def test_what_hinders_it_is_one_line_and_the_server_runs(bench, path, case):
    expected = path
    if case == "in use":
        start(bench)
        hint = "another server listens there"
    elif case == "no folder":
        (bench / "config").rmdir()
        hint = "create its folder, or set frappe_rt_local_socket"
    elif case == "no socket":
        (bench / "config/frappe_rt.sock").write_text("mine")
        hint = "a file that is not a socket is in the way"
    else:
        expected = "/" + "x" * 120
        common = {"frappe_rt_local_socket": expected}
        (bench / "sites/common_site_config.json").write_text(json.dumps(common))
        hint = "121 bytes"
    process = serve(bench, "--no-redis")
    try:
        seen = read_until(process, "web process")
        [line] = [line for line in seen.splitlines() if "local socket" in line]
        assert expected in line
        assert hint in line
        assert "listens on" in seen
    finally:
        process.kill()
        process.communicate()
    if case == "in use":
        assert ask(path, b'{"rt":"health"}') == [{"ok": True, "degraded": None}]
    if case == "no socket":
        assert (bench / "config/frappe_rt.sock").read_text() == "mine"


def test_a_killed_servers_file_is_replaced(bench, path):
    process = serve(bench, "--no-redis")
    read_until(process, "web process")
    assert ask(path, b'{"rt":"health"}')
    process.kill()
    process.communicate()
    assert Path(path).exists()
    start(bench)
    assert ask(path, b'{"rt":"health"}')


def test_it_is_opened_when_what_hindered_it_has_gone(bench, path):
    (bench / "config").rmdir()
    start(bench)
    wait_for(lambda: get_figures()["local_open_failed"] > 1)
    assert get_figures()["local_open"] is False
    (bench / "config").mkdir()
    wait_for(lambda: get_figures()["local_open"])
    assert ask(path, b'{"rt":"health"}')


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_server_takes_it_over_with_the_handlers_of_apps(bench, path, how):
    """The first may end while the second looks for the first time: it looks again."""
    write_app(bench, "chat", HANDLERS)
    first = serve(bench, "--no-redis")
    second = again = None
    try:
        read_until(first, "handlers of chat: hello")
        second = serve(bench, "--no-redis")
        seen = read_until(second, "handlers do not run yet")
        assert f"belongs to the server of process {first.pid}" in seen
        assert "another server listens there" in seen
        assert "this server takes it over when that one ends" in seen
        first.send_signal(how)
        first.wait(PATIENCE)
        seen += read_until(second, "handlers of chat: hello")
        assert "processes of this host publish at" in seen
        assert seen.count("no local socket") == 1
        assert len(ask(path, b'{"rt":"hosts"}')[0]["hosts"]) == 1
        again = serve(bench, "--no-redis")
        seen = read_until(again, "handlers do not run yet")
        assert f"belongs to the server of process {second.pid}" in seen
    finally:
        for process in filter(None, (first, second, again)):
            process.terminate()
            process.communicate()


# --- lines ---


def test_commands(bench, path):
    start(bench)
    health, unknown, stats = ask(path, b'{"rt":"health"}', b'{"rt":"x"}', b'{"rt":"stats"}')
    assert health == {"ok": True, "degraded": None}
    assert unknown == {
        "error": "there is no such command; the commands are figures, forget, health, host, "
        "hosts, metrics, reload, stats"
    }
    assert stats["local_peers"] == 1
    assert stats["local_lines"]["commands"] == 3
    assert stats["local_lines"]["bad_commands"] == 1


def test_health_without_redis(bench, path, redis):
    redis.stop()
    start(bench, frappe_rt_redis=True, redis_queue=redis.url)
    assert ask(path, b'{"rt":"health"}') == [{"ok": True, "degraded": "redis is away"}]


def test_bad_lines_are_skipped_and_counted(bench, path):
    start(bench)
    good = json.dumps({"event": "e", "message": 1, "room": "all", "namespace": SITE}).encode()
    bad = [b"x", b"{", b"[]", b'{"event":1}', b"\xff", b'{"event":"e","room":"r"}', good + b"x"]
    stats = ask(path, b"\n".join([*bad, good, b'{"rt":"stats"}']))[0]
    assert stats["local_lines"]["bad_lines"] == len(bad)
    assert stats["local_lines"]["envelopes"] == 1


def test_a_line_too_long_costs_its_own_connection_only(bench, path):
    start(bench)
    with connect(path) as other, connect(path) as peer:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(20):
                peer.sendall(b"x" * (1 << 20))
        other.sendall(b'{"rt":"stats"}\n')
        assert json.loads(other.makefile().readline())["local"]["line_over_max"] == 1


# --- two servers at one Redis ---


def test_each_server_delivers_once(bench, path, redis, tmp_path_factory):
    """Published at the socket of one, in the process of the other, and straight at Redis."""
    other = make_bench(tmp_path_factory.mktemp("other"))
    common = {"frappe_rt_host": "127.0.0.1", "redis_queue": redis.url}
    (bench / "sites/common_site_config.json").write_text(json.dumps(common))
    start(other, frappe_rt_redis=True, redis_queue=redis.url)
    process = serve(bench)
    try:
        read_until(process, "web process")

        def get_both():
            first = ask(path, b'{"rt":"stats"}')[0]
            return first, get_figures()

        wait_for(lambda: all(stats["redis_subscribed"] for stats in get_both()))
        run(
            "from frappe_rt.publishing.deliver import deliver\n"
            "for n in range(300): deliver('e', n, 'all')",
            bench,
            redis,
        )
        for n in range(200):
            assert deliver.deliver("e", n, "all")
        run("from frappe_rt.publishing.deliver import deliver\ndeliver('e', 1, 'all')",
            bench, redis, FRAPPE_RT_PUBLISH="redis")  # fmt: skip
        wait_for(lambda: all(s["frappe"]["envelopes"] >= 501 for s in get_both()))
        wait_for(lambda: [s["forward"]["own_ignored"] for s in get_both()] == [300, 200])
        time.sleep(0.2)  # one too many would have come by now
        first, second = get_both()
        assert first["frappe"]["envelopes"] == second["frappe"]["envelopes"] == 501
        assert (first["forward"]["sent"], second["forward"]["sent"]) == (300, 200)
        assert (first["forward"]["own_ignored"], second["forward"]["own_ignored"]) == (300, 200)
    finally:
        process.kill()
        process.communicate()
