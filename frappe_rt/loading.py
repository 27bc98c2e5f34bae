"""Import modules at their first use, while no fork can happen.

When a thread imports a module, it holds that module's import lock. A child that is forked meanwhile
inherits the lock without the thread, and its own import would wait for ever. So a fork waits until
the import is done. It waits for log lines too, since their streams have locks, but not for ever.
"""

from __future__ import annotations

import os
from _thread import RLock
from importlib import import_module
from types import ModuleType

#: Held during an import. A fork waits for it.
hold_forks = RLock()

#: Held while a log line is written. A fork waits for it, but only `_LINE_SECONDS`: a log handler,
#: or a pipe that nobody reads, may block for ever.
hold_forks_for_a_line = RLock()
_LINE_SECONDS = 0.2

#: True in a child whose fork did not wait for the end of a log line. There the stream of a log
#: handler may be locked by a thread that only the parent has.
line_was_cut = False

#: Whether a fork holds `hold_forks_for_a_line`: one entry for each fork under way.
_held: list[bool] = []


def load(name: str) -> ModuleType:
    """``importlib.import_module``, from any thread at any time."""
    with hold_forks:
        return import_module(name)


def _before_fork() -> None:
    hold_forks.acquire()
    _held.append(False)  # first, since a signal handler may raise while we wait
    _held[-1] = hold_forks_for_a_line.acquire(timeout=_LINE_SECONDS)


# The thread that forks goes on in the child, so it may release the locks there.
def _after_fork() -> None:
    if _held.pop():
        hold_forks_for_a_line.release()
    hold_forks.release()


def _after_fork_in_child() -> None:
    global hold_forks_for_a_line, line_was_cut
    if not _held[-1]:
        hold_forks_for_a_line = RLock()
        line_was_cut = True
    _after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_after_fork_in_child,
)
