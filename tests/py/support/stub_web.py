"""Web processes for tests: answer the realtime server's questions as each generation of Frappe
does, in the mood they are told."""

import json
import secrets
import socket
import threading
import time
from contextlib import suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from support.bench import PATIENCE

API = "/api/method/frappe.realtime."
#: Session id -> user and user type.
SESSIONS = {
    "ada": ("ada@example.com", "System User"),
    "grace": ("grace@example.com", "System User"),
    "customer": ("customer@example.com", "Website User"),
}
GUEST = ("Guest", None)
#: Authorization header -> session id.
TOKENS = {
    "token key:secret": "ada",
    "Basic a2V5OnNlY3JldA==": "ada",
    "Bearer good": "ada",
    "token customer:secret": "customer",
}
#: The session of a user who has been disabled since.
DISABLED = "disabled"
#: Nobody may see this doctype, guests see this one, and no document of this name is there.
SECRET_DOCTYPE = "Secret"
PUBLIC_DOCTYPE = "Blog Post"
MISSING = "missing"


class Refusal(Exception):
    """Frappe's exceptions: an HTTP status, and their name in the body."""

    def __init__(self, status, exc_type):
        super().__init__(exc_type)
        self.status = status
        self.exc_type = exc_type


class V15:
    """can_subscribe_doctype and can_subscribe_doc."""

    methods: ClassVar = {
        "can_subscribe_doctype": {"doctype"},
        "can_subscribe_doc": {"doctype", "docname"},
    }
    installed_apps = None
    wants_secret = False

    def __init__(self, stub):
        self.stub = stub

    def answer(self, method, query, headers):
        user, user_type, resumed = self.authenticate(headers)
        if method == "get_user_info":
            return self.get_user_info(user, user_type, resumed, headers)
        if method in self.methods:
            arguments = self.methods[method]
            if not arguments <= query.keys():
                raise Refusal(500, "TypeError")  # an argument is missing
            return self.may_see(user, **{name: query[name] for name in arguments})
        raise Refusal(417, "ValidationError")  # "Failed to get method for command"

    def authenticate(self, headers):
        """As Frappe: a session that is not known, or no more, is a guest's; a header that does not
        lead to a user is an error; one that is not two words is none."""
        header = headers.get("Authorization", "")
        cookie = SimpleCookie(headers.get("Cookie", "")).get("sid")
        sid = unquote(cookie.value) if cookie else "Guest"
        if sid == DISABLED:
            raise Refusal(417, "ValidationError")
        user, user_type = SESSIONS.get(sid, GUEST)
        if len(header.split(" ")) == 2:
            if header == "Basic ?":
                raise Refusal(400, "InvalidAuthorizationToken")
            if header in TOKENS and user == "Guest":
                return *SESSIONS[TOKENS[header]], False
            if user == "Guest":
                raise Refusal(401, "AuthenticationError")
        return user, user_type, True

    def get_user_info(self, user, user_type, resumed, headers):
        if self.wants_secret and headers.get("X-Frappe-Socket-Secret") != self.stub.get_secret():
            return {}
        info = {"user": user, "user_type": user_type}
        return (
            info if self.installed_apps is None else info | {"installed_apps": self.installed_apps}
        )

    def may_see(self, user, doctype, docname="", name=""):
        if (docname or name) == MISSING:
            raise Refusal(404, "DoesNotExistError")
        if doctype == SECRET_DOCTYPE or (user == "Guest" and doctype != PUBLIC_DOCTYPE):
            raise Refusal(403, "PermissionError")
        return True


class OldV15(V15):
    """Knows no user type when the user is not from a session."""

    def get_user_info(self, user, user_type, resumed, headers):
        return super().get_user_info(user, user_type if resumed else None, resumed, headers)


class V16(V15):
    """has_permission, whose name may be empty but must be there; installed_apps."""

    installed_apps = ("frappe", "erpnext")
    methods: ClassVar = {"has_permission": {"doctype", "name"}}


class Develop(V16):
    """get_user_info says {} to whoever does not have the secret, which it puts into Redis."""

    wants_secret = True


GENERATIONS = {"old v15": OldV15, "v15": V15, "v16": V16, "develop": Develop}


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
        headers = {k.lower(): v for k, v in self.headers.items()}
        stub.questions.append({"method": method, "query": query, "headers": headers})
        time.sleep(stub.delay)
        in_mood = getattr(self, f"be_{stub.mood}", None)
        if in_mood is None or not in_mood(query):
            self.answer(url.path, method, query)

    # Moods answer in place of Frappe, and say that they did.

    def be_asleep(self, _):
        time.sleep(3)

    def be_broken(self, _):
        return self.send(500, b"<html>Internal Server Error</html>", "text/html")

    def be_stopped(self, _):
        return self.send(503, b'{"exc_type": "SessionStopped"}')

    def be_refusing(self, _):
        return self.send(403, b'{"exc_type": "PermissionError"}')

    def be_html(self, _):
        return self.send(200, b"<!DOCTYPE html><title>Login</title>", "text/html")

    def be_elsewhere(self, _):
        return self.send(302, b"", location="http://login.example/")

    def be_junk(self, _):
        return self.send(200, b'{"message": "' + b"x" * (2 << 20) + b'"}')

    def be_hanging_up(self, _):
        self.close_connection = True
        return True

    def be_detouring(self, query):
        """Once round the corner: the same host, another address."""
        if "again" in query:
            return None
        mark = "&" if "?" in self.path else "?"
        return self.send(301, b"", location=f"{self.path}{mark}again=1")

    def answer(self, path, method, query):
        stub = self.server.stub
        if not path.startswith(API) or self.headers.get("X-Frappe-Site-Name") != stub.site:
            return self.send(404, b"<html>Not Found</html>", "text/html")
        try:
            message = GENERATIONS[stub.generation](stub).answer(method, query, self.headers)
        except Refusal as refusal:
            return self.send(refusal.status, json.dumps({"exc_type": refusal.exc_type}).encode())
        except OSError:  # Redis is away
            return self.send(500, b'{"exc_type": "ConnectionError"}')
        return self.send(200, json.dumps({"message": message}).encode())

    def send(self, status, body, content_type="application/json", location=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        # Frappe sets cookies with most answers; nothing may come of it.
        self.send_header("Set-Cookie", "sid=stranger; Path=/")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)
        return True

    def log_message(self, *_):
        pass


class StubWeb:
    """Listens on one port of 127.0.0.1, and can go away from it and come back."""

    def __init__(self, site="one.localhost", generation="v16"):
        self.site = site
        self.generation = generation  # a key of GENERATIONS
        self.mood = "good"  # or what follows "be_" in Handler
        self.delay = 0  # seconds before each answer
        self.redis_port = None  # where the socket secret is, for those who want it
        self.questions = []
        self.connections = set()
        self.port = 0
        self.server = None
        self.come()

    def get_secret(self):
        """Redis key socketio_auth_secret, made when it is not there."""
        with (
            socket.create_connection(
                ("127.0.0.1", self.redis_port), timeout=PATIENCE
            ) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(f"SET socketio_auth_secret {secrets.token_hex(16)} NX\r\n".encode())
            stream.write(b"GET socketio_auth_secret\r\n")
            stream.flush()
            stream.readline()
            length = int(stream.readline()[1:])
            return stream.read(length).decode()

    def come(self):
        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.request_queue_size = 128
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
