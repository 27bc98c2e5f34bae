"""The host's connection to the server: lines out in batches, lines in, questions and answers.

It belongs to the event loop's thread. Other threads may call `send`, `ask_from_thread` and
`wait_until_written`. `ask_now` is for the loop's thread if it needs an answer before it can go on;
it blocks the loop until the server has answered, usually well under a millisecond.
"""

from __future__ import annotations

import asyncio
import logging
import re
import select
import socket
from _thread import get_ident
from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

from frappe_rt.handlers.gate import QUIET_SECONDS, Gate
from frappe_rt.handlers.wire import loads

#: Bytes of one read.
READ_SIZE = 1 << 18
#: Bytes of one write.
WRITE_SIZE = 1 << 20
#: A handler waits if so many bytes are unread by the server, until they are down to `LOW`.
HIGH, LOW = 1 << 20, 1 << 18

Line = dict[str, Any]

#: The start of the server's answer to a question.
_ANSWER = re.compile(rb'\{"op":"\w+","q":(\d+)')

log = logging.getLogger("frappe_rt.handlers")


class Closed(ConnectionError):
    """The server has closed the link; open questions get no answer."""


class Link:
    """The link over `peer`, a connected socket. `take(line, size)` gets each line that is not an
    answer."""

    def __init__(
        self,
        peer: socket.socket,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[Line, int], None],
        on_close: Callable[[], None],
    ) -> None:
        peer.setblocking(False)
        self._peer = peer
        self._loop = loop
        self._take = take
        self._on_close = on_close
        self._thread = get_ident()
        self._lock = Lock()
        self._out: deque[bytes] = deque()
        self._rest = b""  # the unwritten rest of what was taken out of _out
        self._owed = 0  # bytes in both
        self._flush_comes = False
        self._part: list[bytes] = []  # parts of an unfinished line
        self._asked: dict[int, Callable[[Line | None], None]] = {}
        self._last_question = 0
        self._waiters: list[Callable[[], None]] = []
        self._skips = Gate(QUIET_SECONDS)
        self.closed = False
        loop.add_reader(peer.fileno(), self._on_readable)

    # ---- out ----------------------------------------------------------------------------------

    def send(self, line: bytes, at_once: bool = False) -> None:
        """Send a line, newline included. Lines of one turn of the loop are written together.

        :param at_once: write it now if none is pending before it, without waking the loop
        """
        with self._lock:
            if at_once and not self._owed and not self.closed:
                line = line[self._write(line) :]
                if not line:
                    return
            self._out.append(line)
            self._owed += len(line)
            if self._flush_comes or self.closed:
                return
            self._flush_comes = True
        if get_ident() == self._thread:
            self._loop.call_soon(self._flush)
        else:
            self._loop.call_soon_threadsafe(self._flush)

    def _write(self, line: bytes) -> int:
        try:
            return self._peer.send(line)
        except OSError:  # `_flush` handles the error
            return 0

    @property
    def owed(self) -> int:
        """Bytes that are not written yet."""
        return self._owed

    @property
    def is_full(self) -> bool:
        """Whether writers should wait."""
        return self._owed > HIGH

    async def until_written(self) -> None:
        """Wait until the server has caught up."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._add_waiter(lambda: _ignore(loop.call_soon_threadsafe(_finish, future, None)))
        await future

    def wait_until_written(self) -> None:
        """The same on a thread; on the loop's own thread, it writes meanwhile."""
        if get_ident() == self._thread:
            self._flush()
            while self._owed > LOW and not self.closed:
                self._turn()
            return
        written = Event()
        self._add_waiter(written.set)
        written.wait()

    def _add_waiter(self, waiter: Callable[[], None]) -> None:
        with self._lock:
            if self._owed > LOW and not self.closed:
                self._waiters.append(waiter)
                return
        waiter()

    def _flush(self) -> None:
        """Write the pending lines; what the socket does not take waits until it is writable."""
        while not self.closed:
            if not self._rest:
                self._rest = self._collect()
                if not self._rest:
                    self._loop.remove_writer(self._peer.fileno())
                    return
            try:
                sent = self._peer.send(self._rest)
            except BlockingIOError:
                self._loop.add_writer(self._peer.fileno(), self._flush)
                return
            except OSError:
                self.close()
                return
            self._rest = self._rest[sent:]
            self._settle(sent)

    def _collect(self) -> bytes:
        lines, size = [], 0
        with self._lock:
            while self._out and size < WRITE_SIZE:
                line = self._out.popleft()
                size += len(line)
                lines.append(line)
            self._flush_comes = bool(self._out)
        return b"".join(lines)

    def _settle(self, sent: int) -> None:
        with self._lock:
            self._owed -= sent
            if self._owed > LOW:
                return
            ready, self._waiters = self._waiters, []
        for waiter in ready:
            waiter()

    # ---- in -----------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        try:
            chunk = self._peer.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            self.feed(chunk)
        else:
            self.close()

    def feed(self, chunk: bytes) -> None:
        """Bytes that the server has sent."""
        first, *lines = chunk.split(b"\n")
        self._part.append(first)
        if not lines:
            return
        lines.insert(0, b"".join(self._part))
        self._part = [lines.pop()]
        for line in lines:
            self._on_line(line)

    def _on_line(self, text: bytes) -> None:
        try:
            line = loads(text)
        except (ValueError, RecursionError) as error:
            self._on_unreadable(text, error)
            return
        question = line.get("q")
        if question is None:
            self._take(line, len(text))
            return
        answered = self._asked.pop(question, None)
        if answered:
            answered(line)

    def _on_unreadable(self, text: bytes, error: Exception) -> None:
        """Skip a line that is nested too deeply, so that a client's value cannot break the link."""
        more = self._skips.ask("skipped")
        if more is not None:
            log.warning(
                "skipped a line of the server, %.80r (%d more since the last line): %s",
                text,
                more,
                error,
            )
        asked = _ANSWER.match(text)
        answered = self._asked.pop(int(asked[1]), None) if asked else None
        if answered:
            answered({"error": "unreadable"})

    # ---- questions ----------------------------------------------------------------------------

    def _ask(self, op: bytes, rest: bytes, answered: Callable[[Line | None], None]) -> None:
        with self._lock:
            self._last_question += 1
            number = self._last_question
            if not self.closed:
                self._asked[number] = answered
        if self.closed:
            self._asked.pop(number, None)
            answered(None)
            return
        self.send(b'{"op":"%b","q":%d,%b}\n' % (op, number, rest))

    async def ask(self, op: bytes, rest: bytes) -> Line:
        """Send `{"op":op,"q":..,rest}` and wait for the answer. Raises Closed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Line | None] = loop.create_future()
        if loop is self._loop:
            self._ask(op, rest, lambda line: _finish(future, line))
        else:
            self._ask(
                op, rest, lambda line: _ignore(loop.call_soon_threadsafe(_finish, future, line))
            )
        return _check(await future)

    def ask_and_wait(self, op: bytes, rest: bytes) -> Line:
        """The same, but blocks this thread until the answer is there. Raises Closed."""
        answer: list[Line | None] = []
        if get_ident() == self._thread:
            self._ask(op, rest, answer.append)
            self._flush()
            while not answer:
                self._turn()
        else:
            done = Event()

            def answered(line: Line | None) -> None:
                answer.append(line)
                done.set()

            self._ask(op, rest, answered)
            done.wait()
        return _check(answer[0])

    def _turn(self) -> None:
        """One turn of the link alone, on the loop's thread, after a flush: sleeps until there is
        something to read, or room to write what is pending."""
        poll = select.poll()
        poll.register(self._peer.fileno(), select.POLLIN | (select.POLLOUT if self._owed else 0))
        for _, happened in poll.poll():
            if happened & ~select.POLLOUT:
                self._on_readable()
        self._flush()

    # ---- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close, once, and wake all waiters. Unwritten lines are lost."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            waiters, self._waiters = self._waiters, []
            asked, self._asked = self._asked, {}
        self._loop.remove_reader(self._peer.fileno())
        self._loop.remove_writer(self._peer.fileno())
        self._peer.close()
        for waiter in waiters:
            waiter()
        for answered in asked.values():
            answered(None)
        self._on_close()


def _finish(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():  # the waiter may have been cancelled
        future.set_result(value)


def _ignore(_: object) -> None:
    return None


def _check(line: Line | None) -> Line:
    if line is None:
        raise Closed("the realtime server has closed the link")
    return line
