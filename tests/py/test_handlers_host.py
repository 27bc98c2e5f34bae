"""The host process against a server that only speaks the protocol."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from support.bench import PATIENCE, wait_for
from support.host_server import HEAD, HostProcess, HostServer, ask, write_app


def test_hello(run):
    peer, _ = run('@realtime.on("a")\nasync def a(socket): ...\n', "--id=x" * 2, "--replaces=old")
    assert peer.hello["rt"] == "host"
    assert peer.hello["version"] == 2
    assert peer.hello["replaces"] == "old"
    assert peer.hello["events"] == ["a"]
    assert (peer.hello["connects"], peer.hello["mirror"]) == (False, False)


@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_hello_with_connect(run, event):
    peer, process = run(f'@realtime.on("{event}")\nasync def a(socket): ...\n')
    assert peer.hello["events"] == []
    assert peer.hello["connects"] is True
    assert peer.hello["pid"] == process.process.pid


RETURNS = """
@realtime.on("give")
async def give(socket, *arguments):
    return arguments if len(arguments) != 1 else arguments[0]

@realtime.on("plain")
def plain(socket, value):
    return value

@realtime.on("hidden")
def hidden(socket, value):
    async def later():
        return value
    return later()

@realtime.on("bad")
async def bad(socket):
    return object.__new__(type("Odd", (), {}))
"""


def test_acknowledgements(run):
    peer, process = run(RETURNS)
    peer.connect("s1")
    assert ask(peer, "s1", "give") == []
    assert ask(peer, "s1", "give", None) == []
    assert ask(peer, "s1", "give", {"a": [1]}) == [{"a": [1]}]
    assert ask(peer, "s1", "give", 1, "2") == [1, "2"]
    assert ask(peer, "s1", "plain", "p") == ["p"]
    assert ask(peer, "s1", "hidden", "h") == ["h"]
    assert ask(peer, "s1", "bad") == []
    process.read_log("cannot be sent")


def test_no_acknowledgement_unasked(run):
    peer, _ = run(RETURNS)
    peer.connect("s1")
    peer.event("s1", "give", 1)
    assert ask(peer, "s1", "give", 2, ack=0) == [2]
    assert peer.lines.empty()


def test_binary(run):
    peer, _ = run(
        """
@realtime.on("turn")
async def turn(socket, data):
    assert data["file"] == b"\\x00\\xff"
    await socket.emit("turned", {"n": 1, "file": data["file"][::-1]})
    return [b"ok", "text"]
"""
    )
    peer.connect("s1")
    place = {"_placeholder": True, "num": 0}
    peer.event("s1", "turn", {"file": place}, b=[base64.b64encode(b"\x00\xff").decode()], i=1)
    emitted, acknowledged = peer.read(), peer.read()
    assert emitted["a"] == [{"n": 1, "file": place}]
    assert base64.b64decode(emitted["b"][0]) == b"\xff\x00"
    assert acknowledged["a"] == [[place, "text"]]
    assert base64.b64decode(acknowledged["b"][0]) == b"ok"


ROOMS = """
@realtime.on("enter")
async def enter(socket, room):
    await socket.join(room)
    found = [socket.participants(room), await socket.user_of(socket.sid),
             await socket.user_of("no")]
    await socket.leave(room)
    return found

@realtime.on("enter_plain")
def enter_plain(socket, room):
    assert type(socket) is SyncSocket
    socket.join(room)
    found = [socket.participants(room), socket.user_of(socket.sid), socket.user_of("no")]
    socket.leave(room)
    return found

@realtime.on("may")
async def may(socket, doctype, name=None):
    return await socket.has_permission(doctype, name)

@realtime.on("may_plain")
def may_plain(socket, doctype):
    return socket.has_permission(doctype)

@realtime.on("send")
async def send(socket):
    assert type(socket) is Socket
    await socket.emit("nothing")
    await socket.emit("several", (1, 2), room="r")
    await socket.emit("but", [1], room="r", skip_sid=socket.sid)

@realtime.on("who")
async def who(socket):
    return [socket.sid, socket.namespace, socket.site, socket.user, socket.user_type,
            socket.installed_apps]

@realtime.on("count")
async def count(socket):
    await socket.set("n", socket.get("n", 0) + 1)
    return socket.get("n")

@realtime.on("call")
async def call(socket):
    try:
        return await socket.call("question", "?", timeout=2)
    except TimeoutError as error:
        return str(error)

@realtime.on("call_plain")
def call_plain(socket):
    return socket.call("question")
