"""Stand-ins: the extension module, and what a publish sees of Frappe."""

import json
from types import ModuleType, SimpleNamespace


class FakeRt:
    """Records what would leave the process, and fails on request."""

    def __init__(self):
        self.here = True  # a server thread runs in this process
        self.full = False  # ... and its inbox is full
        self.redis_error = None
        self.config_error = None
        self.values = {
            "default_site": "",
            "frappe_rt_redis": True,
            "redis_queue": "redis://127.0.0.1:11000",
        }
        self.loads = 0
        self.published = []  # (site, room, event, message)
        self.envelopes = []  # (url, envelope)

    def running(self):
        return self.here

    def publish(self, site, room, event, message):
        for text in (site, room, event):
            if not isinstance(text, str):
                raise TypeError(f"str expected, not {type(text).__name__}")
            text.encode()
        if not self.here or self.full:
            return False
        self.published.append((site, room, event, json.loads(message)))
        return True

    def redis_publish(self, url, envelope):
        if self.redis_error:
            raise self.redis_error
        self.envelopes.append((url, json.loads(envelope)))

    def load_config(self, bench, overrides):
        self.loads += 1
        if self.config_error:
            raise self.config_error
        values = self.values | json.loads(overrides or "{}")
        return json.dumps({"values": values, "sources": {}})


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


def make_frappe():
    """A module with what the contract says a publish may look at."""
    frappe = ModuleType("frappe")
    frappe.local = SimpleNamespace(site="one.localhost", conf={}, task_id=None)
    frappe.session = SimpleNamespace(user="ada@example.com")
    frappe.db = SimpleNamespace(after_commit=Hooks(), after_rollback=Hooks())
    return frappe


class Unbound:
    """A werkzeug proxy outside a request: any look at it raises."""

    def __getattr__(self, name):
        raise RuntimeError("object is not bound")

    def __bool__(self):
        return False
