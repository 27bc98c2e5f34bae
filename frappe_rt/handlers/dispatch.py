"""Runs the handlers for a line of the server, and sends their results.

``async def`` handlers run as tasks of the loop, plain ones in a bounded pool of threads. Each event
has its own context variables, so that ``frappe.local`` does not carry over to the next one.

An event with only plain handlers stays on one thread, from its arguments to its acknowledgement:
waking a thread, and then the loop for the result, takes longer than most handlers.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from operator import attrgetter
from typing import Any

from frappe_rt.handlers.context import frappe_context
from frappe_rt.handlers.gate import QUIET_SECONDS, Gate
from frappe_rt.handlers.link import Line, Link
from frappe_rt.handlers.memory import end_when_exhausted
from frappe_rt.handlers.pool import Pool
from frappe_rt.handlers.registry import Handler, Registry
from frappe_rt.handlers.sockets import GUEST, Session, SyncSocket
from frappe_rt.handlers.wire import decode_arguments, encode_arguments, to_arguments

#: Events handled at one time; further ones wait.
RUNNING_MAX = 10_000
#: Bytes of waiting lines; above that, events are dropped, as in the server.
WAITING_MAX = 8 << 20
#: Seconds that handlers have after another host has taken over; the server allows 10.
DRAIN_SECONDS = 9.0
#: Seconds between two log lines about lost events.
LOST_QUIET_SECONDS = 10.0

log = logging.getLogger("frappe_rt.handlers")

#: Whether create_task takes context variables.
_KNOWS_CONTEXT = sys.version_info >= (3, 11)


_is_async = attrgetter("is_async")

Work = Coroutine[Any, Any, Any]


class Dispatcher:
    """Handles the lines of a link; `link` is set before the first line comes."""

    link: Link

    def __init__(
        self,
        registry: Registry,
        loop: asyncio.AbstractEventLoop,
        threads: int,
        all_apps: list[str],
        on_drained: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._loop = loop
        self._thread = get_ident()
        self._pool = Pool(threads)
        self._all_apps = all_apps
        self._on_drained = on_drained
        self._sessions: dict[str, Session] = {}
        #: Tasks of the loop, and what runs on a thread.
        self._running: set[object] = set()
        self._waiting: deque[tuple[Line, int]] = deque()
        self._waiting_bytes = 0
        self._work_comes = False
        self._failures = Gate(QUIET_SECONDS)
        self._losses = Gate(LOST_QUIET_SECONDS)
        self.draining = False
        self._operations: dict[str, Callable[[Line], None]] = {
            "config": self._on_config,
            "connect": self._on_connect,
            "disconnect": self._on_disconnect,
            "drain": self._on_drain,
            "event": self._on_event,
        }

    # ---- lines --------------------------------------------------------------------------------

    def take(self, line: Line, size: int) -> None:
        """Take a line that is not an answer. It is handled soon, in order."""
        if self._waiting_bytes + size > WAITING_MAX and line.get("op") == "event":
            more = self._losses.ask("lost")
            if more is not None:
                log.warning(
                    "handlers do not keep up: an event %r is lost (%d more since the last line)",
                    line.get("e"),
                    more,
                )
            return
        self._waiting.append((line, size))
        self._waiting_bytes += size
        self._work_soon()

    def _work_soon(self) -> None:
        """From any thread."""
        if self._work_comes:
            return
        self._work_comes = True
        if self._is_loops:
            self._loop.call_soon(self._work)
        else:
            self._loop.call_soon_threadsafe(self._work)

    def _work(self) -> None:
        self._work_comes = False
        while self._waiting and len(self._running) < RUNNING_MAX:
            line, size = self._waiting.popleft()
            self._waiting_bytes -= size
            operation = self._operations.get(line.get("op", ""))
            if operation:
                operation(line)
        if self.draining and not self._running:
            self._on_drained()

    def _on_config(self, line: Line) -> None:
        self._pool.resize(line["threads"])

    def _on_connect(self, line: Line) -> None:
        session = Session(self.link, line, self._all_apps)
        self._sessions[session.sid] = session
        handlers = self._registry.handlers_for("connect")
        if handlers:
            session.early = []
            self._run_on_loop(self._connect(session, handlers))

    def _on_event(self, line: Line) -> None:
        session = self._sessions.get(line["s"])
        if session is None:
            return
        event = line["e"]
        if event in ("connect", "disconnect"):  # not for clients to send
            return
        handlers = self._registry.handlers_for(event)
        work = self._handle(session, event, handlers, line)
        self._begin_after_connect(session, work, on_thread=not any(map(_is_async, handlers)))

    def _on_disconnect(self, line: Line) -> None:
        session = self._sessions.pop(line["s"], None)
        if session is None:
            return
        session.gone = True
        handlers = self._registry.handlers_for("disconnect")
        if handlers:
            work = self._run(session, "disconnect", handlers, [])
            self._begin_after_connect(session, work, on_thread=False)

    def _on_drain(self, _: Line) -> None:
        self.draining = True
        self._loop.call_later(DRAIN_SECONDS, self._on_drained)

    # ---- what runs ----------------------------------------------------------------------------

    @property
    def _is_loops(self) -> bool:
        """Whether this is the thread of the loop."""
        return get_ident() == self._thread

    def _begin_after_connect(self, session: Session, work: Work, on_thread: bool) -> None:
        if session.early is None:
            self._begin(work, on_thread)
        else:
            self._running.add(work)
            session.early.append((work, on_thread))

    def _begin(self, work: Work, on_thread: bool) -> None:
        if on_thread:
            self._running.add(work)
            # Wait until the tasks of earlier events have run their first step.
            self._loop.call_soon(self._pool.submit, self._run_on_thread, work)
        else:
            self._run_on_loop(work)

    def _run_on_loop(self, work: Work) -> None:
        if _KNOWS_CONTEXT:
            task = self._loop.create_task(work, context=Context())  # type: ignore[call-arg,unused-ignore]
        else:
            task = Context().run(self._loop.create_task, work)
        self._running.add(task)
        self._running.discard(work)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._on_end(task, None if task.cancelled() else task.exception())

    def _on_end(self, ended: object, error: BaseException | None) -> None:
        """From any thread."""
        if error:
            if isinstance(error, MemoryError):
                end_when_exhausted()
            log.error("a handler's task failed", exc_info=error)
        self._running.discard(ended)
        if self._waiting or self.draining:
            self._work_soon()

    def _run_on_thread(self, work: Work) -> None:
        """Run the handlers, as far as that needs no loop."""
        try:
            work.send(None)
            self._loop.call_soon_threadsafe(self._run_on_loop, work)
        except StopIteration:
            self._on_end(work, None)
        except BaseException as error:
            self._on_end(work, error)

    async def _connect(self, session: Session, handlers: list[Handler]) -> None:
        try:
            await self._run(session, "connect", handlers, [])
        finally:
            early, session.early = session.early or [], None
            for work, on_thread in early:
                self._begin(work, on_thread)

    async def _handle(
        self, session: Session, event: str, handlers: list[Handler], line: Line
    ) -> None:
        arguments = decode_arguments(line) if "b" in line else line.get("a") or []
        result = await self._run(session, event, handlers, arguments)
        ack_id = line.get("i")
        if ack_id is not None and not session.gone:
            self._acknowledge(session, event, ack_id, result)

    def _acknowledge(self, session: Session, event: str, ack_id: int, result: Any) -> None:
        try:
            encoded = encode_arguments(to_arguments(result))
        except (TypeError, ValueError) as error:
            self._tell(event, "what a handler returned cannot be sent", error)
            encoded = encode_arguments([])
        line = b'{"op":"ack","s":%b,"i":%d,%b}\n' % (session.id, ack_id, encoded)
        # A thread writes it itself; the loop batches the answers of several events.
        self.link.send(line, at_once=not self._is_loops and not self._pool.is_behind)

    # ---- handlers -----------------------------------------------------------------------------

    async def _run(
        self, session: Session, event: str, handlers: list[Handler], arguments: list[Any]
    ) -> Any:
        """Run each permitted handler in turn. Returns the first result that is not None."""
        result = None
        for handler in tuple(handlers):  # a copy: a handler may register others
            if handler.app not in session.installed_apps:
                continue
            if session.user == GUEST and not handler.allow_guest:
                continue
            try:
                if handler.is_async:
                    value = await handler.fn(session.socket, *arguments)
                else:
                    value = await self._run_plain(handler, session.plain, arguments)
            except asyncio.CancelledError:
                if self._is_cancelled():
                    raise
                self._tell(event, f"a handler of {handler.app} was cancelled", None)
            except Exception as error:
                if isinstance(error, MemoryError):
                    end_when_exhausted()
                self._tell(event, f"a handler of {handler.app} failed", error)
            except (SystemExit, KeyboardInterrupt) as error:
                self._tell(event, f"a handler of {handler.app} tried to end the process", error)
            else:
                if result is None:
                    result = value
        return result

    def _is_cancelled(self) -> bool:
        """Whether the task itself was cancelled, and not something that its handler awaited."""
        if not self._is_loops:
            return False
        task: Any = asyncio.current_task()
        if hasattr(task, "cancelling"):
            return bool(task.cancelling())
        return self.draining or self.link.closed  # Python 3.10: then all are

    async def _run_plain(self, handler: Handler, socket: SyncSocket, arguments: list[Any]) -> Any:
        on_loop = self._is_loops
        if on_loop:
            future = self._loop.create_future()
            self._pool.submit(self._call_for, future, handler, socket, arguments)
            value = await future
        else:
            value = Context().run(_call, handler, socket, arguments)
        if not inspect.isawaitable(value):
            return value
        # A decorator may hide an `async def` behind a plain function.
        if not on_loop:
            await _Loop()
        return await value

    def _call_for(
        self,
        future: asyncio.Future[Any],
        handler: Handler,
        socket: SyncSocket,
        arguments: list[Any],
    ) -> None:
        """On a thread of the pool."""
        try:
            value = Context().run(_call, handler, socket, arguments)
        except BaseException as error:
            self._loop.call_soon_threadsafe(_settle, future, future.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(_settle, future, future.set_result, value)

    def _tell(self, event: str, what: str, error: BaseException | None) -> None:
        more = self._failures.ask((event, what))
        if more is not None:
            log.error(
                "event %r: %s (%d more since the last line)", event, what, more, exc_info=error
            )


def _call(handler: Handler, socket: SyncSocket, arguments: list[Any]) -> Any:
    """On a thread of the pool."""
    try:
        if not handler.frappe_context:
            return handler.fn(socket, *arguments)
        with frappe_context(socket.site, socket.user):
            return handler.fn(socket, *arguments)
    except StopIteration as error:  # no future takes it
        raise RuntimeError("the handler raised StopIteration") from error


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():  # the waiting task may have been cancelled
        settle(outcome)


class _Loop:
    """Awaited on a thread: the rest runs as a task of the loop (see `_run_on_thread`)."""

    def __await__(self) -> Generator[None, None, None]:
        yield
