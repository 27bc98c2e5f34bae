"""What is served outside /socket.io/."""

from http.client import HTTPConnection

import pytest
from support.bench import PATIENCE, start

import frappe_rt
from frappe_rt import config


@pytest.fixture(autouse=True)
def stopped():
    yield
    frappe_rt.stop()
    config.give(config.Given())


@pytest.fixture
def connection(bench):
    connection = HTTPConnection("127.0.0.1", start(bench).port, timeout=PATIENCE)
    yield connection
    connection.close()


def ask(connection, method, path, **more):
    connection.request(method, path, **more)
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("path", ["/health", "/health?deep=1"])
def test_health(connection, path):
    answer, body = ask(connection, "GET", path)
    assert (answer.status, body) == (200, b"ok")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Allow"] is None


def test_health_without_redis(bench):
    port = start(bench, frappe_rt_redis=True, redis_queue="redis://127.0.0.1:1").port
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    answer, body = ask(connection, "GET", "/health")
    assert (answer.status, body) == (200, b"ok\ndegraded: redis is away\n")
    connection.close()


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/else", 404)])
def test_head_is_get_without_its_body(connection, path, status):
    answers = [ask(connection, method, path) for method in ("HEAD", "GET")]
    assert [answer.status for answer, _ in answers] == [status, status]
    assert answers[0][0].headers.items() == answers[1][0].headers.items()
    assert answers[0][1] == b""
    assert int(answers[0][0].headers["Content-Length"]) == len(answers[1][1]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE"])
def test_methods_that_a_path_has_not(connection, method):
    answer, body = ask(connection, method, "/health")
    assert (answer.status, body) == (405, b"method not allowed\n")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_refused_body_is_not_taken_for_a_request(connection):
    answer, _ = ask(connection, "POST", "/health", body=b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 405
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/healthy", "/health/", "/socket.io", "/favicon.ico"])
def test_other_paths(connection, method, path):
    answer, body = ask(connection, method, path)
    assert answer.status == 404
    assert body == b"frappe_rt: realtime server; Socket.IO is at /socket.io/\n"
    assert answer.headers["Allow"] is None
