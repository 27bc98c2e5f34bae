"""Plain functions as handlers, which run on threads of the host."""

import re
import time

import pytest
from support.host_server import HEAD, ask, write_app

THREADS = """
import threading

def is_on_loop():
    return threading.current_thread() is threading.main_thread()
"""
PLAIN = """
@realtime.on("e")
def e(socket):
    assert not is_on_loop()
    socket.emit("NAME")
    return GIVEN
"""
ASYNC = """
@realtime.on("e")
async def e(socket):
    await asyncio.sleep(0.01)
    assert is_on_loop()
    await socket.emit("NAME")
    return GIVEN
"""
HIDDEN = """
@realtime.on("e")
def e(socket):
    assert not is_on_loop()
    async def later():
        await asyncio.sleep(0.01)
        assert is_on_loop()
        socket.emit("NAME")
        return GIVEN
    return later()
"""
MIXTURES = {
    "plain": [PLAIN, PLAIN, PLAIN],
    "plain first": [PLAIN, ASYNC, PLAIN],
    "async first": [ASYNC, PLAIN, HIDDEN],
    "hidden first": [HIDDEN, PLAIN, PLAIN],
    "hidden last": [PLAIN, PLAIN, HIDDEN],
}


@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize("mixture", MIXTURES)
def test_several_kinds_take_one_event(run, bench, mixture, given):
    """One after the other, wherever each of them runs; the first result is the answer."""
    for number, text in enumerate(MIXTURES[mixture]):
        result = repr(f"result of {number}") if number >= given else "None"
        text = text.replace("NAME", str(number)).replace("GIVEN", result)
        write_app(bench, f"app{number}", HEAD + THREADS + text)
    peer, _ = run("")
    peer.connect("s1", apps=None)
    for _ in range(3):
        peer.event("s1", "e", i=1)
        assert [peer.read()["e"] for _ in range(3)] == ["0", "1", "2"]
        assert peer.read()["a"] == [f"result of {given}"]


def test_async_handlers_begin_before_later_plain_ones(run):
    peer, _ = run(
        """
@realtime.on("set")
async def set_(socket, number):
    await socket.set("number", number)

@realtime.on("get")
def get(socket):
    return socket.get("number")
"""
    )
    peer.connect("s1")
    both = '{"op":"event","s":"s1","e":"set","a":[%d]}\n{"op":"event","s":"s1","e":"get","i":1}\n'
    for number in range(300):
        peer.connection.sendall((both % number).encode())
        assert peer.read()["a"] == [number]


def test_events_wait_for_connect(run):
    peer, _ = run(
        """
@realtime.on("connect")
def connect(socket):
    time.sleep(0.1)
    socket.set("ready", True)

@realtime.on("e")
def e(socket):
    return socket.get("ready")

@realtime.on("disconnect")
def disconnect(socket):
    socket.emit("gone", socket.get("ready"), room="r")
"""
    )
    peer.connect("s1")
    assert ask(peer, "s1", "e") == [True]
    peer.disconnect("s1")
    assert peer.read()["a"] == [True]


RAISES = "import concurrent.futures\n@realtime.on('e')\ndef e(socket): raise ERROR\n"


@pytest.mark.parametrize("beside", ["", "@realtime.on('e')\nasync def nothing(socket): ...\n"])
@pytest.mark.parametrize(
    "error, said",
    [
        ("ValueError", "a handler of bad failed"),
        ("StopIteration", "a handler of bad failed"),
        ("SystemExit(3)", "a handler of bad tried to end the process"),
        ("KeyboardInterrupt", "a handler of bad tried to end the process"),
        ("asyncio.CancelledError", "a handler of bad was cancelled"),
        ("concurrent.futures.CancelledError", "a handler of bad"),
    ],
)
def test_one_that_raises_does_not_stop_the_next(run, bench, error, said, beside):
    write_app(bench, "bad", HEAD + RAISES.replace("ERROR", error))
    peer, process = run("@realtime.on('e')\ndef fine(socket): return 'fine'\n" + beside)
    peer.connect("s1", apps=None)
    assert ask(peer, "s1", "e") == ["fine"]
    process.read_log(said)
    assert ask(peer, "s1", "e") == ["fine"]


