"""Clients that make noise, in the log or for those who view the same document, beside a victim."""

import json
import re
import socket
import time

import pytest
from support.bench import PATIENCE, SITE, get_figures, wait_for
from support.crowd import Crowd
from support.stub_web import SESSIONS, StubWeb

import frappe_rt
from frappe_rt import _rt

VIEWERS = 150
TOGGLES = 200
NAMED = 100  # users in one list
BYTES_PER_SECOND = 1_000_000  # of such lists, for one document

INFO, WARNING = 1, 2
MADE_UP = 300


@pytest.fixture
def server(monkeypatch):
    for user in range(VIEWERS):
        monkeypatch.setitem(SESSIONS, f"s{user}", (f"user-{user}@company.example", "System User"))
    with StubWeb(SITE) as web:
        yield frappe_rt.start(
            "",
            SITE,
            socketio_port=0,
            frappe_rt_host="127.0.0.1",
            frappe_rt_redis=False,
            webserver_port=web.port,
        )
        frappe_rt.stop()


@pytest.fixture
def crowd():
    with Crowd() as people:
        yield people


def say(crowd, tab, *event):
    crowd.loop.call_soon_threadsafe(tab.say, f"42/{SITE},{json.dumps(event)}")


class Victim:
    """Has nothing to do with it, and hears what is published to it."""

    def __init__(self, crowd, port):
        [self.tab] = crowd.come(port, "customer")
        self.count = 0

    def is_served(self):
        self.count += 1
        frappe_rt.publish_realtime("n", self.count, user="customer@example.com", site=SITE)
        wait_for(lambda: self.tab.heard[-1:] == [self.count])
        return not self.tab.closed


def test_one_of_many_viewers_comes_and_goes(server, crowd):
    tabs = [crowd.come(server.port, f"s{user}")[0] for user in range(VIEWERS)]
    victim = Victim(crowd, server.port)
    for tab in tabs:
        tab.wanted = "doc_viewers"
        say(crowd, tab, "doc_open", "ToDo", "T-1")
    wait_for(lambda: tabs[1].heard and tabs[1].heard[-1].get("count") == VIEWERS)
    last = tabs[1].heard[-1]
    assert len(last["users"]) == NAMED
    size = len(json.dumps(last, separators=(",", ":")))
    began = time.monotonic()
    delivered = get_figures()["deliveries"]
    for n in range(TOGGLES):
        say(crowd, tabs[0], "doc_open" if n % 2 else "doc_close", "ToDo", "T-1")
        time.sleep(0.011)
        assert n % 50 or victim.is_served()
    seconds = time.monotonic() - began
    delivered = get_figures()["deliveries"] - delivered
    assert delivered * size <= BYTES_PER_SECOND * seconds + 3 * VIEWERS * size
    assert get_figures()["frappe"]["viewers_paused"] >= 1
    say(crowd, tabs[0], "doc_close", "ToDo", "T-1")
    wait_for(lambda: tabs[1].heard[-1].get("count") == VIEWERS - 1)
    assert crowd.count_closed() == 0


def ask_for(port, host):
    """A CONNECT to a site that the host is not."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    packet = f"40/{SITE},".encode()
    connection.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: " + host + b"\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        + bytes([0x81, 0x80 | len(packet)]) + bytes(4) + packet
    )  # fmt: skip
    return connection


def test_made_up_hosts_do_not_fill_the_log(server, crowd, tmp_path):
    victim = Victim(crowd, server.port)
    refused = get_figures()["frappe"]["refused_namespace"]
    with (tmp_path / "log").open("w+b") as log:
        _rt.set_log(INFO, log.fileno())
        try:
            began = time.monotonic()
            for n in range(MADE_UP):
                ask_for(server.port, b"\xc2\x9b31m%d.example" % n).close()
                assert n % 100 or victim.is_served()
            wait_for(lambda: get_figures()["frappe"]["refused_namespace"] == refused + MADE_UP)
            seconds = time.monotonic() - began
            time.sleep(1.1)  # the gate opens
            ask_for(server.port, b"last.example").close()
            wait_for(lambda: b"last.example" in (tmp_path / "log").read_bytes())
        finally:
            _rt.set_log(WARNING, 2)
    text = (tmp_path / "log").read_bytes()
    assert b"\x9b" not in text and b"?31m0.example" in text
    lines = [line for line in text.splitlines() if b"Invalid namespace" in line]
    assert len(lines) <= seconds + 3
    left_out = re.findall(rb"\((\d+) more since the last such line\)", text)
    assert sum(map(int, left_out)) + len(lines) == MADE_UP + 1
    assert victim.is_served()
