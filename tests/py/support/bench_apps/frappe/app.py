"""A WSGI application in Frappe's place: who a session is, and requests that publish."""

import json
import os
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

import frappe
import frappe_rt
from frappe_rt.publishing import deliver

INFO = "/api/method/frappe.realtime.get_user_info"


def application(environ, start_response):
    frappe.local.site = environ.get("HTTP_X_FRAPPE_SITE_NAME", "one.localhost")
    path = environ["PATH_INFO"]
    query = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    answer = get_user_info(environ) if path == INFO else PAGES[path](query)
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def get_user_info(environ):
    """Everybody is somebody: session `ada` is ada@example.com."""
    sid = SimpleCookie(environ.get("HTTP_COOKIE", ""))["sid"].value
    return {"message": {"user": f"{sid}@example.com", "user_type": "System User"}}


def publish(query):
    """Events `first` to `last`: by Frappe's function, in turn with ours."""
    for n in range(int(query["first"]), int(query["last"]) + 1):
        function = (frappe.publish_realtime, frappe_rt.publish_realtime)[n % 2]
        function("n", n, user="ada@example.com")
    return get_state(query)


def fork(query):
    """The same, each by a child of its own that ends as a work-horse of rq does."""
    children = []
    for n in range(int(query["first"]), int(query["last"]) + 1):
        child = os.fork()
        if child == 0:
            frappe_rt.publish_realtime("n", n, user="ada@example.com")
            os._exit(0)
        children.append(child)
    assert not any(os.waitpid(child, 0)[1] for child in children)
    return get_state(query)


def get_state(_):
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "running": frappe_rt.running(),
        "counters": {name: count for name, count in deliver.get_counters().items() if count},
        "sent_by_frappe": len(frappe.sent),
        "pinned": getattr(application, "site", None),
        "root": os.environ.get("FRAPPE_BENCH_ROOT"),
    }


PAGES = {"/publish": publish, "/fork": fork, "/state": get_state}


def serve(port, no_reload, site):
    """What `bench serve` does, with Frappe's arguments."""
    from werkzeug.serving import run_simple

    application.site = site
    run_simple(
        "127.0.0.1",
        port,
        application,
        exclude_patterns=["test_*"],
        use_reloader=not no_reload,
        threaded=True,
    )
