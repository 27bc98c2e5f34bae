"""Stand-ins: the extension module, and what a publish sees of Frappe."""

import json
from types import ModuleType, SimpleNamespace


class FakeRt:
    """Records what would leave the process, and fails on request."""

    def __init__(self):
        self.here = True  # a server thread runs in this process
        self.full = False  # ... and its inbox is full
        self.lost_by_server = 0  # ... and was stuck at its stop
        self.local_error = None
        self.local_socket = None  # its path
        self.redis_error = None
        self.config_error = None
        self.values = {
            "default_site": "",
            "frappe_rt_publish": "auto",
            "frappe_rt_redis": True,
            "redis_queue": "redis://127.0.0.1:11000",
        }
        self.loads = 0
        self.published = []  # (site, room, event, message)
        self.local = []  # (path, site, room, event, message)
        self.envelopes = []  # (url, envelope)

    def running(self):
        return self.here

    def lost(self):
        return self.lost_by_server

    def publish(self, site, room, event, message):
        for text in (site, room, event):
            if not isinstance(text, str):
                raise TypeError(f"str expected, not {type(text).__name__}")
            text.encode()
        if not self.here:
            return None
        if self.full:
            return False
        self.published.append((site, room, event, json.loads(message)))
        return True

    def local_publish(self, path, site, room, event, message):
        if isinstance(self.local_error, Exception):
            raise self.local_error
        if self.local_error:
            return self.local_error
        self.local.append((path, site, room, event, json.loads(message)))
        return None

    def redis_publish(self, url, site, room, event, message):
        if self.redis_error:
            raise self.redis_error
        envelope = {"event": event, "message": json.loads(message), "namespace": site}
        self.envelopes.append((url, envelope | {"room": room or None}))

    def load_config(self, bench, overrides):
        self.loads += 1
        if self.config_error:
            raise self.config_error
        values = self.values | json.loads(overrides or "{}")
        found = {"values": values, "sources": {}}
        if self.local_socket:
            return json.dumps(found | {"local_socket": self.local_socket})
        return json.dumps(found | {"no_local_socket": "no bench was found"})


class Hooks:
    """Of a transaction: like Frappe's, each function runs once and in order."""

    def __init__(self):
        self.functions = []

    def add(self, function):
        self.functions.append(function)

    def run(self):
        functions, self.functions = self.functions, []
        for function in functions:
            function()


#: The generations of Frappe in use; docs/frappe.md has what sets them apart.
GENERATIONS = ("v15", "v16", "develop")


def make_frappe(generation="v15"):
    """The modules that a publish may look at: ``frappe`` and ``frappe.realtime``, by full name."""
    frappe = ModuleType("frappe")
    frappe.local = SimpleNamespace(site="one.localhost", conf={})
    frappe.session = SimpleNamespace(user="ada@example.com")
    frappe.db = SimpleNamespace(after_commit=Hooks(), after_rollback=Hooks())
    frappe.sent = []  # what left by Frappe's own Redis: (site, room, event, message)
    realtime = frappe.realtime = ModuleType("frappe.realtime")
    realtime.frappe = frappe
    if generation == "develop":
        realtime.__path__ = []  # a package, which finds what handlers need when it is asked for
        realtime.__getattr__ = lambda name: _find_in_develop(name)
    else:
        frappe.local.task_id = None
    exec(REALTIME, vars(realtime))
    frappe.publish_realtime = lambda *args, **named: frappe.realtime.publish_realtime(
        *args, **named
    )
    return {"frappe": frappe, "frappe.realtime": realtime}


def _find_in_develop(name):
    if name in ("realtime", "Socket"):
        return object()
    raise AttributeError(name)


#: As much of the module as its callers can tell from the original: who looks up what, and when.
REALTIME = """
def publish_realtime(event=None, message=None, room=None, user=None, after_commit=False):
    room = room or (f"user:{user}" if user else "all")
    if not after_commit:
        return emit_via_redis(event, message, room)
    if not hasattr(frappe.local, "_realtime_log"):
        frappe.local._realtime_log = []
        frappe.db.after_commit.add(flush_realtime_log)
        frappe.db.after_rollback.add(clear_realtime_log)
    if [event, message, room] not in frappe.local._realtime_log:
        frappe.local._realtime_log.append([event, message, room])

def flush_realtime_log():
    for entry in frappe.local._realtime_log:
        frappe.realtime.emit_via_redis(*entry)
    clear_realtime_log()

def clear_realtime_log():
    if hasattr(frappe.local, "_realtime_log"):
        del frappe.local._realtime_log

def emit_via_redis(event, message, room):
    frappe.sent.append((frappe.local.site, room, event, message))
"""


class Unbound:
    """A werkzeug proxy outside a request: any look at it raises."""

    def __getattr__(self, name):
        raise RuntimeError("object is not bound")

    def __bool__(self):
        return False