def test_failures_on_several_threads_are_counted(run):
    peer, process = run('@realtime.on("e")\ndef e(socket, number): return 1 // number\n')
    peer.connect("s1")
    for number in range(200):
        peer.event("s1", "e", 0, i=number)
    assert sorted(peer.read()["i"] for _ in range(200)) == list(range(200))
    time.sleep(1.1)  # the log is quiet about the same for a second
    peer.event("s1", "e", 0)
    failures = 0
    while failures < 201:
        line = process.read_log("a handler of chat failed")
        failures += 1 + int(re.search(r"\((\d+) more since the last line\)", line)[1])
    assert failures == 201


def test_answers_that_do_not_fit_into_the_socket(run):
    """A thread writes what it takes; nothing comes between that and the rest."""
    peer, _ = run(
        """
@realtime.on("long")
def long(socket, text):
    return text * 300_000

@realtime.on("short")
def short(socket):
    return "short"
"""
    )
    peer.connect("s1")
    for number in range(20):
        peer.event("s1", "long", f"text {number} ", i=1)
        peer.event("s1", "short", i=2)
        answers = {line["i"]: line["a"] for line in (peer.read(), peer.read())}
        assert answers == {1: [f"text {number} " * 300_000], 2: ["short"]}


def test_answers_come_behind_what_was_emitted(run):
    peer, _ = run(
        """
@realtime.on("e")
def e(socket, many):
    for number in range(many):
        socket.emit("number", number)
    return many
"""
    )
    peer.connect("s1")
    for many in range(100):
        peer.event("s1", "e", many, i=1)
        assert [peer.read()["a"] for _ in range(many + 1)] == [[n] for n in range(many + 1)]


LIMITS = """
from frappe_rt.handlers import dispatch
dispatch.RUNNING_MAX = 3
dispatch.DRAIN_SECONDS = 3600
now = most = 0

@realtime.on("async")
async def on_loop(socket, seconds):
    global now, most
    now += 1
    most = max(most, now)
    await socket.emit("begun")
    await asyncio.sleep(seconds)
    now -= 1
    return most

@realtime.on("plain")
def in_thread(socket, seconds):
    socket.emit("begun")
    time.sleep(seconds)
    return 0

@realtime.on("hidden")
def hidden(socket, seconds):
    return on_loop(socket_of(socket), seconds)

def socket_of(socket):
    return socket._session.socket
"""


@pytest.mark.parametrize("event", ["async", "plain", "hidden"])
def test_a_host_that_is_replaced_finishes(run, event):
    peer, process = run(LIMITS)
    peer.connect("s1")
    peer.event("s1", event, 0.5, i=1)
    assert peer.read()["e"] == "begun"
    peer.say(op="drain")
    assert peer.read()["i"] == 1
    assert process.wait() == 0


def test_a_host_that_is_replaced_and_does_nothing_ends(run):
    peer, process = run(LIMITS)
    peer.say(op="drain")
    assert process.wait() == 0


def test_a_handler_that_does_not_end_is_not_waited_for(run):
    peer, process = run(LIMITS + "dispatch.DRAIN_SECONDS = 0.2\n")
    peer.connect("s1")
    peer.event("s1", "plain", 3600)
    assert peer.read()["e"] == "begun"
    peer.say(op="drain")
    assert process.wait() == 0


@pytest.mark.parametrize("event", ["async", "plain", "hidden"])
def test_what_is_too_much_at_one_time_waits(run, event):
    peer, _ = run(LIMITS)
    peer.connect("s1")
    for number in range(30):
        peer.event("s1", event, 0.01, i=number)
    lines = [peer.read() for _ in range(60)]
    answers = {line["i"]: line["a"][0] for line in lines if line["op"] == "ack"}
    assert sorted(answers) == list(range(30))
    assert max(answers.values()) <= 3


def test_threads_that_cannot_be_started(run):
    """Their work waits for others, or for better times."""
    peer, process = run(
        """
import threading
start = threading.Thread.start

@realtime.on("refuse")
async def refuse(socket):
    def start(self):
        raise RuntimeError("can't start new thread")
    threading.Thread.start = start

@realtime.on("allow")
async def allow(socket):
    threading.Thread.start = start

@realtime.on("e")
def e(socket):
    return "e"
"""
    )
    peer.connect("s1")
    assert ask(peer, "s1", "refuse") == []
    peer.event("s1", "e", i=1)
    process.read_log("no more than 0 threads for handlers: can't start new thread")
    assert ask(peer, "s1", "allow", ack=2) == []
    peer.event("s1", "e", i=3)
    assert sorted(peer.read()["i"] for _ in range(2)) == [1, 3]
