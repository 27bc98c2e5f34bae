"""The demo's web process: the page, the login, the buttons, and the realtime server's questions."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import frappe_rt
from frappe_rt.demo import site as demo

PACKAGE = Path(frappe_rt.__file__).parent
FILES = {
    "/": (PACKAGE / "demo/page/index.html", "text/html"),
    "/demo.css": (PACKAGE / "demo/page/demo.css", "text/css"),
    "/demo.js": (PACKAGE / "demo/page/demo.js", "text/javascript"),
    "/realtime.js": (PACKAGE / "client/realtime.js", "text/javascript"),
}
API = "/api/method/frappe.realtime."
#: Bytes of a POST body.
BODY_MAX = 10_000


class Handler(BaseHTTPRequestHandler):
    """One connection. Each answer is one write: the realtime server keeps connections open."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: Web

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path.startswith(API):
            self._answer_realtime(url.path[len(API) :], query)
        elif url.path == "/demo/boot":
            self._send_json(self._get_boot())
        elif url.path == "/demo/stats":
            self._send_json(frappe_rt.stats())
        elif url.path == "/" and "as" in query:
            self._log_in(query["as"])
        elif url.path in FILES:
            self._send_file(*FILES[url.path])
        else:
            self._send_json({"message": "no such page"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_MAX:
            self.close_connection = True
            self._send_json({"message": "too much"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        form = dict(parse_qsl(self.rfile.read(int(length)).decode("utf-8", "replace")))
        if self.path == "/login":
            self._log_in(form.get("user", ""))
        elif self.path.startswith("/demo/publish/"):
            self._publish(self.path.removeprefix("/demo/publish/"))
        else:
            self._send_json({"message": "no such page"}, HTTPStatus.NOT_FOUND)

    def _get_sid(self) -> str | None:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
        except CookieError:
            return None
        return cookie.value if cookie else None

    def _get_boot(self) -> dict[str, Any]:
        """The values that the page needs."""
        return {
            "site": demo.NAME,
            "port": self.server.socketio_port,
            "user": self.server.site.get_user(self._get_sid()),
            "users": demo.USERS,
            "doctype": demo.DOCTYPE,
            "docname": demo.DOCNAME,
            "actions": {
                name: {"label": action.label, "code": action.code}
                for name, action in demo.ACTIONS.items()
            },
        }

    def _answer_realtime(self, method: str, query: dict[str, str]) -> None:
        """Answer a question of the realtime server, which must name the right site."""
        user = self.server.site.get_user(self._get_sid())
        answer = None
        if user and self.headers.get("X-Frappe-Site-Name") == demo.NAME:
            answer = self.server.site.answer(method, user, query)
        if answer is None:
            self._send_json({"exc_type": "PermissionError"}, HTTPStatus.FORBIDDEN)
        else:
            self._send_json({"message": answer})

    def _log_in(self, user: str) -> None:
        if user not in demo.USERS:
            self._send_json({"message": "no such user"}, HTTPStatus.UNAUTHORIZED)
            return
        sid = self.server.site.log_in(user)
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Set-Cookie", f"sid={sid}; Path=/; HttpOnly; SameSite=Lax")
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _publish(self, action: str) -> None:
        user = self.server.site.get_user(self._get_sid())
        if not user:
            self._send_json({"message": "log in first"}, HTTPStatus.FORBIDDEN)
        elif action not in demo.ACTIONS:
            self._send_json({"message": "no such action"}, HTTPStatus.NOT_FOUND)
        else:
            self.server.site.publish(action, user)
            self._send_json({"message": "ok"})

    def _send_file(self, path: Path, content_type: str) -> None:
        self._send(path.read_bytes(), f"{content_type}; charset=utf-8")

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(content).encode(), "application/json", status)

    def _send(self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the page shows what happens."""


class Web(ThreadingHTTPServer):
    """Serves from daemon threads, so that they do not delay the end of the process."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.site = demo.Site()
        #: The realtime server's port, for the page.
        self.socketio_port: int | None = None

    def server_bind(self) -> None:
        # Skip HTTPServer's method: it resolves this host's name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