"""


@pytest.mark.parametrize("event", ["enter", "enter_plain"])
def test_rooms(run, event):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    assert ask(peer, "s1", event, "r") == [[["s1"], "ada@example.com", None]]
    assert peer.rooms == {"r": []}


def test_rooms_of_which_nothing_is_told(run):
    peer, _ = run(ROOMS)
    peer._answer = lambda line: line["op"] == "participants" and not peer.result(line)
    peer.connect("s1")
    assert ask(peer, "s1", "enter", "r") == [[[], None, None]]


def test_emits(run):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.event("s1", "send")
    to_room = {"op": "emit", "ns": "/one.localhost", "r": ["r"]}
    assert peer.read() == {"op": "emit", "s": "s1", "e": "nothing", "a": []}
    assert peer.read() == {**to_room, "e": "several", "a": [1, 2]}
    assert peer.read() == {**to_room, "x": ["s1"], "e": "but", "a": [[1]]}


def test_permissions(run):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.permissions = {"ToDo": True, "Silent": None}
    assert ask(peer, "s1", "may", "ToDo", 7) == [True]
    assert ask(peer, "s1", "may", "Silent") == [False]
    assert ask(peer, "s1", "may_plain", "Secret") == [False]


def test_permission_question(run):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.event("s1", "may", "ToDo", 7)
    asked = peer.read_op("permission")
    assert (asked["s"], asked["doctype"], asked["name"]) == ("s1", "ToDo", "7")
    peer.event("s1", "may", "ToDo")
    assert "name" not in peer.read_op("permission")


def test_identity(run):
    peer, _ = run(ROOMS)
    peer.connect("s1", apps=None)
    told = ["s1", "/one.localhost", "one.localhost", "ada@example.com", "System User"]
    assert ask(peer, "s1", "who") == [[*told, ["frappe", "chat"]]]


def test_identity_where_little_is_told(run):
    peer, _ = run(ROOMS.replace('on("who")', 'on("who", allow_guest=True)'))
    peer.connect("s1", user=None, type=None, apps=None)
    told = ["s1", "/one.localhost", "one.localhost", "Guest", ""]
    assert ask(peer, "s1", "who") == [[*told, ["frappe", "chat"]]]
    peer.connect("s2", apps=[])  # a site without any app is no site that does not tell
    assert ask(peer, "s2", "who") == []


def test_arguments_that_cannot_be_sent(run):
    peer, _ = run(
        """
@realtime.on("send")
async def send(socket, what):
    values = {"many": [b"x"] * 11, "most": [b"x"] * 10}
    try:
        await socket.emit("sent", values[what], room="r", skip_sid=["a", "b"])
    except ValueError as error:
        return str(error)
"""
    )
    peer.connect("s1")
    assert "11 binary values" in ask(peer, "s1", "send", "many")[0]
    peer.event("s1", "send", "most")
    sent = peer.read()
    assert (len(sent["b"]), sent["x"]) == (10, ["a", "b"])


def test_state_is_per_socket_and_ends_with_it(run):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.connect("s2")
    assert [ask(peer, sid, "count") for sid in ("s1", "s1", "s2")] == [[1], [2], [1]]
    peer.disconnect("s1")
    peer.connect("s1")
    assert ask(peer, "s1", "count") == [1]


@pytest.mark.parametrize("event", ["call", "call_plain"])
def test_call(run, event):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.event("s1", event, i=1)
    asked = peer.read_op("emit")
    assert (asked["s"], asked["e"]) == ("s1", "question")
    assert asked["t"] == (2000 if event == "call" else 30000)
    peer.say(op="ack", q=asked["q"], a=["yes"])
    assert peer.read_op("ack")["a"] == ["yes"]


CALLS = """
import json
from frappe_rt.handlers import realtime

@realtime.on("wait")
async def wait(socket, seconds):
    try:
        return await socket.call("question", timeout=json.loads(seconds))
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"

@realtime.on("wait_plain")
def wait_plain(socket, seconds):
    try:
        return socket.call("question", timeout=json.loads(seconds))
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.mark.parametrize("event", ["wait", "wait_plain"])
def test_what_is_no_number_of_seconds_is_refused(run, event):
    peer, _ = run(CALLS)
    peer.connect("s1")
    for text, why in (
        ("-1", "ValueError: timeout is -1; give 0 seconds or more"),
        ("NaN", "ValueError: timeout is nan; give 0 seconds or more"),
        ('"2"', "TypeError: timeout is '2' (str); give a number of seconds"),
        ("null", "TypeError: timeout is None (NoneType); give a number of seconds"),
    ):
        assert ask(peer, "s1", event, text) == [why]


@pytest.mark.parametrize(("text", "ms"), [("0", 1), ("86401", 30000), ("Infinity", 30000)])
def test_a_client_is_waited_for_30_seconds_at_most(run, text, ms):
    peer, _ = run(CALLS)
    peer.connect("s1")
    peer.event("s1", "wait", text, i=1)
    assert peer.read_op("emit")["t"] == ms


