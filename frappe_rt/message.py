"""JSON as Frappe would write it: the browser gets the values it would get from ``frappe.as_json``.

orjson writes what holds nothing but JSON's own types and dates, where it is installed
(docs/architecture.md says why it is no dependency). What it refuses goes to the encoder of the
standard library, which is Frappe's own: documents and all other types, integers beyond 64 bits,
keys that are no strings, lone surrogates, deep nesting. What neither knows is asked of Frappe's
``json_handler`` where Frappe is loaded, else turned into the same here.

orjson could ask us as well, but no line of Python may run meanwhile: when who is asked changes the
message, or another thread does, it reads memory that is not there any more; and what a signal
raises there, it hides. So for dates it asks a function of C.

Where Frappe's encoder gives up we go on: ``NaN`` and ``Infinity`` become ``null`` (every browser's
parser rejects them), enumerations their value, lazy translations and the like their text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from re import Match
from typing import Any

from frappe_rt import _rt, inside

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
else:
    # Each of these types is asked about, because orjson would give other values. Dates: Frappe
    # writes str(value), and a "T" would show every open form a conflict. Subclasses: of a dict
    # orjson reads what is stored, not what items() says. Dataclasses: Frappe knows none.
    _OPTIONS = (
        orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
        | orjson.OPT_PASSTHROUGH_DATACLASS
    )


def encode(message: Any) -> bytes:
    """`message` as JSON text in UTF-8.

    Raises TypeError or ValueError for what cannot be written: an unknown type, a cycle.
    """
    if orjson is not None:
        try:
            return orjson.dumps(message, _rt.date_text, _OPTIONS)
        except orjson.JSONEncodeError:
            pass
    return _encode_slowly(message, _default)


def encode_binary(message: Any) -> tuple[bytes, list[bytes]]:
    """As `encode`, but bytes stay bytes: in their place stands Socket.IO's placeholder.

    Returns the text and the attachments that its placeholders number.
    """
    attachments: list[bytes] = []

    def default(value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            attachments.append(bytes(value))
            return {"_placeholder": True, "num": len(attachments) - 1}
        return _default(value)

    if orjson is not None:
        try:
            return orjson.dumps(message, _rt.date_text, _OPTIONS), attachments
        except orjson.JSONEncodeError:
            pass
    return _encode_slowly(message, default), attachments


def _encode_slowly(message: Any, default: Callable[[Any], Any]) -> bytes:
    try:
        text = json.dumps(message, default=default, separators=(",", ":"))
        if "NaN" in text or "Infinity" in text:  # or a text that only speaks of them
            without = json.loads(text, parse_constant=lambda _: None)
            text = json.dumps(without, separators=(",", ":"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return text.encode("ascii")


def _default(value: Any) -> Any:
    """What becomes of a type that the encoder does not know: a part of it is then encoded in turn.

    Frappe's own function decides where it is loaded.
    """
    if type(value) in _AS_TEXT:
        return str(value)
    if isinstance(value, dict):  # a subclass, or a proxy: frappe.session says that it is one
        return dict(value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    kind = type(value)  # proxies of the following are for Frappe's function
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return int.__int__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    handler = inside.get_json_handler()
    if handler is not None:
        try:
            return handler(value)
        except TypeError:
            pass  # it knows fewer types than we do
    return _to_plain(value)


#: The values a document most often holds that JSON does not know. Every Frappe says str() of them.
_AS_TEXT = frozenset((datetime, date, time))


def _to_plain(value: Any) -> Any:
    """As Frappe's ``json_handler``, in its order; then what that refuses."""
    if isinstance(value, (datetime, date, time)):
        return str(value)
    if isinstance(value, timedelta):
        return _format_timedelta(value)
    if isinstance(value, Decimal):
        return float(value)
    is_class = isinstance(value, type)
    if not is_class and callable(getattr(value, "as_dict", None)):  # a document
        return value.as_dict()
    if isinstance(value, Iterable):  # sets, generators; bytes become numbers, as there
        return list(value)
    if isinstance(value, Match):
        return value.string
    if isinstance(value, BaseException) or callable(value):
        return repr(value)
    if callable(getattr(value, "__json__", None)):
        return value.__json__()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Integral):  # NumPy's numbers, and fractions
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if any("__str__" in vars(base) for base in type(value).__mro__[:-1]):  # not only object's
        return str(value)
    raise TypeError(f"{type(value).__qualname__} cannot be sent to a browser")


def _format_timedelta(value: timedelta) -> str:
    """``H:MM:SS`` with hours beyond 24, and in seconds the digits after the point that there are.

    A negative one counts up from the hour below, as in Frappe: -90 s is ``-1:58:30``.
    """
    hours, seconds = divmod(value.total_seconds(), 3600)
    minutes, seconds = divmod(seconds, 60)
    seconds = round(seconds, 6)
    return f"{int(hours)}:{int(minutes):02}:{int(seconds) if seconds.is_integer() else seconds:02}"
