"""Handler hosts on the real local socket, with real clients."""

import gc
import json
import select
import threading
import time

import pytest
import socketio
from support.bench import (
    PATIENCE,
    SITE,
    ask,
    connect,
    get_figures,
    make_bench,
    start,
    wait_for,
)
from support.fake_host import FakeHost
from support.stub_web import StubWeb

import frappe_rt
from frappe_rt import _rt, config

NS = f"/{SITE}"
BINARY = b"\x00\xff" * 3

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def server(tmp_path):
    with StubWeb(SITE) as web:
        bench = make_bench(tmp_path)
        server = start(bench, webserver_port=web.port)
        server.path = str(bench / "config/frappe_rt.sock")
        yield server
        frappe_rt.stop()
        config.give(config.Given())


@pytest.fixture
def client(server):
    """A function that connects a client as a user; its `heard` are the events it got."""
    clients = []

    def enter(sid="ada", **options):
        client = socketio.Client(reconnection=False)
        client.heard = []
        client.on("*", lambda event, *args: client.heard.append((event, *args)), namespace=NS)
        client.on("question", lambda text: f"{text}: yes", namespace=NS)
        clients.append(client)
        client.connect(
            f"http://127.0.0.1:{server.port}",
            headers={"Cookie": f"sid={sid}"},
            namespaces=[NS],
            transports=["websocket"],
            wait_timeout=PATIENCE,
            **options,
        )
        return client

    yield enter
    for client in clients:
        client.disconnect()
    clients.clear()
    gc.collect()  # here, where the warnings about its sockets are expected


def call(client, event, *args, timeout=PATIENCE):
    return client.call(event, args, namespace=NS, timeout=timeout)


def test_an_event_there_and_back(server, client):
    with FakeHost(server.path, ["join_call"], connects=True) as host:
        assert host.welcome.keys() == {"op", "version", "server", "web", "threads"}
        ada = client("ada", auth={"token": 7})
        connected = host.read()
        sid = ada.get_sid(NS)
        assert connected["op"] == "connect"
        assert (connected["s"], connected["ns"], connected["site"]) == (sid, NS, SITE)
        assert (connected["user"], connected["type"]) == ("ada@example.com", "System User")
        assert connected["apps"] == ["frappe", "erpnext"]
        assert (connected["sid"], connected["authorization"]) == ("ada", None)
        assert connected["headers"]["cookie"] == "sid=ada"
        assert connected["query"]["transport"] == "websocket"
        assert connected["auth"] == {"token": 7}
        assert set(connected["rooms"]) == {"user:ada@example.com", "website", "all"}

        ada.emit("join_call", ("room 1", BINARY), namespace=NS, callback=print)
        event = host.read()
        assert event.pop("i") > 0
        placeholder = {"_placeholder": True, "num": 0}
        a = ["room 1", placeholder]
        expected = {"op": "event", "s": sid, "e": "join_call", "a": a, "b": ["AP8A/wD/"]}
        assert event == expected


def test_acknowledged_both_ways(server, client):
    with FakeHost(server.path, ["*"]) as host:
        ada, grace = client("ada"), client("grace")
        answers = []
        ada.emit("start", "x", namespace=NS, callback=lambda *a: answers.append(a))
        event, [connected] = host.read_until("event")
        assert connected["user"] == "ada@example.com"
        s = event["s"]
        host.say(op="join", s=s, r="call")
        host.say(op="join", s=grace.get_sid(NS), r="call")
        host.say(op="emit", ns=NS, r=["call"], e="joined", a=["ada"], x=[s])
        placeholder = {"_placeholder": True, "num": 0}
        host.say(op="emit", s=s, e="bytes", a=[placeholder], b=["AP8A/wD/"])
        host.say(op="emit", s=s, e="question", a=["sure"], q=5, t=PATIENCE * 1000)
        host.say(op="ack", s=s, i=event["i"], a=["done", {"n": 1}])
        assert host.read() == {"op": "ack", "q": 5, "a": ["sure: yes"]}
        wait_for(lambda: answers and grace.heard and ada.heard)
        assert answers == [("done", {"n": 1})]
        assert grace.heard == [("joined", "ada")]
        assert ada.heard == [("bytes", BINARY)]
        host.say(op="permission", q=6, s=s, doctype="Secret")
        host.say(op="permission", q=7, s=s, doctype="ToDo", name="x")
        results = {line["q"]: line["ok"] for line in (host.read(), host.read())}
        assert results == {6: False, 7: True}
        host.say(op="disconnect", s=s, close=True)
        assert host.read()["reason"] == "server namespace disconnect"
        wait_for(lambda: not ada.connected)


def test_gone_in_the_middle_of_an_event(server, client):
    """Whoever waits for its answer gets none; nobody else notices."""
    host = FakeHost(server.path, ["work"])
    ada, grace = client("ada"), client("grace")
    ada.emit("work", namespace=NS, callback=lambda *_: pytest.fail("nobody can have answered"))
    host.read_until("event")
    host.close()
    wait_for(lambda: ask(server.path, b'{"rt":"hosts"}') == [{"hosts": []}])
    with pytest.raises(socketio.exceptions.TimeoutError):
        call(ada, "work", timeout=0.3)
    grace.emit("ping", namespace=NS)
    wait_for(lambda: grace.heard == [("pong",)])
    assert ada.connected
    with FakeHost(server.path, ["work"]) as host:
        ada.emit("work", 2, namespace=NS)
        assert host.read_until("event")[0]["a"] == [2]
    wait_for(lambda: get_figures()["handlers"]["gone"] == 2)
    assert get_figures()["handlers"]["attached"] == 2


