"""Bad input to the whole server, in its thread: `stats()` names what came, nothing stays behind.

The bytes of each known hole are in tests/c/stack/test_bad_input.c.
"""

import re
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.bench import PATIENCE, get_figures, wait_for

import frappe_rt

POLLING = b"/socket.io/?EIO=4&transport=polling"
WEBSOCKET = b"/socket.io/?EIO=4&transport=websocket"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
MASK = b"\0\0\0\0"


@pytest.fixture(autouse=True)
def port():
    settings = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
    with frappe_rt.start("", "one.localhost", **settings) as server:
        yield server.port


@contextmanager
def connect(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        yield connection


def request(method, target, headers=b"", body=b""):
    return (
        method + b" " + target + b" HTTP/1.1\r\nHost: one.localhost\r\n" + headers + b"\r\n" + body
    )


def read_answer(connection):
    """Status and body of one answer."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65536)
    head, body = text.split(b"\r\n\r\n", 1)
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return int(head.split()[1]), body


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def get_session(connection):
    connection.sendall(request(b"GET", POLLING))
    return re.search(rb'"sid":"([^"]+)"', read_answer(connection)[1])[1]


def get_counter(name):
    layer, counter = name.split(".")
    return get_figures()[layer][counter]


@pytest.mark.parametrize(
    ("counter", "sent", "status"),
    [
        ("net.bad_requests", b"nonsense\r\n\r\n", 400),
        ("net.head_over_max", request(b"GET", b"/", b"A: b\r\n" * 100), 431),
        ("net.target_over_max", request(b"GET", b"/" + b"a" * 8192), 414),
        ("engineio.refused_transport_unknown", request(b"GET", b"/socket.io/?EIO=4"), 400),
        ("engineio.refused_session_unknown", request(b"GET", POLLING + b"&sid=__proto__"), 400),
        ("engineio.refused_handshake_method", request(b"POST", POLLING), 400),
        ("engineio.refused_protocol_version", request(b"GET", POLLING + b"&EIO=3"), 400),
        ("engineio.refused_bad_request", request(b"GET", WEBSOCKET), 400),
    ],
)
def test_refused_request(port, counter, sent, status):
    with connect(port) as connection:
        connection.sendall(sent)
        assert read_answer(connection)[0] == status
    assert get_counter(counter) == 1


@pytest.mark.parametrize(
    ("counter", "method", "headers", "body", "status"),
    [
        (
            "engineio.refused_media_type",
            b"POST",
            b"Content-Type: application/octet-stream\r\nContent-Length: 1\r\n",
            b"4",
            400,
        ),
        ("engineio.refused_session_method", b"DELETE", b"", b"", 500),
        ("closed.parse error", b"POST", b"Content-Length: 1\r\n", b"x", 200),
        ("closed.transport error", b"POST", b"Content-Length: 1\r\n", b"2", 200),
        ("closed.transport close", b"POST", b"Content-Length: 1\r\n", b"1", 200),
        ("closed.forced close", b"POST", b"Content-Length: 7\r\n", b'42["x"]', 200),
        ("socketio.bad_packets", b"POST", b"Content-Length: 10\r\n", b'450-["x",1', 200),
    ],
)
def test_refused_on_a_session(port, counter, method, headers, body, status):
    with connect(port) as connection:
        target = POLLING + b"&sid=" + get_session(connection)
        connection.sendall(request(method, target, headers, body))
        assert read_answer(connection)[0] == status
    assert get_counter(counter) == 1


@pytest.mark.parametrize(
    ("counter", "frame", "code"),
    [
        ("engineio.bad_websocket_frames", b"\xc1\x81" + MASK + b"6", b"\x03\xea"),
        ("engineio.bad_websocket_frames", b"\x81\x81" + MASK + b"\xff", b"\x03\xef"),
        (
            "engineio.refused_payload_too_big",
            b"\x81\xff" + (1_000_001).to_bytes(8, "big") + MASK,
            b"\x03\xf1",
        ),
        ("socketio.bad_packets", b"\x81\x82" + MASK + b"49", b""),
    ],
)
def test_refused_on_a_websocket(port, counter, frame, code):
    with connect(port) as connection:
        connection.sendall(request(b"GET", WEBSOCKET, UPGRADE, frame))
        assert read_all(connection).endswith(b"\x88" + bytes([len(code)]) + code)
    assert get_counter(counter) == 1


def test_second_websocket_is_counted(port):
    with connect(port) as first, connect(port) as second:
        first.sendall(request(b"GET", WEBSOCKET, UPGRADE))
        sid = b""
        while not (found := re.search(rb'"sid":"([^"]+)"', sid)):
            sid += first.recv(65536)
        second.sendall(request(b"GET", WEBSOCKET + b"&sid=" + found[1], UPGRADE))
        assert read_all(second).endswith(b"\x88\0")
        assert get_counter("engineio.refused_second_websocket") == 1
        assert get_figures()["sessions"] == 1


def count_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_stays_behind(port):
    bad = [
        b"nonsense\r\n\r\n",
        request(b"GET", WEBSOCKET, UPGRADE, b"\xc1\x81" + MASK + b"6"),
        request(b"GET", WEBSOCKET, b"Connection: Upgrade\r\nUpgrade: tea\r\n"),
        request(b"GET", b"/", b"A: b\r\n" * 100),
        request(b"POST", POLLING, b"Connection: close\r\nContent-Length: 1\r\n", b"x"),
    ]
    before = count_descriptors()
    for n in range(500):
        with connect(port) as connection:
            connection.sendall(bad[n % len(bad)])
            assert read_all(connection)
    wait_for(lambda: not get_figures()["connections"])
    assert count_descriptors() == before
    assert get_figures()["sessions"] == 0
