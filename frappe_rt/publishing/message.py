"""JSON with the values of ``frappe.as_json``: a browser gets what Frappe would send.

1. orjson, where it is installed, encodes JSON's own types and dates. docs/architecture.md says why
   it is not a dependency.
2. What orjson refuses goes to the standard library's encoder, which Frappe uses too: documents and
   all other types, integers beyond 64 bits, keys that are not strings, lone surrogates, deep
   nesting.
3. A type that neither knows goes to Frappe's ``json_handler``. Where Frappe is not loaded,
   `_to_plain` does the same.

orjson has a hook for unknown types, but no Python may run in it: when that Python or another thread
changes the message, orjson reads freed memory; and it hides what a signal handler raises. So the
hook is a C function, for dates only.

Some values that Frappe's encoder refuses are sent: ``NaN`` and ``Infinity`` become ``null`` (no
browser parses them), enumerations become their value, lazy translations and the like their text.
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

from frappe_rt import _rt
from frappe_rt.publishing import frappe_local

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
else:
    # Pass these types to the hook, because orjson would write other values than Frappe. Dates:
    # Frappe writes str(value); with a "T" inside, every open form would report a conflict.
    # Subclasses: orjson reads the stored items of a dict, not items(). Dataclasses: Frappe's
    # encoder does not know them.
    _OPTIONS = (
        orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
        | orjson.OPT_PASSTHROUGH_DATACLASS
    )


def encode(message: Any) -> bytes:
    """`message` as JSON text in UTF-8.

    Raises TypeError or ValueError for what cannot be encoded: an unknown type, a cycle.
    """
    if orjson is not None:
        try:
            return orjson.dumps(message, _rt.date_text, _OPTIONS)
        except orjson.JSONEncodeError:
            pass
    return _encode_slowly(message, _default)


def encode_binary(message: Any) -> tuple[bytes, list[bytes]]:
    """As `encode`, with Socket.IO's placeholders in place of bytes.

    Returns the text and the attachments, in the order of the placeholders' numbers.
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
        if "NaN" in text or "Infinity" in text:  # perhaps only inside a string; that does no harm
            without = json.loads(text, parse_constant=lambda _: None)
            text = json.dumps(without, separators=(",", ":"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return text.encode("ascii")


def _default(value: Any) -> Any:
    """A value to encode in place of one whose type the encoder does not know.

    Frappe's own function decides where Frappe is loaded.
    """
    if type(value) in _AS_TEXT:
        return str(value)
    if isinstance(value, dict):  # a subclass, or a proxy as frappe.session
        return dict(value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    kind = type(value)  # not isinstance: proxies of these types go to Frappe's function
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return int.__int__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    handler = frappe_local.get_json_handler()
    if handler is not None:
        try:
            return handler(value)
        except TypeError:
            pass  # `_to_plain` knows more types
    return _to_plain(value)


#: The types without JSON form that are most common in documents. Every Frappe writes str(value).
_AS_TEXT = frozenset((datetime, date, time))


def _to_plain(value: Any) -> Any:
    """As Frappe's ``json_handler``, in its order; then the types that it refuses."""
    if isinstance(value, (datetime, date, time)):
        return str(value)
    if isinstance(value, timedelta):
        return _format_timedelta(value)
    if isinstance(value, Decimal):
        return float(value)
    is_class = isinstance(value, type)
    if not is_class and callable(getattr(value, "as_dict", None)):  # a document
        return value.as_dict()
    if isinstance(value, Iterable):  # sets, generators; bytes become numbers, as in Frappe
        return list(value)
    if isinstance(value, Match):
        return value.string
    if isinstance(value, BaseException) or callable(value):
        return repr(value)
    if callable(getattr(value, "__json__", None)):
        return value.__json__()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Integral):  # with Real below: NumPy's numbers, fractions
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if any("__str__" in vars(base) for base in type(value).__mro__[:-1]):  # other than object's
        return str(value)
    raise TypeError(f"{type(value).__qualname__} cannot be sent to a browser")


def _format_timedelta(value: timedelta) -> str:
    """``H:MM:SS``. Hours may exceed 24; seconds have a fraction only if there is one.

    A negative value counts up from the hour below, as in Frappe: -90 s is ``-1:58:30``.
    """
    hours, seconds = divmod(value.total_seconds(), 3600)
    minutes, seconds = divmod(seconds, 60)
    seconds = round(seconds, 6)
    return f"{int(hours)}:{int(minutes):02}:{int(seconds) if seconds.is_integer() else seconds:02}"