def test_replaced_while_events_flow(server, client):
    """Ten hosts, each replacing the one before it: every event goes to one, all in order."""
    events = 600
    seen = {}
    ready = threading.Semaphore(0)

    def serve(host):
        for line in iter(host.read, None):
            if line["op"] == "event":
                ready.release()
                seen.setdefault(line["s"], []).append(line["a"][0])
            elif line["op"] == "drain":
                break
        host.close()

    clients = [client(sid) for sid in ("ada", "grace", "customer")]
    hosts = [FakeHost(server.path, ["n"], mirror=True)]
    threads = [threading.Thread(target=serve, args=hosts)]
    threads[0].start()
    for n in range(events):
        for one in clients:
            one.emit("n", n, namespace=NS)
        if n % (events // 10) == 5:
            hosts.append(FakeHost(server.path, ["n"], mirror=True, replaces=hosts[-1].id))
            threads[-1].join()  # the older has read its last event before anybody reads a newer
            threads.append(threading.Thread(target=serve, args=hosts[-1:]))
            threads[-1].start()
        if n >= 300:
            time.sleep(0.011)  # not faster than a socket may
    for _ in range(events * len(clients)):
        assert ready.acquire(timeout=PATIENCE)
    figures = get_figures()
    frappe_rt.stop()
    threads[-1].join()
    assert sorted(seen.values()) == [list(range(events))] * len(clients)
    assert figures["handlers"]["replaced"] == 10
    assert figures["handlers"]["events_lost"] == 0
    assert figures["closed"]["transport error"] == 0


def test_one_that_does_not_read_loses_events(server, client):
    with FakeHost(server.path, ["big", "small"]) as host:
        ada, grace = client("ada"), client("grace")
        for n in range(20):
            ada.emit("big", (n, "x" * 900_000), namespace=NS)
        wait_for(lambda: get_figures()["hosts"][0]["events_lost"] > 0)
        grace.emit("ping", namespace=NS)
        wait_for(lambda: grace.heard == [("pong",)])
        wait_for(lambda: get_figures()["handlers"]["events_lost"] >= 5)
        [figures] = get_figures()["hosts"]
        wait_for(lambda: sum(get_figures()["hosts"][0][k] for k in ("events", "events_lost")) == 20)
        [figures] = get_figures()["hosts"]
        assert figures["owed_bytes"] < 10 << 20
        taken = [host.read_until("event")[0]["a"][0] for _ in range(figures["events"])]
        assert taken == list(range(figures["events"]))
        ada.emit("small", namespace=NS)
        assert host.read_until("event")[0]["e"] == "small"


def test_one_that_never_reads_is_disconnected(server, client):
    """What it must know cannot be left out: the answers to its own questions."""
    host = FakeHost(server.path, [])
    client("ada")
    question = json.dumps({"op": "participants", "q": 1, "ns": NS}).encode() + b"\n"
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            host.peer.sendall(question * 10_000)
    host.close()
    assert get_figures()["handlers"]["closed_slow"] == 1
    assert ask(server.path, b'{"rt":"health"}') == [{"ok": True, "degraded": None}]


def test_turned_away(server):
    with connect(server.path) as peer, peer.makefile("rb") as stream:
        peer.sendall(b'{"rt":"host","version":9,"id":"A","events":[]}\n{"rt":"health"}\n')
        assert "version 9" in json.loads(stream.readline())["error"]
        assert stream.read() == b""
    hosts = [FakeHost(server.path, []) for _ in range(8)]
    assert all(host.welcome["op"] == "welcome" for host in hosts)
    ninth = FakeHost(server.path, [])
    assert "8 handler hosts are attached" in ninth.welcome["error"]
    assert ninth.read() is None
    for host in [*hosts, ninth]:
        host.close()


def test_told_of_all_who_are_there(server, client):
    clients = {client(sid).get_sid(NS) for sid in ("ada", "grace", "customer")}
    with FakeHost(server.path, [], mirror=True) as host:
        lines = [host.read() for _ in clients]
        assert {line["s"] for line in lines} == clients
        assert all(line["again"] and "headers" not in line for line in lines)


def test_listed(server):
    with FakeHost(server.path, ["b"], mirror=True) as host:
        [listed] = ask(server.path, b'{"rt":"hosts"}')[0]["hosts"]
        assert (listed["id"], listed["takes"], listed["state"]) == (host.id, ["b"], "active")
        [figures] = get_figures()["hosts"]
        assert figures.keys() == listed.keys() - {"apps", "takes"}


def test_ends_with_the_server(server):
    with FakeHost(server.path, ["*"]) as host:
        frappe_rt.stop()
        assert host.read() is None


def test_reload_wakes_who_supervises(server):
    refused = {"error": "no handler hosts are supervised here"}
    assert ask(server.path, b'{"rt":"reload"}') == [refused]
    fd = _rt.open_requests()
    try:
        assert _rt.take_request() is None
        timer = threading.Timer(0.05, ask, (server.path, b'{"rt":"reload"}'))
        timer.start()
        assert select.select([fd], [], [], PATIENCE)[0] == [fd]
        timer.join()
        assert _rt.take_request() == "reload"
        assert _rt.take_request() is None
        assert select.select([fd], [], [], 0)[0] == []
    finally:
        _rt.close_requests()
    assert ask(server.path, b'{"rt":"reload"}') == [refused]
