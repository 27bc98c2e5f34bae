"""A host's end of the link alone, over a pair of sockets."""

import asyncio
import json
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest
from support.bench import PATIENCE

from frappe_rt.handlers.link import HIGH, LOW, Closed, Link
from frappe_rt.handlers.sockets import Session


class Far:
    """The other end, and what the link has told."""

    def __init__(self, peer):
        self.peer = peer
        self.taken = []
        self.closed = 0

    def on_close(self):
        self.closed += 1

    def read(self, size):
        came = b""
        while len(came) < size:
            came += self.peer.recv(size - len(came))
        return came

    def read_line(self):
        text = self.peer.recv(1)
        while not text.endswith(b"\n"):
            text += self.peer.recv(1)
        return json.loads(text)

    def say(self, **line):
        self.peer.sendall(json.dumps(line).encode() + b"\n")


@asynccontextmanager
async def linked():
    near, far_end = socket.socketpair()
    far_end.settimeout(PATIENCE)
    far = Far(far_end)
    loop = asyncio.get_running_loop()
    link = Link(near, loop, lambda line, size: far.taken.append((line, size)), far.on_close)
    try:
        yield link, far
    finally:
        link.close()
        far_end.close()


def in_its_own_loop(link, op):
    return asyncio.run(link.ask(op, b'"s":"s1"'))


def in_a_thread(link, op):
    return link.ask_and_wait(op, b'"s":"s1"')


def start(way, link, op):
    """A task that has asked, or is about to."""
    if way is None:
        return asyncio.create_task(link.ask(op, b'"s":"s1"'))
    return asyncio.create_task(asyncio.to_thread(way, link, op))


WAYS = [None, in_its_own_loop, in_a_thread]
WAY_IDS = ["on the loop", "on another loop", "in a thread"]


@pytest.mark.parametrize("way", WAYS, ids=WAY_IDS)
def test_answers_find_who_asked(way):
    async def test():
        async with linked() as (link, far):
            tasks = [start(way, link, op) for op in (b"one", b"two")]
            asked = [await asyncio.to_thread(far.read_line) for _ in tasks]
            assert {line["op"] for line in asked} == {"one", "two"}
            for line in sorted(asked, key=lambda line: line["op"], reverse=True):
                far.say(op="result", q=line["q"], about=line["op"])
            far.say(op="result", q=1000)
            far.say(op="event")
            assert [(await task)["about"] for task in tasks] == ["one", "two"]
            await wait_for(lambda: far.taken)
            assert far.taken == [({"op": "event"}, len('{"op": "event"}'))]

    asyncio.run(test())


async def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("way", WAYS, ids=WAY_IDS)
def test_who_asks_is_told_of_the_end(way):
    async def test():
        async with linked() as (link, far):
            task = start(way, link, b"one")
            await asyncio.to_thread(far.read_line)
            far.peer.close()
            with pytest.raises(Closed):
                await task
            assert (link.closed, far.closed) == (True, 1)
            link.send(b"to nobody\n")
            with pytest.raises(Closed):
                await start(way, link, b"two")
            link.close()
            assert far.closed == 1

    asyncio.run(test())


def test_an_end_that_shows_while_it_writes():
    async def test():
        async with linked() as (link, far):
            far.peer.shutdown(socket.SHUT_RD)
            link.send(b"to nobody\n")
            await wait_for(lambda: far.closed)
            assert link.closed

    asyncio.run(test())


SIZE = 2 * HIGH
LINE = b"x" * 999 + b"\n"


