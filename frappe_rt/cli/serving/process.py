"""A process that serves: start, limits, parent, signals, end. `serve` and `demo` share it."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING, Any

from frappe_rt import server
from frappe_rt.terminal import fail

if TYPE_CHECKING:
    from frappe_rt.cli.serving.rereading import Rereading

#: Seconds between two looks at whether the server thread lives and a file has changed.
LOOK_SECONDS = 2.0
PR_SET_PDEATHSIG = 1

_AWAITED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}


def end_with(parent: int) -> None:
    """Have SIGTERM sent to this process when its parent ends (prctl(2))."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        fail(f"--die-with-parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before prctl, and this process has another parent now
        raise SystemExit(0)


def raise_file_limit() -> None:
    """Allow as many open files as possible: one per connection. The usual soft limit is 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def start_or_exit(bench: str | None, site: str | None = None, **options: Any) -> server.Server:
    """`frappe_rt.start`; an error becomes one line on stderr and exit status 1."""
    try:
        return server.start(bench, site, **options)
    except (OSError, ValueError) as error:
        fail(str(error.args[-1] if error.args else error))


def block_signals() -> None:
    """Keep the signals for `wait_for_signal`. Call it before any thread starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)


def wait_for_signal(rereading: Rereading | None = None, on_terminal: bool = False) -> None:
    """Wait for SIGINT or SIGTERM. On a terminal SIGHUP counts too: the terminal is closed.

    Fails when the server thread ends by itself.
    """
    # An interval timer, not sigtimedwait: when SIGSTOP and SIGCONT have made sigtimedwait last too
    # long, Python's returns a signal that has not come.
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    while True:
        came = signal.sigwait(_AWAITED)
        if came == signal.SIGALRM:
            if not server.running():
                fail("the server has stopped by itself; the log says why")
            if rereading:
                rereading.on_look()
        elif came == signal.SIGHUP and rereading and not on_terminal:
            rereading.on_hangup()
        else:
            return


def stop_within(seconds: float) -> None:
    """Stop the server. If anything hangs, SIGALRM ends the process after `seconds`."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signal.SIGALRM in signal.sigpending():
        signal.sigwait({signal.SIGALRM})  # left over from `wait_for_signal`
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, seconds)
    server.stop(seconds * 0.75)
