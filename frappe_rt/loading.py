"""Modules brought in at first use, so that a fork cannot fall into the middle of it.

A child inherits an import that another thread of its parent was busy with as a lock that nobody
will release: its own first use would wait for ever. So a fork waits until the import is done.
"""

from __future__ import annotations

import os
from _thread import RLock
from importlib import import_module
from types import ModuleType

_lock = RLock()


def load(name: str) -> ModuleType:
    """``importlib.import_module``, for what may happen in any thread at any time."""
    with _lock:
        return import_module(name)


# The thread that forks is the one that goes on in the child, so it may release there.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)