def send_much(link):
    for _ in range(SIZE // len(LINE)):
        link.send(LINE)
    assert link.is_full


@pytest.mark.parametrize("way", ["on the loop", "blocking the loop", "in a thread"])
def test_who_writes_much_waits(way):
    async def test():
        async with linked() as (link, far):

            def read():
                # A server that has something to say, and reads when it is heard.
                while way == "blocking the loop" and not far.taken:
                    time.sleep(0.001)
                far.read(SIZE // len(LINE) * len(LINE))

            send_much(link)
            reader = threading.Thread(target=read)
            reader.start()
            if way == "on the loop":
                await link.until_written()
            elif way == "in a thread":
                await asyncio.to_thread(link.wait_until_written)
            else:
                far.say(op="event")
                link.wait_until_written()
                assert [line["op"] for line, _ in far.taken] == ["event"]
            assert link.owed <= LOW
            await asyncio.to_thread(reader.join, PATIENCE)
            await wait_for(lambda: not link.owed)
            assert not reader.is_alive()
            # Nothing looks whether the socket can be written while there is nothing to write.
            assert not asyncio.get_running_loop().remove_writer(link._peer.fileno())

    asyncio.run(test())


class TakesAll:
    """The peer of a link whose server reads as fast as it is written to."""

    def __init__(self, peer):
        self.peer = peer

    def send(self, data):
        return len(data)

    def __getattr__(self, name):
        return getattr(self.peer, name)


class FullLink:
    """To a server that has not read for long, as a socket of a handler sees it."""

    is_full = True

    def __init__(self):
        self.did = []

    def send(self, line):
        self.did.append(json.loads(line)["op"])

    def wait_until_written(self):
        self.did.append("wait")

    async def until_written(self):
        self.did.append("wait")


@pytest.mark.parametrize("does", ["emit", "join", "leave"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_handler_waits_whatever_it_writes(does, is_async):
    """And only where it must."""
    link = FullLink()
    session = Session(link, {"s": "s1", "ns": "/one.localhost"}, [])
    method = getattr(session.socket if is_async else session.plain, does)

    def write():
        if is_async:
            asyncio.run(method("r"))
        else:
            method("r")

    write()
    assert link.did == [does, "wait"]
    link.is_full = False
    write()
    assert link.did == [does, "wait", does]


def test_what_is_written_at_once_is_not_waited_for():
    async def test():
        async with linked() as (link, _):
            link._peer = TakesAll(link._peer)
            send_much(link)
            link.wait_until_written()
            assert link.owed == 0

    asyncio.run(test())


@pytest.mark.parametrize("way", ["on the loop", "blocking the loop", "in a thread"])
def test_who_waits_to_write_is_told_of_the_end(way):
    async def test():
        async with linked() as (link, far):
            send_much(link)
            if way == "on the loop":
                waiting = asyncio.create_task(link.until_written())
            elif way == "in a thread":
                waiting = asyncio.create_task(asyncio.to_thread(link.wait_until_written))
            await asyncio.to_thread(far.read, 1000)
            far.peer.close()
            if way == "blocking the loop":
                link.wait_until_written()
            else:
                await asyncio.wait_for(waiting, PATIENCE)
            assert link.closed

    asyncio.run(test())


def run_in_thread(function, *arguments, **named):
    """To its end, and the loop does not turn meanwhile."""
    thread = threading.Thread(target=function, args=arguments, kwargs=named)
    thread.start()
    thread.join()


def test_a_thread_writes_at_once_where_nothing_waits():
    async def test():
        async with linked() as (link, far):
            run_in_thread(link.send, b"first\n", at_once=True)
            assert far.read(6) == b"first\n"
            link.send(b"second\n")
            run_in_thread(link.send, b"third\n", at_once=True)
            far.peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                far.peer.recv(1)
            far.peer.settimeout(PATIENCE)
            assert await asyncio.to_thread(far.read, 13) == b"second\nthird\n"

    asyncio.run(test())


def test_a_thread_writes_at_once_what_does_not_fit():
    async def test():
        async with linked() as (link, far):
            filled = 0
            while (sent := link._write(b"x" * 100_000)) == 100_000:
                filled += sent
            filled += sent
            assert link._write(b"x") == 0
            run_in_thread(link.send, LINE, at_once=True)
            assert link.owed == len(LINE)
            came = await asyncio.to_thread(far.read, filled + len(LINE))
            assert came == b"x" * filled + LINE

    asyncio.run(test())


def test_nobody_waits_without_need():
    async def test():
        async with linked() as (link, _):
            for _ in range(2):  # the second time after the end
                await asyncio.wait_for(link.until_written(), PATIENCE)
                await asyncio.wait_for(asyncio.to_thread(link.wait_until_written), PATIENCE)
                send_much(link)
                link.close()

    asyncio.run(test())


def test_lines_in_pieces():
    async def test():
        async with linked() as (link, far):
            for piece in (b'{"a"', b":1}", b'\n{"a":2}\n{"a":', b"3", b"}\n"):
                link.feed(piece)
            assert [(line["a"], size) for line, size in far.taken] == [(1, 7), (2, 7), (3, 7)]

    asyncio.run(test())
