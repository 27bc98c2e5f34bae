"""The conformance program itself: its options, its messages, how it ends."""

import http.client
import json
import signal
import socket

import pytest
from support.conformance import PATIENCE, Conformance, run

OPEN = "?EIO=4&transport=polling"


def ask(server, target, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def handshake(server, path):
    answer, body = ask(server, path + OPEN)
    assert (answer.status, body[:1]) == (200, "0")
    return json.loads(body[1:])


@pytest.mark.parametrize("mode", ["engineio", "socketio"])
def test_it_says_where_it_listens_and_has_the_reference_defaults(mode):
    path = {"engineio": "/engine.io/", "socketio": "/socket.io/"}[mode]
    with Conformance(mode) as server:
        assert server.line == (
            f"conformance: {mode} listens on http://localhost:{server.port}{path}\n"
        )
        hello = handshake(server, path)
        assert len(hello.pop("sid")) == 20
        assert hello == {
            "upgrades": ["websocket"],
            "pingInterval": 25000,
            "pingTimeout": 20000,
            "maxPayload": 1000000,
        }


def test_both_loopback_addresses_answer():
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with Conformance("engineio") as server:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, server.port), timeout=PATIENCE).close()


def test_options_reach_the_server():
    options = {
        "--ping-interval": 30000,
        "--ping-timeout": 40000,
        "--max-payload": 10,
        "--path": "/some/where",
    }
    words = [word for option in options.items() for word in option]
    with Conformance("socketio", *words) as server:
        hello = handshake(server, "/some/where/")
        assert (hello["pingInterval"], hello["pingTimeout"]) == (30000, 40000)
        assert hello["maxPayload"] == 10
        session = f"/some/where/{OPEN}&sid={hello['sid']}"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("POST", session, body="4" * 11)
        assert connection.getresponse().status == 413
        connection.close()
        answer, body = ask(server, "/socket.io/" + OPEN)
        assert (answer.status, body) == (404, "nothing here; look under /some/where/\n")


UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_a_client_without_connect_is_closed_after_the_time_given():
    """Long before the first ping, and before the 45 seconds that it has else."""
    options = ("--ping-interval", 3_600_000, "--connect-timeout", 100)
    with (
        Conformance("socketio", *options) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as client,
    ):
        client.sendall(UPGRADE)
        said = b"".join(iter(lambda: client.recv(4096), b""))
        assert b'0{"sid":' in said
        assert said.endswith(b"\x88\x00")


@pytest.mark.parametrize("path", ["/", "//", "/a", "/a/b///"])
def test_a_path_ends_with_one_slash(path):
    with Conformance("engineio", "--path", path) as server:
        assert server.line.endswith(f":{server.port}{path.rstrip('/')}/\n")
        handshake(server, path.rstrip("/") + "/")


@pytest.mark.parametrize(
    ("value", "allowed", "credentials"),
    [
        ("off", {}, None),
        ("*", {"http://a.example": "*", "http://b.example": "*", "": "*"}, None),
        ("reflect", {"http://a.example": "http://a.example"}, "true"),
        ("http://a.example, https://c.example", {"http://a.example": "http://a.example"}, "true"),
    ],
)
def test_cors(value, allowed, credentials):
    origins = ["http://a.example", "http://a.example.b"] if value != "reflect" else []
    with Conformance("socketio", "--cors", value) as server:
        for origin in {*allowed, *origins}:
            answer, _ = ask(server, "/socket.io/" + OPEN, **({"Origin": origin} if origin else {}))
            expected = "*" if value == "*" else allowed.get(origin)
            assert answer.headers["Access-Control-Allow-Origin"] == expected
            given = answer.headers["Access-Control-Allow-Credentials"]
            assert given == (credentials if expected else None)


USAGE = "usage: conformance engineio|socketio PORT [--ping-interval MS]"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", USAGE),
        ("engineio", USAGE),
        ("http 3000", "conformance: http: give engineio or socketio first, then the port"),
        ("engineio x", "conformance: port x: give a whole number from 0 (a free one) to 65535"),
        ("engineio 65536", "conformance: port 65536: give a whole number"),
        ("engineio -1", "conformance: port -1: give a whole number"),
        ("engineio 0 0", "conformance: 0: one word too many; give a mode and a port"),
        ("engineio 0 --pings 1", "conformance: --pings: no such option; --help lists them"),
        ("engineio 0 --path", "conformance: --path: a value must follow"),
        ("engineio 0 --ping-interval 0", "conformance: --ping-interval 0: give milliseconds, a"),
        ("engineio 0 --ping-timeout 3600001", "conformance: --ping-timeout 3600001: give mill"),
        ("engineio 0 --connect-timeout 1s", "conformance: --connect-timeout 1s: give milliseco"),
        ("engineio 0 --max-payload -5", "conformance: --max-payload -5: give bytes, a whole nu"),
        ("engineio 0 --path engine.io", "conformance: --path engine.io: give a path that begi"),
        ("engineio 0 --path /a?b", "conformance: --path /a?b: give a path that begins with /"),
        (f"engineio 0 --path /{'a' * 200}", f"conformance: --path /{'a' * 200}: give a path"),
        ("engineio 0 --cors yes", "conformance: --cors yes: give off, * (any origin), reflect"),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(words, line):
    status, output = run(*words.split())
    assert status == 2
    assert output.startswith(line)
    assert output.count("\n") == 1


def test_help():
    status, output = run("engineio", "--help")
    assert status == 0
    assert output.startswith(USAGE)
    for option in ("ping-timeout", "max-payload", "connect-timeout", "path", "cors"):
        assert f"[--{option} " in output


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_said_in_one_line(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        taken = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no address {host}")
    with taken:
        port = taken.getsockname()[1]
        assert run("socketio", port) == (
            1,
            f"conformance: cannot listen on port {port} (Address already in use); "
            "give a free port, or 0 to have one chosen\n",
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_clients_connected(number):
    with Conformance("socketio") as server:
        sid = handshake(server, "/socket.io/")["sid"]
        poll = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        poll.request("GET", f"/socket.io/{OPEN}&sid={sid}")
        # An answer to a second client shows that the poll has come: requests are read in order.
        ask(server, "/elsewhere")
        server.child.send_signal(number)
        with pytest.raises(http.client.RemoteDisconnected):  # it breaks off: clients come back
            poll.getresponse()
        poll.close()
        server.stop()
