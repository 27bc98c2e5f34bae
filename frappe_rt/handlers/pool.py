"""Threads for plain handlers: a bounded number, started when they are needed.

`concurrent.futures` would cost two and a half times the CPU, most of it for futures that nobody
here waits for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from frappe_rt.handlers.gate import QUIET_SECONDS, Gate

log = logging.getLogger("frappe_rt.handlers")


#: What to run, and with what. None: the thread that takes it ends.
Job = tuple[Callable[..., object], tuple[Any, ...]] | None


class Pool:
    """At most `most` threads. They wait for more until the process ends with its loop.

    `submit` and `resize` are for one thread to call: the loop's.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = Lock()
        self._unfinished = 0
        self._failures = Gate(QUIET_SECONDS)

    def submit(self, job: Callable[..., object], *arguments: Any) -> None:
        """Run `job`, which may not raise, on a thread."""
        with self._lock:
            self._unfinished += 1
        if self._threads < min(self._unfinished, self._most):
            self._start_thread()
        self._jobs.put((job, arguments))

    def resize(self, most: int) -> None:
        """Of threads that are too many now, each ends behind the jobs that wait already."""
        self._most = most
        while self._threads > most:
            self._threads -= 1
            self._jobs.put(None)

    @property
    def is_behind(self) -> bool:
        """Whether jobs wait for a thread."""
        return not self._jobs.empty()

    def _start_thread(self) -> None:
        try:
            Thread(target=self._serve, name=f"handler_{self._threads}", daemon=True).start()
        except RuntimeError as error:  # go on with the existing threads; the next job tries again
            if self._failures.ask("thread") is not None:
                log.error("no more than %d threads for handlers: %s", self._threads, error)
        else:
            self._threads += 1

    def _serve(self) -> None:
        while work := self._jobs.get():
            job, arguments = work
            job(*arguments)
            del work, job, arguments  # drop the reference to the last event while waiting
            with self._lock:
                self._unfinished -= 1