@pytest.mark.parametrize("event", ["call", "call_plain"])
def test_call_answered_with_bytes(run, event):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.event("s1", event, i=1)
    place = {"_placeholder": True, "num": 0}
    peer.say(op="ack", q=peer.read_op("emit")["q"], a=[place], b=["AP8="])
    answer = peer.read_op("ack")
    assert (answer["a"], answer["b"]) == ([place], ["AP8="])


@pytest.mark.parametrize("why", ["timeout", "gone"])
def test_call_that_fails(run, why):
    peer, _ = run(ROOMS)
    peer.connect("s1")
    peer.event("s1", "call", i=1)
    peer.say(op="ack", q=peer.read_op("emit")["q"], error=why)
    assert why in peer.read_op("ack")["a"][0]


GATES = """
@realtime.on("members")
async def members(socket):
    await socket.emit("chat_members")

@realtime.on("everybody", allow_guest=True)
async def everybody(socket):
    await socket.emit("chat_everybody")
"""


def test_gates(run, bench):
    write_app(bench, "other", HEAD + GATES.replace("chat_", "other_"))
    peer, _ = run(GATES)
    peer.connect("both", apps=["frappe", "other", "chat"])
    peer.connect("old", apps=None)
    peer.connect("one", apps=["frappe", "chat"])
    peer.connect("guest", user="Guest")

    def get(sid, event):
        peer.event(sid, event, i=1)
        emitted = []
        while (line := peer.read())["op"] == "emit":
            emitted.append(line["e"])
        assert line["a"] == []
        return emitted

    assert get("both", "members") == ["other_members", "chat_members"]
    assert get("old", "members") == ["other_members", "chat_members"]
    assert get("one", "members") == ["chat_members"]
    assert get("guest", "members") == []
    assert get("guest", "everybody") == ["chat_everybody"]


def test_failing_handler_does_not_stop_the_next(run, bench):
    write_app(bench, "bad", HEAD + 'realtime.on("e")(lambda socket: 1 / 0)\n')
    write_app(
        bench, "worse", HEAD + '@realtime.on("e")\nasync def e(socket): raise SystemExit(3)\n'
    )
    write_app(bench, "odd", HEAD + '@realtime.on("e")\ndef e(socket): raise StopIteration\n')
    cancelled = "@realtime.on('e')\nasync def e(socket):\n    raise asyncio.CancelledError\n"
    write_app(bench, "weary", HEAD + cancelled)
    peer, process = run('@realtime.on("e")\nasync def e(socket): return "fine"\n')
    peer.connect("s1", apps=None)
    assert ask(peer, "s1", "e") == ["fine"]
    assert "bad failed" in process.read_log("a handler of bad")
    assert "end the process" in process.read_log("a handler of worse")
    process.read_log("a handler of odd failed")
    process.read_log("StopIteration")


def test_wrong_arguments_are_an_error_of_that_event(run):
    peer, process = run('@realtime.on("e")\nasync def e(socket, one): return one\n')
    peer.connect("s1")
    began = time.monotonic()
    for _ in range(100):
        peer.event("s1", "e")
    assert ask(peer, "s1", "e", "x") == ["x"]
    time.sleep(1.1)  # the log is quiet about the same for a second
    peer.event("s1", "e")
    lines = errors = 0
    while errors < 101:
        line = process.read_log("a handler of chat failed")
        lines += 1
        errors += 1 + int(re.search(r"\((\d+) more since the last line\)", line)[1])
    assert errors == 101
    assert lines <= 1 + (time.monotonic() - began)
    assert "TypeError" in process.log


LIFE = """
@realtime.on("connect")
async def connect(socket):
    await asyncio.sleep(0.2)
    await socket.set("ready", True)
    await socket.emit("hello")

@realtime.on("e")
async def e(socket):
    return socket.get("ready")

@realtime.on("disconnect")
async def disconnect(socket):
    await socket.join("never")
    await socket.emit("never")
    await socket.emit("gone", socket.get("ready"), room="r")
"""


def test_connect_comes_before_events_and_disconnect_after(run):
    peer, _ = run(LIFE)
    assert peer.hello["connects"] is True
    peer.connect("s1")
    assert ask(peer, "s1", "e") == [True]
    peer.disconnect("s1")
    line = peer.read()
    assert (line["e"], line["r"], line["a"]) == ("gone", ["r"], [True])


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_events_that_waited_for_connect_stay_in_order(run, server, kind):
    """One that comes just as the connect handlers end does not overtake those that waited."""
    server.threads = 1
    peer, _ = run(
        """
taken = []

@realtime.on("connect")
async def connect(socket):
    await asyncio.sleep(0.1)
    socket.participants("r")

@realtime.on("e")
KIND e(socket, number):
    taken.append(number)
    return taken
""".replace("KIND", kind)
    )
    answers = peer._answer

    def send_the_last(line):
        if line["op"] == "participants":
            peer.event("s1", "e", 3, i=3)
        return answers(line)

    peer._answer = send_the_last
    peer.connect("s1")
    for number in (1, 2):
        peer.event("s1", "e", number)
    assert peer.read()["a"] == [[1, 2, 3]]


