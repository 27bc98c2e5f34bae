"""Attacks before login, through real sockets, beside a user who is there and one who comes."""

import asyncio
import json
import os
import resource
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.bench import PATIENCE, SITE, get_figures, wait_for
from support.crowd import Tab
from support.stub_web import StubWeb

import frappe_rt

NEWCOMERS_MAX = 500
NEWCOMER_BYTES_MAX = 1 << 20  # the least that may be set
PIPELINED = 40


@pytest.fixture
def web():
    with StubWeb(SITE, "v16") as stub:
        yield stub


@pytest.fixture
def start(web):
    def start(**more):
        settings = {
            "socketio_port": 0,
            "frappe_rt_host": "127.0.0.1",
            "frappe_rt_redis": False,
            "webserver_port": web.port,
            "frappe_rt_max_newcomers": NEWCOMERS_MAX,
            "frappe_rt_max_newcomer_bytes": NEWCOMER_BYTES_MAX,
        }
        return frappe_rt.start("", SITE, **(settings | more)).port

    yield start
    frappe_rt.stop()


def handshake(*lines):
    head = ["GET /socket.io/?EIO=4&transport=polling HTTP/1.1", f"Host: {SITE}", *lines]
    return "\r\n".join([*head, "", ""]).encode()


class Flood:
    """Threads that shake hands and never go on, on connections of their own."""

    def __init__(self, port, request, connections=4):
        self.port = port
        self.request = request
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def run(self):
        while not self.stopped.is_set():
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                connection.sendall(self.request * PIPELINED)
                answers = b""
                while answers.count(b"HTTP/1.1 ") < PIPELINED:
                    received = connection.recv(1 << 16)
                    if not received:
                        break
                    answers += received


async def ping(tab, count):
    for _ in range(count):
        tab.say(f'42/{SITE},["ping"]')
        while not (await tab.read()).startswith(f'42/{SITE},["pong"'):
            pass


async def live_through(port, tab, request):
    """A user who is there hears, and another comes, while more handshakes come than may wait."""
    with Flood(port, request):
        before = get_figures()["engineio"]["sessions_opened"]
        while get_figures()["engineio"]["sessions_opened"] - before < 4 * NEWCOMERS_MAX:
            await ping(tab, 10)
            (await Tab("grace").connect(port)).leave()
            figures = get_figures()
            assert figures["newcomers"] <= NEWCOMERS_MAX
            assert figures["newcomer_bytes"] <= NEWCOMER_BYTES_MAX + 8192
    await ping(tab, 1)


@pytest.mark.parametrize(
    "request_",
    [handshake(), handshake("Cookie: a=" + "b" * 15000 + "; sid=ada")],
    ids=["small", "cookies"],
)
def test_a_flood_of_handshakes(start, request_):
    port = start()

    async def run():
        tab = await Tab("ada").connect(port)
        await live_through(port, tab, request_)
        tab.leave()

    asyncio.run(asyncio.wait_for(run(), 2 * PATIENCE))
    assert get_figures()["closed"]["crowded out"] > NEWCOMERS_MAX
    assert get_figures()["closed"]["slow client"] == 0


def test_a_sid_that_is_too_long(start):
    port = start()
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(handshake("Cookie: sid=" + "b" * 15000))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 431 ")
    assert get_figures()["engineio"]["refused_handshake_too_big"] == 1
    assert get_figures()["newcomers"] == 0


def test_who_is_let_in_is_no_newcomer(start):
    port = start()

    async def run():
        tabs = [await Tab("ada").connect(port) for _ in range(20)]
        assert get_figures()["newcomers"] == 0
        assert get_figures()["newcomer_bytes"] == 0
        assert get_figures()["sessions"] == len(tabs)
        for tab in tabs:
            tab.leave()

    asyncio.run(asyncio.wait_for(run(), PATIENCE))


def test_limits_change_while_it_runs(tmp_path, web):
    (tmp_path / "sites").mkdir()
    settings = tmp_path / "sites" / "common_site_config.json"
    settings.write_text(json.dumps({"frappe_rt_max_newcomers": 1000}))
    port = frappe_rt.start(
        str(tmp_path), SITE, socketio_port=0, frappe_rt_host="127.0.0.1", frappe_rt_redis=False
    ).port
    try:
        settings.write_text(json.dumps({"frappe_rt_max_newcomers": 100}))
        frappe_rt.reload()
        with ExitStack() as stack:
            for _ in range(150):
                connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
                stack.enter_context(connection).sendall(handshake())
                connection.recv(1 << 16)
            wait_for(lambda: get_figures()["engineio"]["sessions_opened"] == 150)
            assert get_figures()["newcomers"] == 100
    finally:
        frappe_rt.stop()


def count_sessions(port, lines_of):
    """How many of 400 handshakes on one connection make a session."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        sent = b"".join(handshake(*lines_of(n)) for n in range(400))
        threading.Thread(target=connection.sendall, args=(sent,)).start()
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 400:
            received = connection.recv(1 << 16)
            assert received
            answers += received
    assert answers.count(b"\r\nRetry-After: 1\r\n") == answers.count(b" 429 Too Many Requests\r\n")
    return answers.count(b" 200 OK\r\n")


def test_one_connection_cannot_shake_hands_for_ever(start):
    port = start()
    assert 200 < count_sessions(port, lambda n: []) < 400
    assert get_figures()["engineio"]["refused_handshakes_often"] > 0


def test_a_proxy_tells_whose_handshakes_they_are(start):
    port = start(frappe_rt_handshakes_per_second=20)
    assert 200 <= count_sessions(port, lambda n: ["X-Forwarded-For: 203.0.113.1"]) < 400
    assert count_sessions(port, lambda n: [f"X-Forwarded-For: 203.0.{n // 200}.{n % 200}"]) == 400


def test_a_proxy_that_is_not_trusted(start):
    port = start(frappe_rt_handshakes_per_second=20, frappe_rt_trusted_proxies="10.0.0.0/8")
    lines = [f"X-Forwarded-For: 203.0.113.{n}" for n in range(200)]
    assert 200 <= count_sessions(port, lambda n: [lines[n % 200]]) < 400


@pytest.mark.parametrize("value", ["nginx", "10.0.0.0/40"])
def test_wrong_proxies_are_said(start, value):
    with pytest.raises(Exception, match=f'frappe_rt_trusted_proxies: .*"{value}"'):
        start(frappe_rt_trusted_proxies=f"loopback, {value}")


def read_resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: " + SITE.encode() + b"\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_messages_that_never_end(start):
    """150 attackers with half a megabyte each, beside a user who sends whole messages."""
    budget = 4 << 20
    port = start(frappe_rt_max_unfinished=budget)
    half = b"\x82\xff" + (900_000).to_bytes(8, "big") + bytes(4) + bytes(500_000)

    async def run():
        tab = await Tab("ada").connect(port)
        with ExitStack() as stack:
            for _ in range(150):
                connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
                stack.enter_context(connection).sendall(UPGRADE)
                with suppress(ConnectionError):
                    await asyncio.to_thread(connection.sendall, half)
                await ping(tab, 1)
                assert get_figures()["unfinished_bytes"] <= budget + (1 << 20)
            await ping(tab, 10)
            assert get_figures()["engineio"]["unfinished_over_max"] > 100
        while get_figures()["unfinished_bytes"]:
            await ping(tab, 1)
        tab.leave()

    before = read_resident()
    asyncio.run(asyncio.wait_for(run(), 2 * PATIENCE))
    if "FRAPPE_RT_SANITIZED" not in os.environ:  # a sanitizer keeps what is freed
        assert read_resident() - before < 32 << 20
