"""A configuration for gunicorn: the realtime server as a thread of the master.

``gunicorn -c python:frappe_rt.bench.gunicorn ... --preload frappe.app:application``; in a
configuration of one's own, ``from frappe_rt.bench.gunicorn import *``, or call these functions
from its hooks of the same names.

The master starts the thread before it forks the first worker. It outlives all workers, and so do
the connections of browsers: restarts (``max_requests``, HUP) do not touch them. Workers publish
through the local socket of the bench. Everything here that gunicorn calls by the name of one of its
settings must be meant for it, so nothing else may be called so.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from frappe_rt import server as realtime
from frappe_rt.bench import beside
from frappe_rt.bench.take_over import take_over

__all__ = ["on_reload", "post_worker_init", "when_ready"]

#: gunicorn says to a master started by USR2, in its environment, which one it follows.
_FOLLOWS = "GUNICORN_PID"


def when_ready(server: Any) -> None:
    """In the master, once gunicorn listens and before it forks workers: start the thread.

    When its port is taken, by the master that this one follows (USR2) or by another program, the
    web goes on without it, and the thread starts as soon as the port is free. A wrong value in the
    configuration ends the start of gunicorn.
    """
    before = os.environ.get(_FOLLOWS)
    until = f"the master before this one ({before}) has ended" if before else ""

    def tell(line: str) -> None:
        server.log.info("%s", line)

    def warn(line: str) -> None:
        server.log.warning("frappe_rt: %s", line)

    try:
        beside.start(tell=tell, warn=warn, until=until)
    except ValueError as error:
        # The one kind of error that gunicorn ends at with a line and no traceback.
        raise RuntimeError(f"frappe_rt: {error.args[-1]}") from error


def on_reload(server: Any) -> None:
    """In the master, on HUP: read the bench's configuration again."""
    try:
        realtime.reload()
    except ValueError as error:
        server.log.warning("frappe_rt: the configuration stays as it was: %s", error.args[-1])


def post_worker_init(worker: Any) -> None:
    """In each worker, once it has the application: publish what Frappe publishes."""
    if "frappe" not in sys.modules:
        return
    try:
        take_over()
    except (ImportError, RuntimeError) as error:
        worker.log.warning("frappe_rt: %s; Frappe publishes through Redis as before", error)
