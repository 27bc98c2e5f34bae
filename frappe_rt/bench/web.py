"""Frappe's development web process with the server beside it, for the command ``web``.

The command's process executes this module with exec (`become`), because Werkzeug's reloader
restarts with the arguments of its process.

With the reloader there are two processes: the first only restarts the second, and the second serves
the web. The server thread is in the first, so a reload drops no browser; the second publishes
through the local socket of the bench. Without the reloader, one process does both.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import NoReturn

from frappe_rt import config
from frappe_rt.bench import beside
from frappe_rt.bench.take_over import take_over
from frappe_rt.terminal import YELLOW, fail, say

#: Frappe's own command line, as `bench` starts it.
_FRAPPE = "frappe.utils.bench_helper"
#: The variable from which Frappe takes the path of the bench, if set.
_ROOT = "FRAPPE_BENCH_ROOT"
#: Set by Werkzeug's reloader in the process that serves.
_RELOADED = "WERKZEUG_RUN_MAIN"


def become(bench: str, site: str | None, words: list[str]) -> NoReturn:
    """Turn this process into the web process of `bench`, an absolute path.

    :param site: the one site that Frappe is to serve, if any
    :param words: options for Frappe's ``serve``
    """
    try:
        os.chdir(Path(bench, "sites"))
    except OSError as error:
        fail(f"{bench} is not a bench: its folder sites: {error.strerror}")
    # Frappe puts the bench's path into the names of its job queues. The bench's workers use the
    # path without symbolic links; with any other path, no worker would take the web process's jobs.
    if os.environ.get(_ROOT):
        os.environ[_ROOT] = bench
    command = [sys.executable, "-m", __name__, bench, site or "", *words]
    os.execv(sys.executable, command)


def main(bench: str, site: str, *words: str) -> None:
    """Serve until a signal comes or Frappe ends. Runs in the bench's folder ``sites``."""
    _take_over()
    if os.environ.get(_RELOADED) == "true":
        config.give(config.Given(bench, site or None))
    else:
        _start(bench, site or None)
    pinned = ["--site", site] if site else []
    sys.argv = [_FRAPPE, "frappe", *pinned, "serve", *words]
    runpy.run_module(_FRAPPE, run_name="__main__")


def _take_over() -> None:
    try:
        take_over()
    except ImportError as error:
        fail(str(error))
    except RuntimeError as error:
        _warn(f"{error}; Frappe publishes through Redis as before")


def _start(bench: str, site: str | None) -> None:
    try:
        beside.start(bench, site, tell=say, warn=_warn)
    except ValueError as error:
        fail(str(error.args[-1]))


def _warn(line: str) -> None:
    say(f"frappe_rt: {line}", YELLOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
