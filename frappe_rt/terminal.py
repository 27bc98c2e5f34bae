"""Lines for people on stdout and stderr, coloured on a terminal. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

YELLOW = "33"
RED = "31"


def say(line: str, color: str = "") -> None:
    """Write one line to stdout, at once.

    When its reader has gone, this process goes on and later lines go nowhere. The line is one
    write, also where Python does not buffer: the server thread and the hosts write to the same
    file.
    """
    try:
        sys.stdout.write(_paint(line, color, sys.stdout.isatty()) + "\n")
        sys.stdout.flush()
    except OSError:
        silence_stdout()


def silence_stdout() -> None:
    """Send what is buffered for stdout, and all later lines, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def fail(why: str) -> NoReturn:
    """Write one line to stderr, and end with exit status 1."""
    print(_paint(f"frappe_rt: {why}", RED, sys.stderr.isatty()), file=sys.stderr, flush=True)
    raise SystemExit(1)


def _paint(line: str, color: str, terminal: bool) -> str:
    return f"\x1b[{color}m{line}\x1b[0m" if color and terminal else line
