"""Importing the handlers of all apps, as Frappe imports apps.

``python -m frappe.realtime.server`` refuses to start when the handlers of one app raise. A server
with clients must go on: here the handlers of the other apps run, and the log has the error.
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
    """Go to ``sites/`` and make every app importable, also those that are not installed."""
    sites = Path(bench, "sites")
    os.chdir(sites)
    sys.path.insert(0, str(sites))
    for app in ["frappe", *apps.get_apps(bench)]:
        folder = Path(bench, "apps", app)
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))


def offer_as_frappes() -> None:
    """Make ``from frappe.realtime import realtime, Socket`` give the objects of frappe_rt.

    Frappe 15 and 16 do not have these names. Frappe's develop branch has a module ``__getattr__``
    for them since June 2026, which Python does not call for names that the module has.
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
    """Import the handlers of each app that has some. An error is logged.

    Write no byte code: Python compares the size of a file and its time in seconds, so a reload
    within a second of the last could import the old code.
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
