"""Importing the handlers of all apps, as Frappe imports apps.

``python -m frappe.realtime.server`` refuses to start when one raises. A server that has clients
must not: here the other apps' handlers run, and the log says why.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import NamedTuple

from frappe_rt.handlers.registry import realtime
from frappe_rt.handlers.sockets import Socket, SyncSocket
from frappe_rt.hosts import apps

log = logging.getLogger("frappe_rt.handlers")


class Loaded(NamedTuple):
    """Apps that have handlers."""

    apps: list[str]
    #: Those whose handlers cannot be imported.
    failed: list[str]


def enter(bench: str) -> None:
    """Work in ``sites/``, with every app importable, where its package is not installed, too."""
    sites = Path(bench, "sites")
    os.chdir(sites)
    sys.path.insert(0, str(sites))
    for app in ["frappe", *apps.get_apps(bench)]:
        folder = Path(bench, "apps", app)
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))


def offer_as_frappes() -> None:
    """Let ``from frappe.realtime import realtime, Socket`` give ours.

    In Frappe 15 and 16 there are no such names; in 2026's they come from a function, which is not
    asked for what the module has.
    """
    try:
        if importlib.util.find_spec("frappe") is None:
            return
        module = importlib.import_module("frappe.realtime")
    except Exception as error:
        log.warning("frappe.realtime cannot be imported (%s: %s)", type(error).__name__, error)
        return
    vars(module).update(realtime=realtime, Socket=Socket, SyncSocket=SyncSocket)


def load(bench: str) -> Loaded:
    """Import the handlers of each app that has some; what raises is logged.

    No byte code is kept of them: Python goes by the second and the size of a file, and a reload
    within one second of the last would import what was there before.
    """
    loaded = Loaded([], [])
    keeps_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    for app in apps.get_apps(bench):
        module = f"{app}.realtime.handlers"
        try:
            if not _is_there(module):
                continue
            with realtime.importing_app(app):
                importlib.import_module(module)
        except (Exception, SystemExit):
            log.exception("%s cannot be imported", module)
            loaded.failed.append(app)
        else:
            loaded.apps.append(app)
    sys.dont_write_bytecode = keeps_none
    return loaded


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            return False  # the app has no realtime package
        raise
