"""A log that hostile or broken clients cannot fill."""

from __future__ import annotations

from threading import Lock
from time import monotonic

#: Seconds between two log lines about the same trouble.
QUIET_SECONDS = 1.0


class Gate:
    """A rate limit for log lines: lets one through now and then, and counts the others, per topic.

    For any thread.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next: dict[object, float] = {}
        self._skipped: dict[object, int] = {}
        self._lock = Lock()

    def ask(self, about: object) -> int | None:
        """The number of lines suppressed before this one; None: suppress this one, too."""
        with self._lock:
            now = monotonic()
            if now < self._next.get(about, now):
                self._skipped[about] = self._skipped.get(about, 0) + 1
                return None
            self._next[about] = now + self._seconds
            return self._skipped.pop(about, 0)
