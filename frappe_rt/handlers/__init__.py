"""The realtime handlers of apps, and the host process that runs them.

>>> from frappe_rt.handlers import Socket, realtime
>>> @realtime.on("join_call")
... async def join_call(socket: Socket, call: str) -> None:
...     await socket.join(f"call:{call}")

docs/handlers-python.md is for people who write handlers; docs/handlers.md is the protocol between a
host and the server. Python hosts run `host`, JavaScript hosts run `host.js`. The process that
serves imports nothing of this package: it starts and watches hosts with `frappe_rt.hosts`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frappe_rt.handlers.registry import realtime as realtime
    from frappe_rt.handlers.sockets import Socket as Socket
    from frappe_rt.handlers.sockets import SyncSocket as SyncSocket

_MODULES = {"Socket": "sockets", "SyncSocket": "sockets", "realtime": "registry"}

__all__ = ["Socket", "SyncSocket", "realtime"]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