def test_events_that_wait_for_connect_take_no_more_memory_than_others(run):
    """They count as events that are being handled: beyond the most of those, the next ones wait
    among all others, and what does not fit there is lost."""
    peer, process = run(
        """
from frappe_rt.handlers import dispatch
dispatch.RUNNING_MAX, dispatch.WAITING_MAX = 3, 1000

@realtime.on("connect")
async def connect(socket):
    for _ in range(20):
        await socket.call("next")

@realtime.on("e")
async def e(socket, text): ...
"""
    )
    peer.connect("s1")
    for number in range(20):
        asked = peer.read_op("emit")["q"]
        peer.event("s1", "e", "x" * 300, i=number)
        peer.say(op="ack", q=asked, a=[])
    # Beside the connect handler two; of those that wait for their turn another two fit.
    assert [peer.read()["i"] for _ in range(4)] == [0, 1, 2, 3]
    peer.event("s1", "e", "", i=20)
    assert peer.read()["i"] == 20
    process.read_log("do not keep up: an event 'e' is lost")


def test_disconnect_waits_for_connect(run):
    peer, _ = run(LIFE)
    peer.connect("s1")
    peer.disconnect("s1")
    line = peer.read()
    assert (line["e"], line["a"]) == ("gone", [True])


def test_clients_cannot_play_connect(run):
    peer, _ = run(
        """
@realtime.on("connect")
async def connect(socket):
    await socket.emit("hello")

@realtime.on("disconnect")
async def disconnect(socket):
    await socket.emit("bye")

@realtime.on("e")
async def e(socket):
    return "e"
"""
    )
    peer.connect("s1")
    assert peer.read()["e"] == "hello"
    peer.event("s1", "disconnect", i=1)
    peer.event("s1", "connect", i=2)
    peer.event("s1", "e", i=3)
    assert peer.read()["i"] == 3


def test_events_of_sockets_nobody_told_of(run):
    peer, _ = run(RETURNS)
    peer.event("unknown", "give", i=1)
    peer.disconnect("unknown")
    peer.say(op="of another version", s="s1")
    peer.connect("s1")
    assert ask(peer, "s1", "give", 1) == [1]


def test_kept_socket(run):
    """An app's own task goes on emitting; after the end it is for nothing, and harmless."""
    peer, _ = run(
        """
@realtime.on("start")
async def start(socket):
    asyncio.get_running_loop().kept = asyncio.create_task(tick(socket))

async def tick(socket):
    while True:
        await socket.emit("tick")
        await asyncio.sleep(0.01)

@realtime.on("alive")
async def alive(socket):
    return not asyncio.get_running_loop().kept.done()
"""
    )
    peer.connect("s1")
    peer.event("s1", "start")
    for _ in range(3):
        assert peer.read_op("emit")["e"] == "tick"
    peer.connect("s2")
    peer.disconnect("s1")
    time.sleep(0.1)
    assert ask(peer, "s2", "alive") == [True]
    time.sleep(0.1)
    assert peer.lines.empty()


def test_late_handlers(run):
    peer, _ = run(
        """
@realtime.on("teach")
async def teach(socket):
    @realtime.on("late")
    async def late(socket):
        return "learnt"
"""
    )
    peer.connect("s1")
    peer.event("s1", "teach")
    assert peer.read() == {"op": "events", "e": ["late"]}
    assert ask(peer, "s1", "late") == ["learnt"]


def test_handlers_that_come_during_an_event_take_the_next(run):
    peer, _ = run(
        """
taken = 0

def e(socket):
    global taken
    taken += 1
    realtime.on("e")(e)
    return taken

realtime.on("e")(e)
"""
    )
    peer.connect("s1")
    assert ask(peer, "s1", "e") == [1]
    assert ask(peer, "s1", "e") == [2]
    assert ask(peer, "s1", "e") == [4]


CONTEXTS = """
from contextvars import ContextVar
kept = ContextVar("kept", default=None)
kept.set("import")

@realtime.on("e")
async def e(socket):
    before = kept.get()
    kept.set(1)
    return before or "clean"

@realtime.on("plain")
def plain(socket):
    before = kept.get()
    kept.set(1)
    return before or "clean"
"""


