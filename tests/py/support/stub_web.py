"""A web process for tests: answers the realtime server's questions, in the mood it is told."""

import json
import socket
import threading
import time
from contextlib import suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

API = "/api/method/frappe.realtime."
#: Session id -> user and user type.
SESSIONS = {
    "ada": ("ada@example.com", "System User"),
    "grace": ("grace@example.com", "System User"),
    "customer": ("customer@example.com", "Website User"),
    "Guest": ("Guest", "Website User"),
}
#: Authorization header -> session id.
TOKENS = {"token key:secret": "ada"}
#: Nobody may see this doctype.
SECRET_DOCTYPE = "Secret"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.stub.connections.add(self.connection)

    def finish(self):
        self.server.stub.connections.discard(self.connection)
        super().finish()

    def do_GET(self):
        stub = self.server.stub
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        method = url.path.removeprefix(API)
        stub.questions.append(
            {
                "method": method,
                "query": query,
                "headers": {k.lower(): v for k, v in self.headers.items()},
            }
        )
        if stub.mood == "slow":
            time.sleep(1)
        if stub.mood == "broken":
            return self.send(500, b"<html>Internal Server Error</html>", "text/html")
        if not url.path.startswith(API) or self.headers.get("X-Frappe-Site-Name") != stub.site:
            return self.send(404, b'{"exc_type": "DoesNotExistError"}')
        session = self.get_session()
        if session is None or stub.mood == "refusing":
            return self.send(403, b'{"exc_type": "PermissionError"}')
        answer = getattr(self, f"answer_{stub.generation}")(method, query, *session)
        if answer is None:
            return self.send(404, b'{"exc_type": "AttributeError"}')
        if answer is False:
            return self.send(403, b'{"exc_type": "PermissionError"}')
        return self.send(200, json.dumps({"message": answer}).encode())

    def get_session(self):
        sid = TOKENS.get(self.headers.get("Authorization", ""))
        if sid is None:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
            sid = cookie.value if cookie else None
        return SESSIONS.get(sid)

    def answer_v15(self, method, query, user, user_type):
        if method == "get_user_info":
            return {"user": user, "user_type": user_type}
        if method in ("can_subscribe_doctype", "can_subscribe_doc"):
            return self.may_see(query, user)
        return None

    def answer_v16(self, method, query, user, user_type):
        if method == "get_user_info":
            return {"user": user, "user_type": user_type, "installed_apps": ["frappe"]}
        if method == "has_permission" and "name" in query:
            return self.may_see(query, user)
        return None

    def may_see(self, query, user):
        return user != "Guest" and query.get("doctype") != SECRET_DOCTYPE

    def send(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class StubWeb:
    """Listens on one port of 127.0.0.1, and can go away from it and come back."""

    def __init__(self, site="one.localhost", generation="v16"):
        self.site = site
        self.generation = generation  # v15 or v16
        self.mood = "good"  # or slow, broken, refusing
        self.questions = []
        self.connections = set()
        self.port = 0
        self.server = None
        self.come()

    def come(self):
        ThreadingHTTPServer.daemon_threads = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.stub = self
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def go(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            with suppress(OSError):  # it may have gone already
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go()
