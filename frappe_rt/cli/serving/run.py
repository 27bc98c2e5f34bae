"""Serve until a signal comes."""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from frappe_rt import __version__, _rt, config, server
from frappe_rt.cli.serving import process, systemd
from frappe_rt.cli.serving.log_file import LogFile
from frappe_rt.cli.serving.options import LOG_LEVELS, Order
from frappe_rt.cli.serving.rereading import Rereading
from frappe_rt.cli.serving.surroundings import tell_surroundings
from frappe_rt.terminal import say

#: Seconds from a signal to the end of the process, at most.
STOP_SECONDS = 2.0


def become(order: Order) -> NoReturn:
    """Execute a fresh interpreter in place of this one, to serve. Environment and files stay."""
    command = [sys.executable, "-m", __package__, json.dumps(order)]
    os.execv(sys.executable, command)


def serve(order: Order) -> None:
    """Serve until SIGINT or SIGTERM."""
    bench, overrides, log_level, log_file, parent = order
    if parent is not None:
        process.end_with(parent)
    on_terminal = sys.stdout.isatty()  # ask now: after SIGHUP the terminal is closed
    process.block_signals()
    process.raise_file_limit()
    log = LogFile(log_file) if log_file else None
    log_to = log.descriptor if log else 2
    _rt.set_log(LOG_LEVELS.index(log_level), log_to)
    rereading = Rereading(bench, log)  # before the files are read, so that no change is missed
    running = process.start_or_exit(bench, sockets=systemd.take_sockets(), **overrides)
    server.supervise(log_to)
    say(f"frappe_rt {__version__} listens on {', '.join(running.addresses)}")
    tell_surroundings(config.get_effective())
    systemd.notify("READY=1")
    process.wait_for_signal(rereading, on_terminal)
    systemd.notify("STOPPING=1")
    say("frappe_rt stops")
    process.stop_within(STOP_SECONDS)