@pytest.mark.parametrize("event", ["e", "plain"])
def test_nothing_is_left_in_the_context(run, event):
    peer, _ = run(CONTEXTS)
    peer.connect("s1")
    assert [ask(peer, "s1", event) for _ in range(10)] == [["clean"]] * 10


def test_blocked_threads_hold_up_plain_handlers_only(run, server):
    server.threads = 2
    peer, _ = run(
        """
import threading
go, inside = threading.Event(), []

@realtime.on("block")
def block(socket):
    inside.append(1)
    go.wait()
    return len(inside)

@realtime.on("inside")
async def count(socket):
    return len(inside)

@realtime.on("go")
async def release(socket):
    go.set()
"""
    )
    peer.connect("s1")
    for ack in range(3):
        peer.event("s1", "block", i=100 + ack)
    wait_for(lambda: ask(peer, "s1", "inside") == [2])
    time.sleep(0.1)
    assert ask(peer, "s1", "inside") == [2]
    peer.say(op="config", web="http://web:2", threads=3)
    wait_for(lambda: ask(peer, "s1", "inside") == [2])  # it is there for the next event
    peer.event("s1", "block", i=103)
    wait_for(lambda: ask(peer, "s1", "inside") == [3])
    peer.event("s1", "go")
    assert sorted(peer.read_op("ack")["i"] for _ in range(4)) == [100, 101, 102, 103]


FLOODS = """
from frappe_rt.handlers.link import HIGH

@realtime.on("async")
async def flood(socket, many, size):
    text, most = "x" * size, 0
    for number in range(many):
        await socket.emit("drop", [number, text])
        most = max(most, socket._session.link.owed)
    return most < HIGH + 2 * size

@realtime.on("in a thread")
def flood_plain(socket, many, size):
    text, most = "x" * size, 0
    for number in range(many):
        socket.emit("drop", [number, text])
        most = max(most, socket._session.link.owed)
    return most < HIGH + 2 * size

@realtime.on("blocking the loop")
def flood_hidden(socket, many, size):
    async def later():
        return flood_plain(socket, many, size)
    return later()
"""


@pytest.mark.parametrize("event", ["async", "in a thread", "blocking the loop"])
def test_flood(run, event):
    """More than the server takes at once: the handler waits for it, and no more is kept."""
    peer, _ = run(FLOODS)
    answers, go = peer._answer, threading.Event()

    def hold(line):
        assert go.wait(PATIENCE)
        return answers(line)

    peer._answer = hold
    peer.connect("s1")
    peer.event("s1", event, 10_000, 1000, i=1)
    threading.Timer(0.3, go.set).start()
    for number in range(10_000):
        assert peer.read()["a"][0][0] == number
    assert peer.read()["a"] == [True]


def test_what_has_waited_makes_room(run):
    peer, _ = run(
        "from frappe_rt.handlers import dispatch\ndispatch.WAITING_MAX = 1000\n" + RETURNS
    )
    peer.connect("s1")
    for number in range(100):
        assert ask(peer, "s1", "give", number) == [number]


def test_events_beyond_what_waits_are_lost_and_told(run):
    """A handler that blocks the loop: what does not fit is dropped, connects and ends are not."""
    peer, process = run(
        """
seen = []

@realtime.on("block")
async def block(socket):
    socket.participants("r")

@realtime.on("e")
async def e(socket, *rest):
    seen.append(1)

@realtime.on("seen")
async def count(socket):
    return len(seen)
"""
    )
    answers, all_sent = peer._answer, threading.Event()

    def hold(line):
        # While the host waits for this answer it takes what comes and handles nothing.
        if line["op"] == "participants":
            for _ in range(100):
                peer.event("s1", "e", "x" * 200_000)
            peer.connect("s2")
            all_sent.set()
        return answers(line)

    peer._answer = hold
    peer.connect("s1")
    peer.event("s1", "block")
    process.read_log("do not keep up")
    assert all_sent.wait(PATIENCE)
    wait_for(lambda: ask(peer, "s2", "seen")[0] >= 41)
    assert ask(peer, "s2", "seen")[0] < 60


@pytest.mark.parametrize("replaced", [False, True])
def test_end(run, replaced):
    """With 0 after another host took over, once handlers are done; with 1 when the server goes."""
    peer, process = run(
        """
@realtime.on("slow")
async def slow(socket):
    await socket.emit("begun")
    await asyncio.sleep(0.3)
    return "done"
"""
    )
    peer.connect("s1")
    peer.event("s1", "slow", i=1)
    assert peer.read()["e"] == "begun"
    if replaced:
        peer.say(op="drain")
        assert peer.read()["a"] == ["done"]
        assert process.wait() == 0
    else:
        peer.close()
        assert process.wait() == 1
        assert "has gone" in process.log


