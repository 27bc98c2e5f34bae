"""`publish_realtime` and `publish_progress` with Frappe's rules: event, room, ``after_commit``.

A call means the same as with Frappe's own functions, in every version of Frappe
(docs/publishing.md). One difference: no error reaches the caller, except what a signal handler
raises during the call. Frappe publishes in the middle of saves and imports, and these must not fail
because a browser is not told. The short forms of Frappe's develop branch (`publish_to_user` and so
on) are in publish_to.py.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from frappe_rt.publishing import frappe_local, rooms
from frappe_rt.publishing.deliver import deliver, get_counters, is_of_signal, lose


def publish_realtime(
    event: str | None = None,
    message: Any = None,
    room: str | None = None,
    user: str | None = None,
    doctype: str | None = None,
    docname: str | int | None = None,
    task_id: str | None = None,
    after_commit: bool = False,
    *,
    data: Any = None,
    site: str | None = None,
) -> None:
    """Send an event to browsers.

    :param event: name of the event; default ``task_progress`` inside a task, else ``global``
    :param message: its one argument, anything Frappe can serialise; None becomes ``{}``
    :param data: another name for `message`, used in Frappe's documentation
    :param room: exactly this room. Without it, the first of these that is given decides:
    :param task_id: the watchers of this task (default: the task this code runs in). Sent at once,
        whatever `after_commit` says
    :param user: all tabs of this user
    :param doctype: with `docname`: everybody who has that document open
    :param docname: a name, or a number for autoincrement documents
    :param after_commit: send when the current transaction is committed, once per event, message and
        room; a rollback drops it. Without a transaction: send at once
    :param site: default: Frappe's current site, else the one given to `start`

    Without any of these it goes to room ``all``: the system users of the site. ``msgprint`` goes to
    the logged-in user, ``list_update`` always to its doctype, ``docinfo_update`` to its document.
    """
    try:
        if message is None:
            message = {} if data is None else data
        task_id = task_id or frappe_local.get_task_id()
        if event is None:
            event = "task_progress" if task_id else "global"
        elif event == "msgprint":
            user = user or frappe_local.get_session_user()
        elif event == "list_update":
            room = rooms.get_doctype_room(doctype or _get_doctype(message) or "")
        elif event == "docinfo_update":
            room = rooms.get_doc_room(doctype or "", docname)
        if not room and task_id:
            room, after_commit = rooms.get_task_progress_room(task_id), False
            if isinstance(message, MutableMapping):
                message.setdefault("task_id", task_id)
        if not room:
            room = _get_room(user, doctype, docname)
        if not (after_commit and _defer(event, message, room, site)):
            deliver(event, message, room, site)
    except Exception as error:  # Frappe's objects may raise anything from an attribute or "=="
        if is_of_signal(error):
            raise
        lose("lost_bad_message", "event %r: %s: %s", event, type(error).__name__, error)


def publish_progress(
    percent: float,
    title: str | None = None,
    doctype: str | None = None,
    docname: str | int | None = None,
    description: str | None = None,
    task_id: str | None = None,
    *,
    user: str | None = None,
    site: str | None = None,
) -> None:
    """Show progress in Desk's progress dialog (100 closes it).

    Goes to the watchers of the task. Without a task: with `doctype` and `docname` to everybody who
    has that document open, else to `user` (default: the logged-in user).
    """
    to_document = doctype and docname
    publish_realtime(
        "progress",
        {"percent": percent, "title": title, "description": description},
        user=None if to_document else user or frappe_local.get_session_user(),
        doctype=doctype,
        docname=docname,
        task_id=task_id,
        site=site,
    )


def publish_stats() -> dict[str, int]:
    """Count the events of this process: ``to_...`` sent, by way; ``lost_...`` lost, by cause.

    The log ``frappe_rt`` has a line about each kind of loss, at most one in 30 seconds.
    """
    return get_counters()


def _get_doctype(message: Any) -> str | None:
    """The doctype of a ``list_update`` that only its message names."""
    if isinstance(message, (dict, Mapping)):  # dict first: asking the abstract class is slow
        doctype: str | None = message.get("doctype")
        return doctype
    return None


def _get_room(user: str | None, doctype: str | None, docname: str | int | None) -> str:
    if user:
        return rooms.get_user_room(user)
    if doctype and docname:
        return rooms.get_doc_room(doctype, docname)
    return rooms.get_site_room()


def _defer(event: str, message: Any, room: str, site: str | None) -> bool:
    """Keep the event until the transaction is committed. False: there is no transaction.

    The list has the name and shape of Frappe's own: Frappe may flush our entries, and we Frappe's.
    """
    local, database = frappe_local.get_local(), frappe_local.get_database()
    if local is None or database is None or (site and site != frappe_local.get_site()):
        return False
    log = getattr(local, "_realtime_log", None)
    if log is None:
        # Create the list last. Without its hooks, it would collect events that nobody sends.
        database.after_rollback.add(clear_realtime_log)
        database.after_commit.add(flush_realtime_log)
        log = local._realtime_log = _Log()
    entry = [event, message, room]
    if isinstance(log, _Log):
        log.add(entry)
    elif not _holds(log, entry):
        log.append(entry)
    return True


def _holds(log: list[Any], entry: list[Any]) -> bool:
    """Whether an equal entry waits. Values that cannot be compared (arrays) count as different."""
    try:
        return entry in log
    except Exception:
        return False


class _Log(list[Any]):
    """A list, as Frappe's functions expect it, and a set of keys to find equal entries quickly.

    Comparing each of 10,000 events of one transaction with all others would take seconds.
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[Any] = set()

    def add(self, entry: list[Any]) -> None:
        """Append `entry` unless an equal one waits.

        A message may have changed since it was added. So a known key is not enough: the entries are
        compared. An entry with a new key may go out twice; that does no harm.
        """
        key = _make_key(entry)
        looks_new = key is not None and key not in self._keys and len(self) == len(self._keys)
        if not looks_new and _holds(self, entry):
            return
        self.append(entry)
        self._keys.add(len(self) if key is None else key)


def _make_key(entry: list[Any]) -> Any:
    """A key that equal entries share, or None: only a comparison can tell."""
    event, message, room = entry
    if type(message) is dict:
        values: Any = message.items()
    elif type(message) is str:
        values = (message,)
    else:
        return None
    try:
        return event, room, frozenset(values)
    except Exception:  # a value has no hash, or its __hash__ raises
        return None


def flush_realtime_log() -> None:
    """After a commit: deliver what waited. Messages are encoded now, with their present values."""
    local = frappe_local.get_local()
    waiting = list(getattr(local, "_realtime_log", None) or ())
    clear_realtime_log()
    rest = iter(waiting)
    try:
        for event, message, room in rest:
            deliver(event, message, room)
    finally:  # a signal handler has raised in one of them; send the rest, they are committed too
        for event, message, room in rest:
            deliver(event, message, room)


def clear_realtime_log() -> None:
    """After a rollback: forget what waited."""
    local = frappe_local.get_local()
    if getattr(local, "_realtime_log", None) is not None:
        del local._realtime_log
