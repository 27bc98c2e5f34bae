"""Frappe's development web process with the server beside it: what `web` of the command line
becomes (`exec`: the same process, with the arguments that its reloader will repeat).

With Werkzeug's reloader there are two processes: one that only restarts the other, and that other,
which serves. The thread lives in the first, so that a reload drops no browser; the second publishes
through the local socket of the bench. Without reloader there is one process, and both are in it.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import NoReturn

from frappe_rt import config, serving
from frappe_rt.bench import beside
from frappe_rt.bench.take_over import take_over

#: Frappe's own command line, as `bench` starts it.
_FRAPPE = "frappe.utils.bench_helper"
#: Where Frappe takes a bench's path from, if it is set.
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
        serving.fail(f"{bench} is no bench: its folder sites: {error.strerror}")
    # Frappe names the queues of its jobs by the bench's path: it must be the path that the bench's
    # workers find, which a link on the way makes another one, or nobody takes what the web queues.
    if os.environ.get(_ROOT):
        os.environ[_ROOT] = bench
    command = [sys.executable, "-m", __name__, bench, site or "", *words]
    os.execv(sys.executable, command)


def main(bench: str, site: str, *words: str) -> None:
    """Serve until a signal comes or Frappe ends. The working directory is the bench's ``sites``."""
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
        serving.fail(str(error))
    except RuntimeError as error:
        _warn(f"{error}; Frappe publishes through Redis as before")


def _start(bench: str, site: str | None) -> None:
    try:
        beside.start(bench, site, tell=serving.say, warn=_warn)
    except ValueError as error:
        serving.fail(str(error.args[-1]))


def _warn(line: str) -> None:
    serving.say(f"frappe_rt: {line}", serving.YELLOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
