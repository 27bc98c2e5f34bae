"""Debian's nginx in front, with the location block that we ship."""

import http.client
import json
import os
import shutil
import signal
import subprocess
from contextlib import closing

import pytest
from support.bench import PATIENCE, SITE, make_bench, start, wait_for
from support.crowd import Crowd, expect_each_once
from support.processes import get_free_port
from support.stub_web import StubWeb

import frappe_rt
from frappe_rt.bench.nginx import get_location

#: Debian has it where only root looks.
NGINX = shutil.which("nginx", path=os.environ["PATH"] + os.pathsep + "/usr/sbin")
CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


class Nginx:
    def __init__(self, folder, upstream, site):
        folder.mkdir()
        self.port = get_free_port()
        self.errors = folder / "error.log"
        path = folder / "nginx.conf"
        path.write_text(
            CONFIGURATION.format(
                folder=folder,
                port=self.port,
                location=get_location(upstream, site),
                # As root it would become somebody who may not enter the test's folder.
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        self.process = subprocess.Popen([NGINX, "-e", str(self.errors), "-c", str(path)])
        wait_for(self.is_there)

    def is_there(self):
        assert self.process.poll() is None, self.errors.read_text()
        try:
            self.ask("GET", "/")
        except ConnectionRefusedError:
            return False
        return True

    def ask(self, method, path, body=None, **headers):
        """Status and body."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, path, body, {"Host": SITE} | names)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(PATIENCE)


@pytest.fixture(autouse=True)
def stopped():
    yield
    frappe_rt.stop()


@pytest.fixture
def web():
    with StubWeb(SITE) as stub:
        yield stub


@pytest.fixture(params=["tcp", "unix"])
def options(request, tmp_path, web):
    """How the server is started; it can be started again so."""
    more = {"socketio_uds": str(tmp_path / "rt.sock")} if request.param == "unix" else {}
    port = get_free_port()
    return {"bench": make_bench(tmp_path), "socketio_port": port, "webserver_port": web.port} | more


@pytest.fixture(params=["$host", SITE])
def nginx(request, options, tmp_path):
    assert NGINX, "nginx is not installed: see .ci/deps"
    uds = options.get("socketio_uds")
    upstream = f"unix:{uds}" if uds else f"127.0.0.1:{options['socketio_port']}"
    with Nginx(tmp_path / "nginx", upstream, request.param) as nginx:
        yield nginx


def publish(first, last):
    for n in range(first, last):
        frappe_rt.publish_realtime("n", n, user="ada@example.com")


def test_websockets(nginx, options):
    start(**options)
    with Crowd() as crowd:
        tabs = crowd.come(nginx.port, count=50)
        publish(0, 100)
        for tab in tabs:
            expect_each_once(tab, range(100))
        assert crowd.count_closed() == 0
        frappe_rt.stop()
        wait_for(lambda: crowd.count_closed() == 50)
        assert nginx.ask("GET", "/socket.io/?EIO=4&transport=polling")[0] == 502
        start(**options)
        [tab] = crowd.come(nginx.port)
        publish(0, 10)
        expect_each_once(tab, range(10))


class Polling:
    """A page whose WebSocket does not come through."""

    def __init__(self, nginx, **headers):
        self.nginx = nginx
        self.headers = {"Cookie": "sid=ada"} | headers
        self.path = "/socket.io/?EIO=4&transport=polling"
        opened = self.get()[0]
        self.path += f"&sid={json.loads(opened[1:])['sid']}"

    def get(self):
        status, body = self.nginx.ask("GET", self.path, **self.headers)
        assert status == 200
        return body.decode().split("\x1e")

    def post(self, text):
        assert self.nginx.ask("POST", self.path, text, **self.headers) == (200, b"ok")


def test_polling(nginx, options):
    start(**options)
    page = Polling(nginx)
    page.post(f"40/{SITE},")
    assert page.get()[0].startswith(f'40/{SITE},{{"sid":')
    publish(0, 3)
    heard = []
    while len(heard) < 3:
        heard += page.get()
    assert heard == [f'42/{SITE},["n",{n}]' for n in range(3)]


def test_a_page_of_another_host_is_refused(nginx, options):
    """With the Origin rewritten on the way, as is often done, it would be let in."""
    start(**options)
    page = Polling(nginx, Origin="http://elsewhere.example")
    page.post(f"40/{SITE},")
    [refusal] = page.get()
    assert refusal.startswith(f"44/{SITE},")
    assert "Invalid origin" in refusal


def test_nginx_alone_says_which_site_it_is(nginx, options, web):
    start(**options)
    page = Polling(nginx, X_Frappe_Site_Name="two.localhost")
    page.post(f"40/{SITE},")
    assert page.get()[0].startswith(f"40/{SITE},")
    assert {q["headers"]["x-frappe-site-name"] for q in web.questions} == {SITE}


@pytest.mark.parametrize("value", ["", "a b", "x;", "x{", "a\nb", 'x"'])
def test_what_nginx_would_read_otherwise_is_refused(value):
    with pytest.raises(ValueError, match="nginx"):
        get_location(value)
    with pytest.raises(ValueError, match="nginx"):
        get_location("127.0.0.1:9000", value)