BLOCKS = """
@realtime.on("block")
async def block(socket):
    await socket.emit("begun")
    await asyncio.sleep(0)
    time.sleep(3600)

@realtime.on("block_plain")
def block_plain(socket):
    socket.emit("begun")
    time.sleep(3600)
"""


@pytest.mark.parametrize("event", ["block", "block_plain"])
def test_blocked_host_ends_with_the_server(run, event):
    peer, process = run(BLOCKS)
    peer.connect("s1")
    peer.event("s1", event)
    peer.read()
    time.sleep(0.2)
    peer.close()
    assert process.wait() == 1


def test_blocked_host_ends_with_its_parent(bench, server):
    write_app(bench, "chat", HEAD + BLOCKS)
    code = (
        "import os, subprocess, sys\n"
        "sys.stdin.read(1) if subprocess.Popen([sys.executable, '-m', 'frappe_rt.handlers',"
        " *sys.argv[1:], f'--parent={os.getpid()}']) else 0"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, f"--bench={bench}", f"--socket={server.path}"],
        stdin=subprocess.PIPE,
    )
    try:
        peer = server.wait_for_host()
        peer.connect("s1")
        peer.event("s1", "block")
        peer.read()
    finally:
        parent.kill()
        parent.communicate()
    assert peer.read() is None


def test_parent_that_is_no_parent(bench, server):
    write_app(bench, "chat", HEAD)
    with HostProcess(bench, server, "--parent=1") as process:
        assert process.wait() == 1
    assert "is not its parent" in process.log


def test_terminated(run):
    peer, process = run(BLOCKS)
    peer.connect("s1")
    peer.event("s1", "block")
    peer.read()
    process.process.terminate()
    assert process.wait() == -signal.SIGTERM


def test_refused(bench):
    write_app(bench, "chat", HEAD)
    with HostServer(bench / "rt.sock") as server:
        server.refuse = "version 1 is not known"
        with HostProcess(bench, server) as process:
            assert process.wait() == 1
        assert "version 1 is not known" in process.log


def test_no_server(bench, server):
    write_app(bench, "chat", HEAD)
    server.stop_listening()
    with HostProcess(bench, server) as process:
        assert process.wait() == 1
    assert "cannot attach" in process.log


def test_app_that_cannot_be_imported(run, bench):
    """It is off, whatever it registered; the others run. Frappe's own server would not start."""
    write_app(bench, "broken", HEAD + 'realtime.on("x")(print)\nimport no_such_module\n')
    write_app(bench, "exits", HEAD + "raise SystemExit(3)\n")
    (bench / "apps/bare/bare").mkdir(parents=True)
    (bench / "apps/bare/bare/__init__.py").touch()
    with (bench / "sites/apps.txt").open("a") as text:
        text.write("bare\nnot_there\n")
    peer, process = run(RETURNS)
    assert peer.hello["events"] == ["give", "plain", "hidden", "bad"]
    log = process.read_log("handlers of chat: give") and process.log
    assert "the handlers of broken are off" in log
    assert "no_such_module" in log
    assert "the handlers of exits are off" in log
    assert "bare" not in log.replace(str(bench), "")
    assert "not_there" not in log


def test_what_an_app_does_beside_its_handlers_may_fail(run):
    peer, process = run(
        """
@realtime.on("e")
async def e(socket):
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
"""
    )
    peer.connect("s1")
    assert ask(peer, "s1", "e") == []
    process.read_log("ZeroDivisionError")
    assert ask(peer, "s1", "e") == []


OLD = [{"id": "older", "apps": ["broken"]}, {"id": "old", "apps": ["chat", "other"]}]


def test_what_the_old_host_serves_is_not_replaced_by_nothing(bench, server):
    """One look shows every app that has to be mended."""
    for app in ("chat", "broken", "other", "fine"):
        write_app(bench, app, HEAD if app == "fine" else HEAD + "import no_such_module\n")
    server.listed = OLD
    with HostProcess(bench, server, "--replaces=old") as process:
        assert process.wait() == 1
    told = "not taking over, the old handlers go on: no new ones of chat, other\n"
    assert process.log.count(told) == 1
    for app in ("chat", "broken", "other"):
        assert process.log.count(f"{app}.realtime.handlers cannot be imported") == 1
    assert "are off" not in process.log
    assert server.hosts.empty()


@pytest.mark.parametrize("replaces", ["old", "one that has gone"])
def test_what_nobody_serves_does_not_keep_a_host_from_taking_over(run, bench, server, replaces):
    write_app(bench, "broken", "import no_such_module\n")
    server.listed = OLD
    peer, process = run("", f"--replaces={replaces}")
    assert peer.hello["apps"] == ["chat"]
    process.read_log("handlers of chat")
    assert "the handlers of broken are off" in process.log


