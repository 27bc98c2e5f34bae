"""The part of an nginx configuration that proxies to the realtime server."""

from __future__ import annotations

import re
from pathlib import Path

_TEMPLATE = Path(__file__).parent / "templates" / "nginx.conf"
#: Allowed values in the template: nothing that could end a directive or begin another.
_PLAIN = re.compile(r"[\w./:\[\]$-]+")


def get_location(upstream: str, site: str = "$host") -> str:
    """The location block for a ``server`` block of nginx.

    :param upstream: ``127.0.0.1:9000``, or ``unix:`` and the path of ``socketio_uds``
    :param site: name of the site of this server block; ``$host``: the request's host
        names the site

    Raises ValueError for a value that nginx cannot read as one word.
    """
    text = _TEMPLATE.read_text(encoding="utf-8")
    for place, value in (("@UPSTREAM@", upstream), ("@SITE@", site)):
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{value!r} cannot be written into an nginx configuration")
        text = text.replace(place, value)
    return text
