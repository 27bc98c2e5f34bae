"""What hosts of both languages need of the configuration: the server tells them, and they read no
file of it."""

import gc

import pytest
import socketio
from support.bench import PATIENCE, SITE, ask, get_figures, start, wait_for
from support.host_server import HEAD, write_app
from support.stub_web import StubWeb

import frappe_rt
from frappe_rt import config

NS = f"/{SITE}"
#: In the bench; not where files or the default would have it.
SOCKET = "given.sock"
SECRET = "only-the-web-process-may-see-it"
THREADS = (
    HEAD
    + """
import threading
import frappe_rt
inside, together = [], threading.Event()

@realtime.on("block")
def block(socket, many):
    inside.append(1)
    if len(inside) == many:
        together.set()
    return together.wait(60)

@realtime.on("publish")
def publish(socket):
    frappe_rt.publish_realtime("news", {"n": 1}, user=socket.user, site=socket.site)
"""
)
REQUESTS = """module.exports = (socket) => socket.on("request", async (reply) => {
    try {
        reply((await socket.frappe_request("/api/method/frappe.realtime.from_js")).status);
    } catch (error) {
        reply(error.message);
    }
});"""

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def webs():
    """Two web processes; which one is asked is what counts."""
    with StubWeb(SITE, "v15") as one, StubWeb(SITE, "v15") as two:
        yield one, two


@pytest.fixture
def run(bench):
    """Starts the server with hosts of both languages. Returns a client."""
    write_app(bench, "threads", THREADS)
    script = bench / "apps/requests/realtime/handlers.js"
    script.parent.mkdir(parents=True)
    script.write_text(REQUESTS)
    with (bench / "sites/apps.txt").open("a") as text:
        text.write("requests\n")
    client = socketio.Client(reconnection=False)

    def run(**more):
        server = start(bench, handlers=True, frappe_rt_local_socket=str(bench / SOCKET), **more)
        wait_for_hosts(bench)
        client.connect(
            f"http://127.0.0.1:{server.port}",
            headers={"Cookie": "sid=ada"},
            namespaces=[NS],
            transports=["websocket"],
            wait_timeout=PATIENCE,
        )
        return client

    yield run
    client.disconnect()
    gc.collect()
    frappe_rt.stop()
    config.give(config.Given())


def get_hosts(bench):
    return ask(str(bench / SOCKET), b'{"rt":"hosts"}')[0]["hosts"]


def wait_for_hosts(bench, *not_pids):
    def are_there():
        active = [host for host in get_hosts(bench) if host["state"] == "active"]
        new = {host["language"] for host in active if host["pid"] not in not_pids}
        return new == {"python", "javascript"}

    wait_for(are_there)


def configure(bench, text):
    (bench / "sites/common_site_config.json").write_text(text)


def request(client):
    return client.call("request", namespace=NS, timeout=PATIENCE)


def was_asked(web):
    return [q for q in web.questions if q["method"] == "from_js"]


def run_at_one_time(client, many):
    """Handlers that end when so many are under way. True, once for each."""
    answers = []
    for _ in range(many):
        client.emit("block", many, namespace=NS, callback=answers.append)
    wait_for(lambda: len(answers) == many)
    return answers


def test_what_start_was_given_is_above_files_that_no_host_reads(bench, run, webs):
    wrong, right = webs
    configure(bench, f'{{"socketio_worker_threads": 1, "webserver_port": {wrong.port}}}')
    client = run(socketio_worker_threads=16, webserver_port=right.port)
    assert request(client) == 417
    assert (len(was_asked(wrong)), len(was_asked(right))) == (0, 1)
    configure(bench, "{")
    before = [host["pid"] for host in get_hosts(bench)]
    assert ask(str(bench / SOCKET), b'{"rt":"reload"}') == [{"ok": True}]
    wait_for_hosts(bench, *before)
    assert request(client) == 417
    assert (len(was_asked(wrong)), len(was_asked(right))) == (0, 2)
    assert run_at_one_time(client, 16) == [True] * 16


def test_what_handlers_publish_goes_to_their_server(run, webs):
    client, heard = run(webserver_port=webs[0].port), []
    client.on("news", heard.append, namespace=NS)
    client.emit("publish", namespace=NS)
    wait_for(lambda: heard == [{"n": 1}])


def test_a_reload_is_told_to_hosts(bench, run, webs):
    first, second = webs
    configure(bench, f'{{"socketio_worker_threads": 1, "webserver_port": {first.port}}}')
    client = run()
    before = get_hosts(bench)
    assert request(client) == 417
    configure(bench, f'{{"socketio_worker_threads": 9, "webserver_port": {second.port}}}')
    assert frappe_rt.reload()
    get_figures()  # it has read that by now
    assert request(client) == 417
    assert (len(was_asked(first)), len(was_asked(second))) == (1, 1)
    assert run_at_one_time(client, 9) == [True] * 9
    assert [host["pid"] for host in get_hosts(bench)] == [host["pid"] for host in before]


def test_the_secret_is_read_by_the_server(bench, run, webs, redis, capfd):
    """From the Redis that `start` was given, and shown to nobody."""
    web, _ = webs
    with redis.connect() as connection:
        connection.sendall(f"SET socketio_auth_secret {SECRET}\r\n".encode())
        assert connection.recv(5) == b"+OK\r\n"
    configure(bench, '{"redis_queue": "redis://127.0.0.1:1"}')
    client = run(frappe_rt_redis=True, redis_queue=redis.url, webserver_port=web.port)
    wait_for(lambda: get_figures()["redis"]["connects"] == 2)  # to listen, to ask
    assert request(client) == 417
    [asked] = was_asked(web)
    assert asked["headers"]["x-frappe-socket-secret"] == SECRET
    shown = capfd.readouterr().err + repr(get_hosts(bench)) + repr(get_figures())
    assert SECRET not in shown
