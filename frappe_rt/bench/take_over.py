"""Make Frappe publish through frappe_rt, without editing Frappe: `take_over` and `release`.

In every version of Frappe, all publishing ends in one function, also after a commit:
``frappe.realtime.emit_via_redis(event, message, room)``. Apps import it by name, perhaps before
this module, and some replace it by a wrapper. So the function object stays and its code is
replaced: whoever has imported the function then calls ours, and wrappers keep working.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import chain
from types import FunctionType, ModuleType
from typing import Any

from frappe_rt.publishing.deliver import deliver

_MODULE, _NAME = "frappe.realtime", "emit_via_redis"
_PARAMETERS = ("event", "message", "room")
_STARRED = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS of inspect, which is heavy

_lock = allocate_lock()
_current: TakeOver | None = None


class TakeOver:
    """Frappe's function with our code in it. As a context manager it restores Frappe's at the
    end."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._before = function.__code__, function.__kwdefaults__
        # `undo` uses the reverse order, so that a concurrent call never runs the new code without
        # its default.
        function.__kwdefaults__ = {"send": deliver}
        function.__code__ = _emit.__code__

    def undo(self) -> bool:
        """Restore Frappe's own code. False if that is done already."""
        global _current
        with _lock:
            if _current is not self:
                return False
            _current = None
            code, keyword_defaults = self._before
            self._function.__code__ = code
            self._function.__kwdefaults__ = keyword_defaults
            return True

    def __enter__(self) -> TakeOver:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


def take_over() -> TakeOver:
    """Make Frappe's functions in this process publish through frappe_rt.

    Imports ``frappe.realtime``. A second call changes nothing and returns the same object. A forked
    child stays taken over.

    Raises ImportError without Frappe, RuntimeError if its function is not as expected; then nothing
    has been changed.
    """
    global _current
    if _current is not None:
        return _current
    function = _find()  # not under the lock: importing Frappe may import a module that calls this
    with _lock:
        if _current is None:
            _check(function)
            _current = TakeOver(function)
        return _current


def release() -> bool:
    """Undo `take_over`. False when nothing was taken over."""
    current = _current
    return current is not None and current.undo()


def _emit(event: str, message: Any, room: str | None, *, send: Callable[..., bool]) -> None:
    """The new code. It runs with the globals of ``frappe.realtime``, so what it needs is a
    default."""
    send(event, message, room)


def _find() -> FunctionType:
    """Frappe's own function, even if an app has replaced it."""
    try:
        realtime = import_module(_MODULE)
    except ImportError as error:
        raise ImportError(
            f"take_over: {error}; it needs Frappe: run it by the Python of a bench (env/bin/python)"
        ) from error
    in_place = getattr(realtime, _NAME, None)
    for held in chain(_get_held(in_place), _get_all_globals()):
        if _is_frappes(held, realtime):
            return held  # type: ignore[no-any-return]
    raise RuntimeError(
        f"take_over: {_MODULE}.{_NAME} is {in_place!r} of {getattr(in_place, '__module__', None)}, "
        "and Frappe's own is not to be found; call take_over() before that is put in its place"
    )


def _is_frappes(value: Any, realtime: ModuleType) -> bool:
    return (
        type(value) is FunctionType
        and value.__globals__ is vars(realtime)
        and value.__name__ == _NAME
    )


def _get_held(value: Any) -> Iterator[Any]:
    """`value`, and all functions inside a closure, a decorated function or a partial, at any
    depth."""
    seen: set[int] = set()
    left = [value]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, partial):
            left.append(value.func)
        elif isinstance(value, FunctionType):
            left += [getattr(value, "__wrapped__", None), *_get_cells(value)]


def _get_cells(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _get_all_globals() -> Iterator[Any]:
    """All values in which a module may keep the function that it has replaced."""
    for module in list(sys.modules.values()):
        yield from list(getattr(module, "__dict__", {}).values())


def _check(function: FunctionType) -> None:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    others = code.co_kwonlyargcount or code.co_flags & _STARRED or code.co_freevars
    if names != _PARAMETERS or others:
        raise RuntimeError(
            f"take_over: {_MODULE}.{_NAME} of {code.co_filename} takes ({', '.join(names)}"
            f"{', and more' if others else ''}), frappe_rt knows ({', '.join(_PARAMETERS)}); "
            "is there a newer frappe_rt for this Frappe?"
        )


def _forget_in_child() -> None:
    """Another thread of the parent may have held the lock at the fork."""
    global _lock
    _lock = allocate_lock()


os.register_at_fork(after_in_child=_forget_in_child)
