"""Which function takes which event: `realtime`, and its decorator `on`.

The same interface as the registry in Frappe's develop branch (since June 2026), so that a handler
file runs with both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

#: Owner of handlers registered outside an app's import; they run for every site.
CORE_APP = "frappe"

Function = TypeVar("Function", bound=Callable[..., Any])


class Handler(NamedTuple):
    """One function for one event."""

    event: str
    fn: Callable[..., Any]
    frappe_context: bool
    allow_guest: bool
    #: It runs for the sites where this app is installed.
    app: str
    #: Whether it runs on the event loop, with the awaited `Socket`.
    is_async: bool


class Registry:
    """Handlers by event, in the order in which they were registered."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._app = CORE_APP
        #: Called with an event that gets its first handler while the host runs.
        self.on_new_event: Callable[[str], None] | None = None

    def on(
        self, event: str, *, frappe_context: bool = False, allow_guest: bool = False
    ) -> Callable[[Function], Function]:
        """Register a function for `event`; it is returned unchanged.

        :param frappe_context: run it inside ``frappe.init`` and ``connect`` as the socket's user,
            and commit; for plain functions only
        :param allow_guest: run it for Guest, too

        Raises TypeError for an ``async def`` with `frappe_context`, which needs a thread.
        """
        if callable(event):
            name = getattr(event, "__name__", "event")
            raise TypeError(f'@realtime.on needs the name of the event: @realtime.on("{name}")')
        if not isinstance(event, str):
            raise TypeError(f"@realtime.on: the name of the event is a str, not {event!r}")

        def register(fn: Function) -> Function:
            is_async = is_async_callable(fn)
            if frappe_context and is_async:
                raise TypeError(
                    f"{getattr(fn, '__name__', fn)!r}: frappe_context needs a thread of its own, "
                    "so the handler must be a plain function, not 'async def'"
                )
            handler = Handler(event, fn, frappe_context, allow_guest, self._app, is_async)
            is_new = event not in self._handlers
            self._handlers.setdefault(event, []).append(handler)
            if is_new and self.on_new_event:
                self.on_new_event(event)
            return fn

        return register

    @contextmanager
    def importing_app(self, app: str) -> Iterator[None]:
        """Handlers registered inside belong to `app`. If the block raises, they are removed."""
        before, self._app = self._app, app
        known = {event: len(handlers) for event, handlers in self._handlers.items()}
        try:
            yield
        except BaseException:
            for event, handlers in list(self._handlers.items()):
                del handlers[known.get(event, 0) :]
                if not handlers:
                    del self._handlers[event]
            raise
        finally:
            self._app = before

    def handlers_for(self, event: str) -> list[Handler]:
        """The handlers of one event; not a copy."""
        return self._handlers.get(event, [])

    def events(self) -> list[str]:
        """All events with a handler."""
        return list(self._handlers)


def is_async_callable(fn: Callable[..., Any]) -> bool:
    """Whether a call returns a coroutine: ``async def``, or an object whose ``__call__`` is one."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(
        getattr(fn, "__call__", None)  # noqa: B004, the method itself is asked about
    )


#: The one of this process.
realtime = Registry()
