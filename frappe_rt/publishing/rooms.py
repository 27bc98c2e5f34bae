"""The names of rooms, the same in all Frappe generations.

The server puts every socket of a site into ``website`` and ``user:<user>``, and those of system
users into ``all``. A page joins the other rooms by what it has open. Names do not contain the site:
each site has a namespace of its own.
"""

from __future__ import annotations


def get_website_room() -> str:
    """Everybody on the site, guests too."""
    return "website"


def get_site_room() -> str:
    """All system users of the site: the people who work in Desk."""
    return "all"


def get_user_room(user: str) -> str:
    """All tabs of one user; guests share one room."""
    return f"user:{user}"


def get_doctype_room(doctype: str) -> str:
    """Everybody who has a list or a form of this doctype open."""
    return f"doctype:{doctype}"


def get_doc_room(doctype: str, docname: str | int | None) -> str:
    """Everybody who has this document open. A numeric `docname` is written in decimal."""
    return f"doc:{doctype}/{'' if docname is None else docname}"


def get_task_progress_room(task_id: str) -> str:
    """The watchers of this background job."""
    return f"task_progress:{task_id}"
