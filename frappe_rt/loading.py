"""Import modules at their first use, while no fork can happen.

When a thread imports a module, it holds that module's import lock. A child that is forked meanwhile
inherits the lock without the thread, and its own import would wait for ever. So a fork waits until
the import is done.
"""

from __future__ import annotations

import os
from _thread import RLock
from importlib import import_module
from types import ModuleType

#: Held during an import, and while a log line is written. A fork waits for it.
hold_forks = RLock()


def load(name: str) -> ModuleType:
    """``importlib.import_module``, from any thread at any time."""
    with hold_forks:
        return import_module(name)


# The thread that forks goes on in the child, so it may release the lock there.
os.register_at_fork(
    before=hold_forks.acquire,
    after_in_parent=hold_forks.release,
    after_in_child=hold_forks.release,
)
