"""The demo's web process. Its page is tested in a browser (tests/client/demo.test.mjs)."""

import http.client
import json
import threading

import pytest
from support.bench import PATIENCE

import frappe_rt
from frappe_rt.demo import site
from frappe_rt.demo.web import Web


@pytest.fixture(scope="module")
def web():
    server = Web(("127.0.0.1", 0))
    server.socketio_port = 1234
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(web):
    connection = http.client.HTTPConnection("127.0.0.1", web.server_port, timeout=PATIENCE)

    def ask(method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    yield ask
    connection.close()


@pytest.fixture
def log_in(ask):
    def log_in(user):
        status, _, headers = ask("POST", "/login", f"user={user}")
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
        return cookie.split(";")[0]

    return log_in


def ask_realtime(ask, method, cookie, site_name=site.NAME, **query):
    text = "&".join(f"{key}={value}" for key, value in query.items())
    path = f"/api/method/frappe.realtime.{method}?{text}"
    status, body, _ = ask("GET", path, Cookie=cookie, X_Frappe_Site_Name=site_name)
    return status, json.loads(body).get("message")


@pytest.mark.parametrize("path", ["/", "/demo.css", "/demo.js", "/realtime.js"])
def test_page(ask, path):
    status, body, headers = ask("GET", path)
    assert status == 200
    assert body
    assert b"//cdn" not in body
    assert "charset=utf-8" in headers["Content-Type"]


@pytest.mark.parametrize("path", ["/no", "/../web.py", "/demo/no", "/demo.js/"])
def test_nothing_else(ask, path):
    assert ask("GET", path)[0] == 404


def test_boot_knows_who_is_logged_in(ask, log_in):
    boot = json.loads(ask("GET", "/demo/boot")[1])
    assert (boot["user"], boot["port"], boot["site"]) == (None, 1234, site.NAME)
    cookie = log_in("ada@example.com")
    boot = json.loads(ask("GET", "/demo/boot", Cookie=f"theme=dark; {cookie}")[1])
    assert boot["user"] == "ada@example.com"


def test_unknown_user_cannot_log_in(ask):
    assert ask("POST", "/login", "user=nobody")[0] == 401
    assert ask("POST", "/login", "")[0] == 401
    assert ask("GET", "/?as=nobody")[0] == 401


def test_answers_to_the_realtime_server(ask, log_in):
    ada, guest = log_in("ada@example.com"), log_in("Guest")
    status, info = ask_realtime(ask, "get_user_info", ada)
    assert (status, info) == (
        200,
        {"user": "ada@example.com", "user_type": "System User", "installed_apps": ["frappe"]},
    )
    assert ask_realtime(ask, "get_user_info", guest)[1]["user_type"] == "Website User"
    assert ask_realtime(ask, "has_permission", ada, doctype="ToDo", name="T") == (200, True)
    assert ask_realtime(ask, "can_subscribe_doc", ada, doctype="ToDo", docname="T") == (200, True)


@pytest.mark.parametrize(
    ("method", "cookie", "name", "query"),
    [
        ("get_user_info", "sid=unknown", site.NAME, {}),
        ("get_user_info", "", site.NAME, {}),
        ("get_user_info", "sid=Guest", "other.localhost", {}),
        ("has_permission", "sid=Guest", site.NAME, {"doctype": "ToDo"}),
        ("no_such_method", "sid=Guest", site.NAME, {}),
    ],
)
def test_refusals(ask, method, cookie, name, query):
    assert ask_realtime(ask, method, cookie, name, **query)[0] == 403


@pytest.mark.parametrize(
    ("action", "room", "event"),
    [
        ("me", "user:ada@example.com", "note"),
        ("everybody", "all", "note"),
        ("website", "website", "note"),
        ("document", "doc:ToDo/TODO-0001", "note"),
        ("list", "doctype:ToDo", "list_update"),
        ("msgprint", "user:ada@example.com", "msgprint"),
    ],
)
def test_buttons_publish(ask, log_in, rt, action, room, event):
    assert ask("POST", f"/demo/publish/{action}", Cookie=log_in("ada@example.com"))[0] == 200
    assert [published[:3] for published in rt.published] == [(site.NAME, room, event)]


def test_every_button_is_tested():
    tested = next(mark for mark in test_buttons_publish.pytestmark if mark.name == "parametrize")
    assert {case[0] for case in tested.args[1]} | {"progress"} == set(site.ACTIONS)


def test_job_goes_from_0_to_100(ask, log_in, rt, monkeypatch):
    monkeypatch.setattr(site, "JOB_SECONDS", 0.1)
    ask("POST", "/demo/publish/progress", Cookie=log_in("ada@example.com"))
    for thread in threading.enumerate():
        if thread.name == "demo job":
            thread.join(PATIENCE)
    percents = [message["percent"] for *_, message in rt.published]
    assert percents == [step * 2 for step in range(51)]
    assert {room for _, room, *_ in rt.published} == {"user:ada@example.com"}


def test_buttons_need_a_login_and_exist(ask, log_in, rt):
    assert ask("POST", "/demo/publish/me")[0] == 403
    assert ask("POST", "/demo/publish/no", Cookie=log_in("ada@example.com"))[0] == 404
    assert rt.published == []


@pytest.mark.parametrize("length", ["10001", "-1", "x"])
def test_bodies_have_a_limit(ask, length):
    assert ask("POST", "/login", Content_Length=length)[0] == 413


def test_figures(ask):
    with frappe_rt.start("", site.NAME, socketio_port=0, frappe_rt_redis=False):
        figures = json.loads(ask("GET", "/demo/stats")[1])
    shown = {name: figures[name] for name in ("connections", "rooms", "deliveries")}
    assert shown == {"connections": 0, "rooms": 0, "deliveries": 0}
