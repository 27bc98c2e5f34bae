"""The lines of the link as Python values and back (docs/handlers.md).

orjson where it is installed, else the standard library.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from frappe_rt.publishing import message

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

#: Attachments that a packet may have.
MAX_ATTACHMENTS = 10


def loads(line: bytes) -> Any:
    """A line of the server as a value, the same as a browser's parser gives.

    orjson refuses some of what clients may send: half a surrogate pair, numbers beyond any float.
    `json` refuses integers of thousands of digits; they become Infinity, as in JavaScript. Raises
    RecursionError or ValueError for a value that is nested too deeply.
    """
    if orjson is not None:
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(line)
    except ValueError:
        return json.loads(line, parse_int=_to_number)


def _to_number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def dumps(value: Any) -> bytes:
    """A string, a number or a list of these as JSON. Raises ValueError for a lone surrogate."""
    encoded = message.encode(value)
    if b"\\ud" in encoded:
        _refuse_surrogates(value)
    return encoded


def _refuse_surrogates(value: Any) -> None:
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError
    elif isinstance(value, list):
        for part in value:
            _refuse_surrogates(part)


def encode_arguments(arguments: list[Any]) -> bytes:
    """``"a":[..]``, followed by ``,"b":[..]`` when some of them are bytes.

    Raises TypeError or ValueError for a value that cannot be sent.
    """
    if not arguments:
        return b'"a":[]'
    encoded, attachments = message.encode_binary(arguments)
    if not attachments:
        return b'"a":' + encoded
    if len(attachments) > MAX_ATTACHMENTS:
        raise ValueError(
            f"{len(attachments)} binary values in one message; it takes {MAX_ATTACHMENTS} at most"
        )
    texts = b'","'.join(map(b64encode, attachments))
    return b'"a":' + encoded + b',"b":["' + texts + b'"]'


def decode_arguments(line: dict[str, Any]) -> list[Any]:
    """The arguments of a line, with bytes in place of the placeholders."""
    arguments: list[Any] = line.get("a") or []
    texts = line.get("b")
    if not texts:
        return arguments
    put_in: list[Any] = _replace(arguments, [b64decode(text) for text in texts])
    return put_in


def _replace(value: Any, attachments: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_replace(part, attachments) for part in value]
    if isinstance(value, dict):
        if value.get("_placeholder") is True:
            number = value.get("num")
            if type(number) is int and 0 <= number < len(attachments):
                return attachments[number]
        return {key: _replace(part, attachments) for key, part in value.items()}
    return value


def to_arguments(data: Any) -> list[Any]:
    """The arguments of one call, as in python-socketio: None is none, a tuple several, else one."""
    if data is None:
        return []
    return list(data) if isinstance(data, tuple) else [data]


def from_arguments(arguments: list[Any]) -> Any:
    """The value for these arguments: the opposite of `to_arguments`."""
    if not arguments:
        return None
    return arguments[0] if len(arguments) == 1 else tuple(arguments)
