"""What becomes of a host that has used up the memory that its process may have.

Nothing bounds a host but what bounds every process: ``ulimit -v``, a control group, the machine.
Where the kernel does not kill it, Python raises MemoryError wherever memory is asked for next, and
what a handler keeps does not come back. Such a host could neither work nor tell, so it ends and is
started again. A handler that only asked for too much at once has failed, like any other.
"""

from __future__ import annotations

import os

#: Bytes that a host must be able to get, after it was refused some.
SPARE = 8 << 20
#: Exit status. Never 3 or 4: gunicorn's master would stop.
EXHAUSTED = 1

_LAST_WORDS = b"frappe_rt.handlers: the process has used up its memory, and ends\n"


def end_when_exhausted() -> None:
    """After a MemoryError: end the process unless there is memory again."""
    try:
        bytearray(SPARE)
    except MemoryError:
        os.write(2, _LAST_WORDS)
        os._exit(EXHAUSTED)
