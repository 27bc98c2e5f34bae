"""What the commands that run a server share: starting it with errors for people, and waiting."""

from __future__ import annotations

import signal
from typing import Any, NoReturn

import click

from frappe_rt import server

#: Seconds between two looks at whether the server thread still lives.
LOOK_SECONDS = 10.0


def start_or_exit(bench: str | None, site: str | None = None, **overrides: Any) -> server.Server:
    """`frappe_rt.start`, where what went wrong is one line on stderr and exit status 1."""
    try:
        return server.start(bench, site, **overrides)
    except (OSError, ValueError) as error:
        fail(str(error.args[-1] if error.args else error))


def fail(why: str) -> NoReturn:
    """One line on stderr, in red on a terminal, and exit status 1."""
    click.secho(f"frappe_rt: {why}", err=True, fg="red")
    raise SystemExit(1)


def block_signals() -> None:
    """Keep SIGINT and SIGTERM for `wait_for_signal`. Before any thread is started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def wait_for_signal() -> None:
    """Until SIGINT or SIGTERM. Fails when the server thread ends by itself."""
    while signal.sigtimedwait(_ENDING, LOOK_SECONDS) is None:
        if not server.running():
            fail("the server has stopped by itself; the log says why")


def stop_within(seconds: float) -> None:
    """Stop the server. Should anything hang, SIGALRM ends the process after `seconds`."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    server.stop(seconds * 0.75)


_ENDING = {signal.SIGINT, signal.SIGTERM}
