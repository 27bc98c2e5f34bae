"""Modules brought in at first use, so that a fork cannot fall into the middle of it.

A child inherits an import that another thread of its parent was busy with as a lock that nobody
will release: its own first use would wait for ever. So a fork waits until the import is done, but
no longer than `FORK_SECONDS`: a log handler that hangs must not stop a process from forking.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from importlib import import_module
from types import ModuleType

#: For which a fork waits at most.
FORK_SECONDS = 0.2
#: Held while something is brought in or used for the first time. A fork waits for it.
hold_forks = RLock()


def load(name: str) -> ModuleType:
    """``importlib.import_module``, for what may happen in any thread at any time."""
    with hold_forks:
        return import_module(name)


#: Threads that fork, and got the lock for it.
_holders: set[int] = set()


def _before_fork() -> None:
    if hold_forks.acquire(timeout=FORK_SECONDS):
        _holders.add(get_ident())


def _after_fork() -> None:
    """The thread that forks is the one that goes on in the child, so it may release there."""
    if get_ident() in _holders:
        _holders.discard(get_ident())
        hold_forks.release()


def _after_fork_in_child() -> None:
    if get_ident() in _holders:
        hold_forks.release()
    else:
        hold_forks._at_fork_reinit()  # type: ignore[attr-defined]  # whoever had it is not here
    _holders.clear()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_after_fork_in_child,
)
