import pytest

import frappe_rt


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (frappe_rt.get_website_room(), "website"),
        (frappe_rt.get_site_room(), "all"),
        (frappe_rt.get_user_room("ada@example.com"), "user:ada@example.com"),
        (frappe_rt.get_doctype_room("Sales Order"), "doctype:Sales Order"),
        (frappe_rt.get_doc_room("Sales Order", "SO-1/a"), "doc:Sales Order/SO-1/a"),
        (frappe_rt.get_doc_room("Log", 17), "doc:Log/17"),
        (frappe_rt.get_doc_room("Log", None), "doc:Log/"),
        (frappe_rt.get_task_progress_room("b5"), "task_progress:b5"),
    ],
)
def test_rooms_have_frappes_names(room, name):
    assert room == name
