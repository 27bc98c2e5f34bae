"""The file of ``--log-file``."""

from __future__ import annotations

import os

from frappe_rt.terminal import fail, say


class LogFile:
    """A file that lines are appended to. The server thread writes to its descriptor, too."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.descriptor = self._open()
        except OSError as error:
            fail(f"cannot write to {path} (--log-file): {error.strerror}")

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def reopen(self) -> None:
        """Go on in a new file of that name, after a log rotation has renamed the old one.

        The descriptor keeps its number.
        """
        try:
            fresh = self._open()
        except OSError as error:
            say(f"cannot write to {self.path} again: {error.strerror}; going on in the old file")
            return
        os.dup2(fresh, self.descriptor, inheritable=False)
        os.close(fresh)
