"""Threads for plain handlers: a bounded number, started when they are needed.

`concurrent.futures` would do for two and a half times the CPU, most of it for futures that nobody
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


class Pool:
    """At most `most` threads. They are never stopped: the process ends with its loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._jobs: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self._lock = Lock()
        self._unfinished = 0
        self._failures = Gate(QUIET_SECONDS)

    def submit(self, job: Callable[..., object], *arguments: Any) -> None:
        """Run `job`, which may not raise, on a thread. For one thread to call: the loop's."""
        with self._lock:
            self._unfinished += 1
        if self._threads < min(self._unfinished, self._most):
            self._start_thread()
        self._jobs.put((job, arguments))

    @property
    def is_behind(self) -> bool:
        """Whether jobs wait for a thread."""
        return not self._jobs.empty()

    def _start_thread(self) -> None:
        try:
            Thread(target=self._serve, name=f"handler_{self._threads}", daemon=True).start()
        except RuntimeError as error:  # those that there are must do; the next job tries again
            if self._failures.ask("thread") is not None:
                log.error("no more than %d threads for handlers: %s", self._threads, error)
        else:
            self._threads += 1

    def _serve(self) -> None:
        while True:
            job, arguments = self._jobs.get()
            job(*arguments)
            del job, arguments  # nothing of an event is kept while there is no other
            with self._lock:
                self._unfinished -= 1
