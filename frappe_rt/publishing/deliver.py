"""The way of an event out of this process. The first available way takes it:

1. the server thread of this process
2. the local socket of the server of this bench
3. Redis

``frappe_rt_publish`` leaves some of them out. No error reaches the caller, except what a signal
handler raises during the call. A lost event is counted (`get_counters`), and the log ``frappe_rt``
has a line about it: at most one for each cause in `QUIET_SECONDS`.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Any

from frappe_rt import _rt, config, loading
from frappe_rt.publishing import frappe_local, message

#: Between two log lines with the same cause.
QUIET_SECONDS = 30.0

#: How long a log line waits for another log line, or for a fork.
_HOLD_SECONDS = 1.0

#: Reentrant: a signal handler or a finalizer may run while it is held, and publish.
_lock = RLock()


class _Counter:
    """Counts without a lock: `add` is one call into C, which no other thread can interrupt."""

    __slots__ = ("_looks", "add")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.add = count().__next__
        self._looks = 0

    def get(self) -> int:
        """How often `add` was called. Only a further call of `add` can tell, so do not count it."""
        with _lock:
            self._looks += 1
            return self.add() - self._looks + 1


_counters = {
    name: _Counter()
    for name in (
        "to_thread",
        "to_local",
        "to_redis",
        "local_not_trusted",
        "lost_inbox_full",
        "lost_local_away",
        "lost_redis_away",
        "lost_no_redis",
        "lost_no_site",
        "lost_bad_config",
        "lost_bad_message",
    )
}
_to_thread, _to_local, _to_redis = (_counters[f"to_{way}"] for way in ("thread", "local", "redis"))
_told: dict[str, float] = {}


class _Plan:
    """The configuration, ready for use. Slots are the fastest attributes to read."""

    __slots__ = ("given", "here", "local", "may_redis", "redis", "site", "why_not_local")

    def __init__(
        self,
        given: config.Given,
        site: str | None,
        here: bool = True,
        local: str | None = None,
        why_not_local: str = "",
        redis: str | None = None,
        may_redis: bool = False,
    ) -> None:
        self.given = given  # `config.given` when this plan was made
        self.site = site
        self.here = here  # use the server thread of this process
        self.local = local  # path of the local socket
        self.why_not_local = why_not_local
        self.redis = redis  # URL
        self.may_redis = may_redis


_plan: _Plan | None = None
#: What `_rt.lost` counted before this process was forked.
_lost_by_parent = 0


def deliver(event: str, content: Any, room: str | None, site: str | None = None) -> bool:
    """Send `event` with the one argument `content` to `room` (None: everybody) of `site`.

    Without `site`: Frappe's current site, else the one given to `start`, else ``default_site``.
    Returns whether one of the ways has taken it.
    """
    try:
        plan = _plan
        if plan is None or plan.given is not config.given:
            plan = _make_plan()
            if plan is None:
                return False
        site = site or frappe_local.get_site() or plan.site
        if not site:
            return lose("lost_no_site", "event %r: no site known; give site=", event)
        encoded = message.encode(content)
        if plan.here:
            taken = _rt.publish(site, room or "", event, encoded)
            if taken:
                _to_thread.add()
                return True
            if taken is False:
                return lose("lost_inbox_full", "event %r: the server does not keep up", event)
        why = plan.why_not_local
        if plan.local is not None:
            try:
                failed = _rt.local_publish(plan.local, site, room or "", event, encoded)
            except PermissionError as error:
                failed = _mistrust(error)
            if failed is None:
                _to_local.add()
                return True
            why = failed
        if plan.may_redis:
            return _deliver_by_redis(plan, event, encoded, room, site)
        return lose("lost_local_away", "event %r: %s", event, why)
    except Exception as error:
        if is_of_signal(error):
            raise
        return lose("lost_bad_message", "event %r for room %r: %s", event, room, error)


def get_counters() -> dict[str, int]:
    """Count the events of this process since it started, by way and by cause of loss.

    ``lost_server_stuck`` are among ``to_thread``: a server thread took them, and did not end within
    the deadline of its stop.
    """
    counts = {name: counter.get() for name, counter in _counters.items()}
    return counts | {"lost_server_stuck": _rt.lost() - _lost_by_parent}


def is_of_signal(error: Exception) -> bool:
    """Whether a signal handler raised it. The caller has set that up and must get the error.

    RQ's job timeout is such a handler (SIGALRM); it often fires while we wait for Redis.
    """
    signal = sys.modules.get("signal")  # a process with a handler has imported it
    if signal is None:
        return False
    handlers = [signal.getsignal(number) for number in range(1, signal.NSIG)]
    codes = [getattr(handler, "__code__", None) for handler in handlers]  # methods have one, too
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def lose(counter: str, text: str, *values: Any) -> bool:
    """Count a lost event, and log it unless its cause was logged lately. Returns False."""
    _counters[counter].add()
    if _may_tell(counter):
        _warn(f"not published, {text} (%d lost so far)", *values, _counters[counter].get())
    return False


def _mistrust(error: PermissionError) -> str:
    """Count and log that the local socket is another user's. Returns why, in words."""
    if is_of_signal(error):
        raise error
    _counters["local_not_trusted"].add()
    if _may_tell("local_not_trusted"):
        _warn("the local socket is not used: %s", error)
    return str(error)