def test_a_server_that_does_not_tell_what_the_old_host_serves(bench, server):
    write_app(bench, "chat", "import no_such_module\n")
    server.listed = None
    with HostProcess(bench, server, "--replaces=old") as process:
        assert process.wait() == 1
    assert "cannot attach" in process.log
    assert "the server has closed the connection" in process.log


def test_app_that_ends_the_process_in_a_task(run):
    peer, process = run(
        """
@realtime.on("end")
async def end(socket):
    asyncio.get_running_loop().kept = asyncio.create_task(leave())

async def leave():
    raise SystemExit(3)
"""
    )
    peer.connect("s1")
    peer.event("s1", "end")
    assert process.wait() == 1  # 3 would end gunicorn's master
    assert "ended the process" in process.log


FRAPPE = """
import json, os
from contextvars import ContextVar

class Local:
    _values = ContextVar("local")
    def __getattr__(self, name):
        try:
            return self._values.get({})[name]
        except KeyError:
            raise AttributeError(name) from None
    def __setattr__(self, name, value):
        self._values.set(self._values.get({}) | {name: value})

local = Local()

class Database:
    def commit(self):
        note("commit")
    def rollback(self):
        note("rollback")

def note(*what):
    with open(os.environ["NOTES"], "a") as file:
        file.write(json.dumps(what) + "\\n")

def init(site, sites_path=".", new_site=False, force=False):
    note("init", site, force, os.path.basename(os.getcwd()), hasattr(local, "site"))
    local.site = site
    if site == "broken.localhost":
        raise FileNotFoundError(site)

def connect(site=None, db_name=None, set_admin_as_user=True):
    note("connect", set_admin_as_user)
    local.db = Database()

def set_user(user):
    note("set_user", user)
    local.user = user

def destroy():
    note("destroy")

def __getattr__(name):
    if name == "db":
        return local.db
    raise AttributeError(name)
"""

APP_OF_FRAPPE = """
import frappe
from frappe.realtime import Socket, SyncSocket, realtime
from frappe_rt import handlers
assert realtime is handlers.realtime and Socket is handlers.Socket

@realtime.on("good", frappe_context=True)
def good(socket, name):
    frappe.note("run", name, frappe.local.user)
    return frappe.local.site

@realtime.on("bad", frappe_context=True)
def bad(socket):
    raise ValueError
"""


@pytest.fixture
def frappe_bench(bench):
    package = bench / "apps/frappe/frappe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FRAPPE)
    (bench / "sites/apps.txt").write_text("frappe\n")
    return bench


def start_frappes(frappe_bench, run, as_package):
    package = frappe_bench / "apps/frappe/frappe"
    if as_package:  # as in 2026: names that only a function knows, and core handlers of its own
        (package / "realtime").mkdir()
        text = "def __getattr__(name):\n    raise RuntimeError(name)\n"
        (package / "realtime/__init__.py").write_text(text)
        (package / "realtime/handlers.py").write_text("raise RuntimeError\n")
    else:
        (package / "realtime.py").write_text("def publish_realtime(): ...\n")
    notes = frappe_bench / "notes"
    peer, process = run(APP_OF_FRAPPE, NOTES=str(notes))
    return peer, process, lambda: [json.loads(line) for line in notes.read_text().splitlines()]


@pytest.mark.parametrize("as_package", [False, True])
def test_frappe_context(frappe_bench, run, as_package):
    peer, _, get_notes = start_frappes(frappe_bench, run, as_package)
    peer.connect("s1")
    begin = [
        ["init", "one.localhost", True, "sites", False],
        ["connect", False],
        ["set_user", "ada@example.com"],
    ]
    assert ask(peer, "s1", "good", "n") == ["one.localhost"]
    good = [*begin, ["run", "n", "ada@example.com"], ["commit"], ["destroy"]]
    assert get_notes() == good
    assert ask(peer, "s1", "bad") == []
    assert get_notes() == [*good, *begin, ["rollback"], ["destroy"]]


def test_frappe_context_of_a_site_that_is_not_here(frappe_bench, run):
    peer, process, get_notes = start_frappes(frappe_bench, run, False)
    peer.connect("s1", ns="/broken.localhost", site="broken.localhost")
    assert ask(peer, "s1", "good", "n") == []
    assert [note[0] for note in get_notes()] == ["init", "destroy"]
    process.read_log("FileNotFoundError")


def test_frappe_that_cannot_be_imported(frappe_bench, run):
    (frappe_bench / "apps/frappe/frappe/__init__.py").write_text("1 / 0\n")
    peer, process = run(RETURNS)
    process.read_log("ZeroDivisionError")
    peer.connect("s1")
    assert ask(peer, "s1", "give", 1) == [1]


