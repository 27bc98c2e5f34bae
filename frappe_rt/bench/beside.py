"""The server beside a web process: started at once, or as soon as its port is free.

A web process must not fail because the realtime server cannot listen yet: during an upgrade of
gunicorn (USR2) the old master has the port until it ends, and a bench may still run Node. So if the
port is in use, `start` logs that once and retries in a thread.
"""

from __future__ import annotations

import atexit
import os
import signal
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable

from frappe_rt import __version__, server

Say = Callable[[str], None]

#: Seconds between two attempts to listen.
RETRY_SECONDS = 0.25

_waiting: _Waiting | None = None


def start(
    bench: str | None = None,
    site: str | None = None,
    *,
    tell: Say,
    warn: Say,
    until: str = "",
) -> None:
    """Start the server as `frappe_rt.start` does. If it cannot listen yet, keep trying.

    Does nothing if a server already runs in this process.

    :param tell: called with a message about what was done
    :param warn: called with a message about what does not work yet
    :param until: when the port will be free, if that is known

    Raises ValueError when the configuration is wrong.
    """
    global _waiting
    stop_waiting()
    if server.running():
        return
    try:
        started = server.start(bench, site, handlers=True)
    except OSError as error:
        warn(f"{_describe(error, until)}; trying again")
        _waiting = _Waiting(bench, site, tell, warn)
    else:
        _tell_start(started, tell)


def stop_waiting() -> None:
    """Stop trying. Does not stop a running server."""
    global _waiting
    waiting, _waiting = _waiting, None
    if waiting is not None:
        waiting.end()


class _Waiting:
    """A thread that retries until the server has started."""

    def __init__(self, bench: str | None, site: str | None, tell: Say, warn: Say) -> None:
        self._arguments = bench, site
        self._tell = tell
        self._warn = warn
        # Locked until the thread must end, and until it has ended. gevent does not patch these
        # locks.
        self._going = allocate_lock()
        self._alive = allocate_lock()
        self._going.acquire()
        self._alive.acquire()
        start_new_thread(self._run, ())

    def end(self) -> None:
        self._going.release()
        self._alive.acquire()

    def _run(self) -> None:
        # Signals must reach the thread that waits for them, not this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while not self._going.acquire(timeout=RETRY_SECONDS):
                if self._try():
                    return
        finally:
            self._alive.release()

    def _try(self) -> bool:
        """Try once. Returns whether the thread can end."""
        try:
            started = server.start(*self._arguments, handlers=True)
        except OSError:
            return False
        except (ValueError, RuntimeError) as error:  # changed meanwhile, or already started
            self._warn(f"no realtime server: {_get_reason(error)}")
        else:
            _tell_start(started, self._tell)
        return True


def _tell_start(started: server.Server, tell: Say) -> None:
    tell(f"frappe_rt {__version__} listens on {', '.join(started.addresses)}")


def _describe(error: OSError, until: str) -> str:
    what, _, advice = _get_reason(error).partition("; ")
    if until:
        return f"{what}, until {until}"
    return f"{what}; {advice or 'fix that'}, or stop the realtime server that is already running"


def _get_reason(error: Exception) -> str:
    return str(error.args[-1] if error.args else error)


def _forget_in_child() -> None:
    """A forked child has no such thread. The server belongs to the parent."""
    global _waiting
    _waiting = None


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(stop_waiting)  # registered after the server's handler, so run before it
