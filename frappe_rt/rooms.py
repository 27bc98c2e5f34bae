"""Names of rooms, as Frappe gives them in all its generations.

The server puts every socket of a site into ``website`` and ``user:<user>``, system users into
``all``; the others are joined by what a page has open. Names hold no site: the namespace is it.
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
    """Who has a list or a form of this doctype open."""
    return f"doctype:{doctype}"


def get_doc_room(doctype: str, docname: str | int | None) -> str:
    """Who has this document open. A document named by a number has its decimal text in the name."""
    return f"doc:{doctype}/{'' if docname is None else docname}"


def get_task_progress_room(task_id: str) -> str:
    """Who watches this background job."""
    return f"task_progress:{task_id}"