@pytest.fixture(params=["orjson", "json"])
def encoder(request, bench):
    """The environment of a host that reads and writes lines with that."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
        return {}
    blocked = bench / "blocked"
    blocked.mkdir()
    (blocked / "orjson.py").write_text("raise ImportError\n")
    return {"PYTHONPATH": os.pathsep.join([str(blocked), *sys.path[1:]])}


def test_either_encoder(run, encoder):
    peer, _ = run(RETURNS, **encoder)
    peer.connect("s1")
    assert ask(peer, "s1", "give", "ä", [1.5, None]) == ["ä", [1.5, None]]


HALF_A_PAIR = "\ud83d"
RAW_AND_BACK = [
    ('"\\ud83d"', HALF_A_PAIR),  # as JSON.stringify writes it, and every browser reads it
    ('{"\\udc00": 1}', {"\udc00": 1}),
    ("1" * 5000, None),  # Infinity in JavaScript, which its JSON.stringify makes null
    ("-1e999", None),
]


@pytest.mark.parametrize("raw, back", RAW_AND_BACK, ids=["half", "key", "digits", "exponent"])
def test_values_that_not_every_parser_takes(run, encoder, raw, back):
    """They are what they are to a browser, and the lines behind them are not lost."""
    peer, _ = run(RETURNS, **encoder)
    peer.connect("s1")
    line = '{"op":"event","s":"s1","e":"give","a":[0,%s],"i":%d}\n'
    peer.connection.sendall((line % (raw, 1) + line % ("true", 2)).encode())
    assert peer.read()["a"] == [0, back]
    assert peer.read()["a"] == [0, True]


def test_lines_that_are_nested_too_deeply(run, encoder):
    """They are skipped, once in the log; a question that one answers has failed."""
    peer, process = run(
        RETURNS
        + """
@realtime.on("ring")
async def ring(socket):
    try:
        await socket.call("ring")
    except TimeoutError as error:
        return str(error)
""",
        **encoder,
    )
    peer.connect("s1")
    deep = "[" * 100_000 + "]" * 100_000
    line = '{"op":"event","s":"s1","e":"give","a":[VALUE],"i":1}\n'
    lines = line.replace("VALUE", deep) * 3 + line.replace("VALUE", "1")
    peer.connection.sendall(lines.encode())
    assert peer.read()["a"] == [1]
    peer.event("s1", "ring", i=2)
    asked = peer.read_op("emit")["q"]
    peer.connection.sendall(f'{{"op":"ack","q":{asked},"a":[{deep}]}}\n'.encode())
    assert peer.read()["a"] == ["'ring' was not acknowledged by s1: unreadable"]
    process.read_log("skipped a line of the server")
    process.process.kill()
    process.wait()
    assert process.log.count("skipped a line") == 1


LEAKING = """
import resource
from pathlib import Path

kept = []

def limit(more):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))

def leak(size):
    limit(100 << 20)
    while True:
        kept.append(bytearray(size))

@realtime.on("leak")
async def leak_on_the_loop(socket, size):
    leak(size)

@realtime.on("leak in a thread")
def leak_in_a_thread(socket, size):
    leak(size)

@realtime.on("leak in a task")
async def leak_in_a_task(socket, size):
    asyncio.get_running_loop().call_soon(leak, size)

@realtime.on("too much")
async def ask_for_too_much(socket):
    limit(100 << 20)
    bytearray(200 << 20)

@realtime.on("here")
async def here(socket):
    return True
"""


@pytest.mark.skipif(
    "FRAPPE_RT_SANITIZED" in os.environ, reason="a sanitizer needs memory of its own"
)
@pytest.mark.parametrize("event", ["leak", "leak in a thread", "leak in a task"])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_host_without_memory_ends(run, event, size):
    peer, process = run(LEAKING)
    peer.connect("s1")
    peer.event("s1", event, size, i=1)
    assert process.wait() == 1
    assert "has used up its memory, and ends" in process.log


@pytest.mark.skipif(
    "FRAPPE_RT_SANITIZED" in os.environ, reason="a sanitizer needs memory of its own"
)
def test_a_handler_that_asks_for_too_much_has_failed(run):
    peer, process = run(LEAKING)
    peer.connect("s1")
    assert ask(peer, "s1", "too much") == []
    process.read_log("MemoryError")
    assert ask(peer, "s1", "here") == [True]


def test_long_lines(run):
    peer, _ = run(RETURNS)
    peer.connect("s1")
    text = "x" * 3_000_000
    assert ask(peer, "s1", "give", text, "end") == [text, "end"]
