"""Check the seconds that a caller gives."""

from __future__ import annotations

from math import inf

#: A day. C takes milliseconds in 32 bits, and a longer wait is surely a mistake.
SECONDS_MOST = 86_400.0


def check_seconds(name: str, seconds: float, most: float = SECONDS_MOST) -> float:
    """Return `seconds`, the parameter `name` of a public function.

    Raises TypeError when it is not an int or float, ValueError when it is below 0, above `most` or
    NaN.
    """
    if not isinstance(seconds, (int, float)):
        kind = type(seconds).__name__
        raise TypeError(f"{name} is {seconds!r} ({kind}); give a number of seconds")
    if not 0 <= seconds <= most:  # NaN fails every comparison
        allowed = "0 seconds or more" if most == inf else f"seconds from 0 to {most:g}"
        raise ValueError(f"{name} is {seconds!r}; give {allowed}")
    return seconds
