"""The server beside a web process: started at once, or as soon as its port is free.

A web process must not fail because the realtime server cannot listen yet: during an upgrade of
gunicorn (USR2) the old master has the port until it goes, and a bench may still run Node. So what
`start` cannot have now it goes on asking for, in a thread of its own, and says so once.
"""

from __future__ import annotations

import atexit
import os
import signal
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable

from frappe_rt import __version__, server

Say = Callable[[str], None]

#: Between two tries to listen.
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
    """Start the server as `frappe_rt.start` does; where it cannot listen yet, go on trying.

    One that runs in this process already is left as it is.

    :param tell: takes a line for people about what has been done
    :param warn: ... about what does not work yet
    :param until: when what it cannot have will be free, if that is known

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
    """No longer try to start. Does not stop a server that runs."""
    global _waiting
    waiting, _waiting = _waiting, None
    if waiting is not None:
        waiting.end()


class _Waiting:
    """A thread that tries to start the server until it can."""

    def __init__(self, bench: str | None, site: str | None, tell: Say, warn: Say) -> None:
        self._arguments = bench, site
        self._tell = tell
        self._warn = warn
        # Held until told to end, and until it has ended. Bare locks: gevent leaves them alone.
        self._going = allocate_lock()
        self._alive = allocate_lock()
        self._going.acquire()
        self._alive.acquire()
        start_new_thread(self._run, ())

    def end(self) -> None:
        self._going.release()
        self._alive.acquire()

    def _run(self) -> None:
        # The process's signals are for the thread that waits for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while not self._going.acquire(timeout=RETRY_SECONDS):
                if self._try():
                    return
        finally:
            self._alive.release()

    def _try(self) -> bool:
        """Whether there is nothing more to wait for."""
        try:
            started = server.start(*self._arguments, handlers=True)
        except OSError:
            return False
        except (ValueError, RuntimeError) as error:  # changed meanwhile, or started by another
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
    return f"{what}; {advice or 'mend that'}, or end the realtime server that runs already"


def _get_reason(error: Exception) -> str:
    return str(error.args[-1] if error.args else error)


def _forget_in_child() -> None:
    """A forked child has no such thread; the server, once started, is its parent's."""
    global _waiting
    _waiting = None


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(stop_waiting)  # after the server's own, hence before it
