"""JSON as Frappe would write it: the browser gets the values it would get from ``frappe.as_json``.

orjson does nearly all of it where it is installed (it is a dependency of Frappe). What it refuses,
integers beyond 64 bits, keys that are no strings, lone surrogates, deep nesting, goes to the
encoder of the standard library, which is Frappe's own. ``NaN`` and ``Infinity`` become ``null``:
every browser's parser rejects them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from re import Match
from typing import Any

from frappe_rt import inside

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
else:
    # Dates go to _default: Frappe writes str(value), and orjson's "T" between date and time would
    # show every open form a conflict. Dataclasses too: Frappe knows none.
    _OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def encode(message: Any) -> bytes:
    """`message` as JSON text in UTF-8.

    Raises TypeError or ValueError for what cannot be written: an unknown type, a cycle.
    """
    if orjson is not None:
        try:
            return orjson.dumps(message, _default, _OPTIONS)
        except orjson.JSONEncodeError:
            pass
    try:
        return _encode_slowly(message)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encode_envelope(event: str, message: bytes, room: str | None, site: str) -> bytes:
    """The text of the Redis channel ``events`` around an encoded message."""
    return b'{"event":%b,"message":%b,"namespace":%b,"room":%b}' % (
        encode(event),
        message,
        encode(site),
        encode(room),
    )


def _encode_slowly(message: Any) -> bytes:
    try:
        text = json.dumps(message, default=_default, allow_nan=False, separators=(",", ":"))
    except ValueError:  # NaN, or a cycle: then this raises again
        text = json.dumps(message, default=_default)
        without_nan = json.loads(text, parse_constant=lambda _: None)
        text = json.dumps(without_nan, separators=(",", ":"))
    return text.encode("ascii")


def _default(value: Any) -> Any:
    """What a type JSON does not know becomes. Frappe's own function decides where it is loaded."""
    handler = inside.get_json_handler()
    if handler is not None:
        try:
            return handler(value)
        except TypeError:
            pass  # an older Frappe knows fewer types than we do
    return _to_plain(value)


def _to_plain(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return str(value)
    if isinstance(value, timedelta):
        return _format_timedelta(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Enum):
        return value.value
    if callable(getattr(value, "as_dict", None)) and not isinstance(value, type):
        return value.as_dict()
    if callable(getattr(value, "__json__", None)) and not isinstance(value, type):
        return value.__json__()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, Iterable):
        return list(value)
    return _to_text(value)


def _to_text(value: Any) -> Any:
    """Types that have nothing but a text: identifiers, paths, lazy translations, errors."""
    if isinstance(value, Match):
        return value.string
    if isinstance(value, (BaseException, type)) or callable(value):
        return repr(value)
    if any("__str__" in vars(base) for base in type(value).__mro__[:-1]):
        return str(value)
    raise TypeError(f"{type(value).__qualname__} cannot be sent to a browser")


def _format_timedelta(value: timedelta) -> str:
    """``H:MM:SS`` with fractions when there are any and hours beyond 24, as a Time field has it."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.days * 86400 + value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{hours}:{minutes:02}:{seconds:02}{fraction}"
