"""Modules brought in at first use, so that a fork cannot fall into the middle of it.

A child inherits an import that another thread of its parent was busy with as a lock that nobody
will release: its own first use would wait for ever. So a fork waits until the import is done.
"""

from __future__ import annotations

import os
from _thread import RLock
from importlib import import_module
from types import ModuleType

#: Held while something is brought in or used for the first time. A fork waits for it.
hold_forks = RLock()


def load(name: str) -> ModuleType:
    """``importlib.import_module``, for what may happen in any thread at any time."""
    with hold_forks:
        return import_module(name)


# The thread that forks is the one that goes on in the child, so it may release there.
os.register_at_fork(
    before=hold_forks.acquire,
    after_in_parent=hold_forks.release,
    after_in_child=hold_forks.release,
)
