"""A configuration for gunicorn: the realtime server as a thread of the master.

Use it with ``gunicorn -c python:frappe_rt.bench.gunicorn ... --preload frappe.app:application``. In
your own configuration, ``from frappe_rt.bench.gunicorn import *``, or call these functions from
your hooks of the same names.

The master starts the thread before it forks the first worker. The thread and the connections of
browsers outlive all workers: restarts (``max_requests``, HUP) do not affect them. Workers publish
through the local socket of the bench. gunicorn takes every name here that is one of its settings,
so nothing else may have such a name.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from frappe_rt import server as realtime
from frappe_rt.bench import beside
from frappe_rt.bench.take_over import take_over

__all__ = ["on_reload", "post_worker_init", "when_ready"]

#: A master started by USR2 has the pid of the old master in this environment variable.
_FOLLOWS = "GUNICORN_PID"


def when_ready(server: Any) -> None:
    """In the master, once gunicorn listens and before it forks workers: start the thread.

    If the old master (USR2) or another program has the port, gunicorn serves the web without the
    thread, which starts when the port is free. With a wrong value in the configuration gunicorn
    does not start.
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
        # For this error alone, gunicorn exits with one line and no traceback.
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
