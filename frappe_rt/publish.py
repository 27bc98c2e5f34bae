"""`publish_realtime` and `publish_progress` with Frappe's rules: event, room, ``after_commit``.

The same in every Frappe generation (docs/publishing.md): a call that worked with Frappe's own
functions means the same here. One difference: nothing raises into the caller, but for what the
handler of a signal raises meanwhile. Frappe's code calls these in the middle of saves and imports,
and a browser that is not told is no reason to lose one.
The short forms of Frappe's 2026 generation (`publish_to_user` and so on) are in publish_to.py.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from frappe_rt import inside, rooms
from frappe_rt.deliver import deliver, get_counters, is_of_signal, lose


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
    :param data: `message` by the name that Frappe's documentation gives it
    :param room: to exactly this room, else the first that is known of:
    :param task_id: who watches this task (default: the task this code runs in); at once, whatever
        `after_commit` says
    :param user: all tabs of this user
    :param doctype: with `docname`: who has that document open
    :param docname: a name, or a number for autoincrement documents
    :param after_commit: wait for the end of the current transaction, once per event, message and
        room; a rollback drops it. Without a transaction: at once
    :param site: default Frappe's current site, else the one given to `start`

    With no addressee at all it goes to ``all``: the system users of the site. ``msgprint`` goes to
    who is logged in, ``list_update`` always to its doctype and ``docinfo_update`` to its document.
    """
    try:
        if message is None:
            message = {} if data is None else data
        task_id = task_id or inside.get_task_id()
        if event is None:
            event = "task_progress" if task_id else "global"
        elif event == "msgprint":
            user = user or inside.get_session_user()
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
    """Show how far something is, in Desk's progress dialog (100 closes it).

    Goes to who watches the task, else to who has the document open when both `doctype` and
    `docname` are given, else to `user` (default: who is logged in).
    """
    to_document = doctype and docname
    publish_realtime(
        "progress",
        {"percent": percent, "title": title, "description": description},
        user=None if to_document else user or inside.get_session_user(),
        doctype=doctype,
        docname=docname,
        task_id=task_id,
        site=site,
    )


def publish_stats() -> dict[str, int]:
    """Events of this process since it started: ``to_...`` by where they went, ``lost_...`` by why.

    Each kind of loss is also told in the log ``frappe_rt``, at most once in half a minute.
    """
    return get_counters()


def _get_doctype(message: Any) -> str | None:
    """What a ``list_update`` is about, when only its message says so."""
    if isinstance(message, (dict, Mapping)):  # an abstract class alone is slow to ask
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
    """Put the event off until the transaction is committed. False: there is none to wait for.

    The log has Frappe's name and shape: its own functions may flush what we wrote, and we theirs.
    """
    local, database = inside.get_local(), inside.get_database()
    if local is None or database is None or (site and site != inside.get_site()):
        return False
    log = getattr(local, "_realtime_log", None)
    if log is None:
        # The list comes last: one without hooks would take in what nobody ever sends.
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
    """Whether an equal one waits. What cannot be compared (arrays, lazy translations) differs."""
    try:
        return entry in log
    except Exception:
        return False


class _Log(list[Any]):
    """A list, as Frappe's functions expect it. Ten thousand events of one transaction would take
    seconds if each were looked for among the others: what was added is kept by its value, too.
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[Any] = set()

    def add(self, entry: list[Any]) -> None:
        """Appends `entry` unless an equal one waits.

        A message may have changed since it was added: an event that looks known is looked for
        among those that wait; one that looks new may go out twice, which does no harm.
        """
        key = _make_key(entry)
        looks_new = key is not None and key not in self._keys and len(self) == len(self._keys)
        if not looks_new and _holds(self, entry):
            return
        self.append(entry)
        self._keys.add(len(self) if key is None else key)


def _make_key(entry: list[Any]) -> Any:
    """What equal entries have in common, or None if that cannot be told without a comparison."""
    event, message, room = entry
    if type(message) is dict:
        values: Any = message.items()
    elif type(message) is str:
        values = (message,)
    else:
        return None
    try:
        return event, room, frozenset(values)
    except Exception:  # a value has no hash, or one that fails
        return None


def flush_realtime_log() -> None:
    """After a commit: deliver what waited. Messages are read now, as they have become."""
    local = inside.get_local()
    waiting = list(getattr(local, "_realtime_log", None) or ())
    clear_realtime_log()
    rest = iter(waiting)
    try:
        for event, message, room in rest:
            deliver(event, message, room)
    finally:  # a signal's handler has raised in one of them: what is committed is told all the same
        for event, message, room in rest:
            deliver(event, message, room)


def clear_realtime_log() -> None:
    """After a rollback: forget what waited."""
    local = inside.get_local()
    if getattr(local, "_realtime_log", None) is not None:
        del local._realtime_log
