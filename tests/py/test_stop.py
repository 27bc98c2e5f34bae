"""The end of a server that still owes something: it is sent, and then transports are dropped.

A Socket.IO DISCONNECT must not be among it, nor one of Engine.IO: to socket.io-client the first is
final, and the page stays without events until somebody reloads it.
"""

import base64
import os
import socket
import threading
from contextlib import suppress

import pytest
from support.bench import PATIENCE, SITE, wait_for
from support.processes import list_thread_names
from support.stub_web import StubWeb

import frappe_rt
from frappe_rt import _rt

EACH = 100_000
PONG = b"\x81\x81\0\0\0\x003"
COUNT = 60  # below what may be owed, above what the kernel takes off our hands


@pytest.fixture
def web():
    with StubWeb(SITE) as stub:
        yield stub


@pytest.fixture
def port(web):
    server = frappe_rt.start(
        "",
        SITE,
        socketio_port=0,
        frappe_rt_host="127.0.0.1",
        frappe_rt_redis=False,
        webserver_port=web.port,
    )
    yield server.port
    frappe_rt.stop()


def join(port):
    """A page that is in; what it is told comes with `recv`."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    peer.settimeout(PATIENCE)
    peer.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {SITE}\r\n"
        f"Origin: http://{SITE}\r\nCookie: sid=ada\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    text = f"40/{SITE},".encode()
    peer.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
    said = b""
    while f'40/{SITE},{{"sid":'.encode() not in said or not said.endswith(b"}"):
        said += peer.recv(4096)
    return peer


def read_all(peer, say):
    """What comes until the server has closed, while `say` is said again and again."""
    data = b""
    while piece := peer.recv(1 << 14):
        data += piece
        with suppress(OSError):
            peer.send(say)
    return data


def split_frames(data):
    """(opcode, payload) of each."""
    frames = []
    while data:
        opcode, length, start = data[0] & 0x0F, data[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        frames.append((opcode, data[start : start + length]))
        assert len(frames[-1][1]) == length
        data = data[start + length :]
    return frames


@pytest.mark.parametrize("say", [b"", PONG], ids=["silent", "talking"])
def test_what_is_owed_is_sent_and_no_disconnect(port, say):
    """A connection closed with unread input is reset, and loses what was on its way."""
    with join(port) as peer:
        for n in range(COUNT):
            frappe_rt.publish_realtime("n", [n, "x" * EACH], site=SITE)
        stopping = threading.Thread(target=frappe_rt.stop, args=(PATIENCE,))
        stopping.start()
        frames = split_frames(read_all(peer, say))
        stopping.join()
    texts = [payload for opcode, payload in frames if opcode == 1]
    assert [text[: 40 + len(SITE)].split(b'"x')[0] for text in texts] == [
        f'42/{SITE},["n",[{n},'.encode() for n in range(COUNT)
    ]
    assert {opcode for opcode, _ in frames} <= {1, 8}


def test_who_never_reads_is_dropped_at_the_deadline(port):
    with join(port):
        for n in range(COUNT):
            frappe_rt.publish_realtime("n", [n, "x" * EACH], site=SITE)
        assert frappe_rt.stop(1) is True
        wait_for(lambda: "frappe_rt" not in list_thread_names(os.getpid()))  # it may take longer


@pytest.fixture
def stopping(port):
    """A server whose stop waits for a page that never reads; ends it afterwards."""
    with join(port):
        for n in range(COUNT):
            frappe_rt.publish_realtime("n", [n, "x" * EACH], site=SITE)
        thread = threading.Thread(target=frappe_rt.stop, args=(PATIENCE,))
        thread.start()
        wait_for(lambda: not frappe_rt.running())
        yield thread
    thread.join()


def test_a_publish_during_a_stop_takes_another_way(stopping):
    """Without Redis and a local socket there is none: then it is told, and not called delivered."""
    before = frappe_rt.publish_stats()
    frappe_rt.publish_realtime("late", {}, site=SITE)
    after = frappe_rt.publish_stats()
    assert stopping.is_alive()
    assert {name for name in after if after[name] != before[name]} == {"lost_no_redis"}


def test_a_fork_does_not_wait_for_a_stop(stopping):
    child = os.fork()
    if child == 0:
        os._exit(0 if not frappe_rt.running() else 1)
    assert stopping.is_alive()
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def silent_redis():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("order", ["publish first", "server first"])
def test_a_fork_does_not_wait_for_a_silent_redis(web, silent_redis, order):
    """In whichever order the two were first used; the server answers meanwhile."""
    waiting = threading.Thread(target=publish_in_vain, args=(silent_redis,))
    if order == "publish first":
        waiting.start()
    server = frappe_rt.start(
        "", SITE, socketio_port=0, frappe_rt_host="127.0.0.1", frappe_rt_redis=False
    )
    if order == "server first":
        waiting.start()
    try:
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert waiting.is_alive()
        assert os.waitpid(child, 0)[1] == 0
        assert ask_health(server.port).startswith(b"HTTP/1.1 200 OK")
    finally:
        waiting.join()
        frappe_rt.stop()


def publish_in_vain(url):
    with suppress(OSError):
        _rt.redis_publish(url, SITE, "all", "e", b"{}")


def ask_health(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return peer.recv(4096)


def test_what_waits_for_redis_is_passed_on_before_the_end(redis):
    """The events of the last moment reach the other servers of the bench, too."""
    with redis.subscribe("events") as events:
        frappe_rt.start(
            "",
            SITE,
            socketio_port=0,
            frappe_rt_host="127.0.0.1",
            redis_queue=redis.url,
            frappe_rt_forward="on",
        )
        wait_for(lambda: frappe_rt.stats()["redis_subscribed"])
        for n in range(500):
            frappe_rt.publish_realtime("last", n, site=SITE)
        assert frappe_rt.stop(PATIENCE)
        said = [events.read()["message"] for _ in range(500)]
        assert said == list(range(500))


def test_a_log_that_nobody_reads_stops_nothing(port):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    _rt.set_log(1, writing)
    try:
        before = frappe_rt.stats()["log_lines_lost"]
        _rt.publish(SITE, "", "e", b"{")  # malformed: one warning
        wait_for(lambda: frappe_rt.stats()["log_lines_lost"] > before)
        assert ask_health(port).startswith(b"HTTP/1.1 200 OK")
        assert frappe_rt.stop(PATIENCE) is True
    finally:
        _rt.set_log(1, 2)
        os.close(reading)
        os.close(writing)
