"""Reading the configuration again: what is new does not only stand in the log, it counts."""

import json

import pytest
import socketio
from support.bench import PATIENCE, make_bench, wait_for
from support.stub_web import StubWeb

import frappe_rt

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def bench(tmp_path):
    yield make_bench(tmp_path)
    frappe_rt.stop()


def configure(bench, **values):
    (bench / "sites/common_site_config.json").write_text(json.dumps(values))


def gets_in(server, site):
    """Whether a guest who calls the server `localhost` gets into that site's namespace."""
    client = socketio.Client(reconnection=False)
    try:
        client.connect(
            f"http://localhost:{server.port}",
            headers={"Cookie": "sid=Guest"},
            namespaces=[f"/{site}"],
            wait_timeout=PATIENCE,
        )
    except socketio.exceptions.ConnectionError:
        return False
    client.disconnect()
    return True


def test_the_site_that_localhost_means(bench):
    with StubWeb("one.localhost", "v16") as web:
        options = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
        configure(bench, default_site="one.localhost", webserver_port=web.port)
        server = frappe_rt.start(str(bench), **options)
        assert gets_in(server, "one.localhost")
        assert not gets_in(server, "two.localhost")
        web.site = "two.localhost"
        configure(bench, default_site="two.localhost", webserver_port=web.port)
        assert frappe_rt.reload()
        assert gets_in(server, "two.localhost")
        assert not gets_in(server, "one.localhost")


def test_where_the_web_process_is(bench):
    with StubWeb("one.localhost") as first, StubWeb("one.localhost") as second:
        options = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
        common = {"default_site": "one.localhost", "frappe_rt_cache_ms": 0}
        configure(bench, **common, webserver_port=first.port)
        server = frappe_rt.start(str(bench), **options)
        assert gets_in(server, "one.localhost")
        asked = len(first.questions)
        configure(bench, **common, webserver_port=second.port)
        assert frappe_rt.reload()
        assert gets_in(server, "one.localhost")
        assert len(first.questions) == asked
        assert second.questions


def hears_of_task(server, site):
    """Whether a guest hears of a task whose id it knows."""
    heard, answered = [], []
    client = socketio.Client(reconnection=False)
    client.on("e", heard.append, namespace=f"/{site}")
    client.on("pong", lambda: answered.append(1), namespace=f"/{site}")
    client.connect(
        f"http://localhost:{server.port}",
        headers={"Cookie": "sid=Guest"},
        namespaces=[f"/{site}"],
        wait_timeout=PATIENCE,
    )
    client.emit("task_subscribe", "t-1", namespace=f"/{site}")
    client.emit("ping", namespace=f"/{site}")
    wait_for(lambda: answered)
    frappe_rt.publish_realtime("e", "task", task_id="t-1", site=site)
    frappe_rt.publish_realtime("e", "end", room="website", site=site)
    wait_for(lambda: "end" in heard)
    client.disconnect()
    return "task" in heard


def test_what_guests_see_of_others(bench):
    site = "one.localhost"
    with StubWeb(site) as web:
        options = {"socketio_port": 0, "frappe_rt_host": "127.0.0.1", "frappe_rt_redis": False}
        common = {"default_site": site, "webserver_port": web.port}
        configure(bench, **common, frappe_rt_guests_see_others=False)
        server = frappe_rt.start(str(bench), **options)
        assert not hears_of_task(server, site)
        configure(bench, **common)
        assert frappe_rt.reload()
        assert hears_of_task(server, site)
