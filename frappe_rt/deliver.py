"""Where a publish goes: to the server thread of this process, else to Redis.

Nothing here raises into the caller. What could not be sent is counted (`get_counters`) and told in
the log ``frappe_rt``, at most one line per kind of trouble in `QUIET_SECONDS`.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic
from typing import Any

from frappe_rt import _rt, config, inside, message

#: Between two log lines about the same trouble.
QUIET_SECONDS = 30.0

_counters = {
    "to_thread": 0,
    "to_redis": 0,
    "lost_inbox_full": 0,
    "lost_redis_away": 0,
    "lost_no_redis": 0,
    "lost_no_site": 0,
    "lost_bad_config": 0,
    "lost_bad_message": 0,
}
_told: dict[str, float] = {}
_lock = allocate_lock()


def deliver(event: str, content: Any, room: str | None, site: str | None = None) -> bool:
    """Send `event` with the one argument `content` to `room` (None: everybody) of `site`.

    Without `site`: Frappe's current site, else the one given to `start`, else ``default_site``.
    Returns whether it was handed over; never raises.
    """
    try:
        site = site or inside.get_site() or config.given.site
        if not site:
            effective = _get_config()
            if effective is None:
                return False
            site = effective["default_site"]
        if not site:
            return lose("lost_no_site", "event %r: no site known; give site=", event)
        encoded = message.encode(content)
        if _rt.publish(site, room or "", event, encoded):
            _count("to_thread")
            return True
        if _rt.running():
            return lose("lost_inbox_full", "event %r: the server does not keep up", event)
        return _deliver_by_redis(event, encoded, room, site)
    except Exception as error:
        return lose("lost_bad_message", "event %r for room %r: %s", event, room, error)


def get_counters() -> dict[str, int]:
    """Events of this process since it started, by where they went or why they were lost."""
    with _lock:
        return dict(_counters)


def lose(counter: str, text: str, *values: Any) -> bool:
    """Count an event that is lost and, if nothing was said about its kind lately, say so. False."""
    _count(counter)
    now = monotonic()
    with _lock:
        if now < _told.get(counter, now):
            return False
        _told[counter] = now + QUIET_SECONDS
        lost = _counters[counter]
    from logging import getLogger  # not before it is needed: it is half of our import time

    getLogger("frappe_rt").warning(f"not published, {text} (%d lost so far)", *values, lost)
    return False


def _deliver_by_redis(event: str, encoded: bytes, room: str | None, site: str) -> bool:
    effective = _get_config()
    if effective is None:
        return False
    if not effective["frappe_rt_redis"]:
        return lose("lost_no_redis", "event %r: no server here and frappe_rt_redis is off", event)
    url = inside.get_redis_url() or effective["redis_queue"]
    try:
        _rt.redis_publish(url, message.encode_envelope(event, encoded, room, site))
    except OSError as error:
        return lose("lost_redis_away", "event %r: %s", event, error)
    _count("to_redis")
    return True


def _get_config() -> config.Config | None:
    try:
        return config.get_effective()
    except ValueError as error:
        lose("lost_bad_config", "%s", error)
        return None


def _count(counter: str) -> None:
    with _lock:
        _counters[counter] += 1


def _forget_in_child() -> None:
    """A forked child counts for itself, and must not inherit a lock some other thread held."""
    global _lock
    _lock = allocate_lock()
    _told.clear()
    for counter in _counters:
        _counters[counter] = 0


os.register_at_fork(after_in_child=_forget_in_child)