def _may_tell(cause: str) -> bool:
    """Whether a line with this cause may be logged now."""
    now = monotonic()
    with _lock:
        if now < _told.get(cause, now):
            return False
        _told[cause] = now + QUIET_SECONDS
    return True


def _warn(text: str, *values: Any) -> None:
    """Log a warning. Where logging is not imported, print the line that it would print.

    So does a child in which a log handler may be locked (`loading.line_was_cut`): Python itself
    makes sure that a child can write to stderr.

    Do not import logging here: if another thread is in the middle of a fork, logging's new fork
    hook would release locks that were never acquired, and print an error. What log handlers raise
    does not reach the caller.
    """
    logging = sys.modules.get("logging")
    try:
        if (
            logging is None
            or loading.line_was_cut
            or getattr(logging.__spec__, "_initializing", False)
        ):
            with _no_fork():
                sys.stderr.write(f"{text % values}\n")  # raises when stderr is closed or None
            return
        # isEnabledFor and getLogger take logging's own lock, so call them before `_no_fork`: when
        # logging was imported after this package, a fork holds that lock while it waits for ours.
        # A fork does not hold the locks of handlers.
        logger = logging.getLogger("frappe_rt")
        if logger.isEnabledFor(logging.WARNING):
            record = logger.makeRecord(
                logger.name, logging.WARNING, __file__, 0, text, values, None, _warn.__name__
            )
            with _no_fork():
                logger.handle(record)
    except Exception as error:
        if is_of_signal(error):
            raise


@contextmanager
def _no_fork() -> Iterator[None]:
    """Hold off forks, so that no child inherits a locked stream.

    Wait for `_HOLD_SECONDS` at most: a log handler that publishes comes here with its own lock
    held, and the thread that has ours may wait for that lock.
    """
    lock = loading.hold_forks_for_a_line
    held = lock.acquire(timeout=_HOLD_SECONDS)
    try:
        yield
    finally:
        if held:
            lock.release()


def _deliver_by_redis(plan: _Plan, event: str, encoded: bytes, room: str | None, site: str) -> bool:
    if plan.redis is None:
        return lose("lost_no_redis", "event %r: no server here and frappe_rt_redis is off", event)
    url = frappe_local.get_redis_url() or plan.redis
    try:
        _rt.redis_publish(url, site, room or "", event, encoded)
    except OSError as error:
        if is_of_signal(error):
            raise
        return lose("lost_redis_away", "event %r: %s", event, error)
    _to_redis.add()
    return True


def _make_plan() -> _Plan | None:
    global _plan
    given = config.given
    try:
        effective = config.get_effective()
    except ValueError as error:
        if _rt.running():  # a server that read the configuration before it was broken
            return _Plan(given, given.site)
        lose("lost_bad_config", "%s", error)
        return None
    way = effective["frappe_rt_publish"]
    _plan = _Plan(
        given,
        given.site or effective["default_site"],
        way != "redis",
        effective.local_socket if way != "redis" else None,
        effective.no_local_socket,
        effective["redis_queue"] if effective["frappe_rt_redis"] else None,
        way != "local",
    )
    return _plan


def _forget_in_child() -> None:
    """A forked child counts from 0, and needs a lock that no thread of the parent holds."""
    global _lock, _lost_by_parent
    _lock = RLock()
    _lost_by_parent = _rt.lost()
    _told.clear()
    for counter in _counters.values():
        counter.reset()


os.register_at_fork(after_in_child=_forget_in_child)
