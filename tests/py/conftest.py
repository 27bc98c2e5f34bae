import logging
import signal
import sys

import pytest
from support.bench import make_bench
from support.fakes import GENERATIONS, FakeRt, make_frappe
from support.host_server import HostServer, starting_hosts
from support.redis_server import RedisServer

from frappe_rt import config, server
from frappe_rt.publishing import deliver

# A shell that runs this in the background may have it ignored, which programs inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rt(monkeypatch):
    """A fake extension in place of the real one, and publishing as in a fresh process."""
    fake = FakeRt()
    for module in (config, deliver, server):
        monkeypatch.setattr(module, "_rt", fake)
    for counter in deliver._counters.values():
        counter.reset()
    monkeypatch.setattr(deliver, "_told", {})
    monkeypatch.setattr(deliver, "_plan", None)
    config.give(config.Given(site="one.localhost"))
    yield fake
    config.give(config.Given())


@pytest.fixture(params=GENERATIONS)
def frappe(monkeypatch, request):
    """This process runs Frappe, in a request of ada@example.com to one.localhost."""
    modules = make_frappe(request.param)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return modules["frappe"]


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


@pytest.fixture(name="server")
def host_server(bench):
    """What a host of handlers attaches to; it only speaks the protocol."""
    with HostServer(bench / "rt.sock") as listening:
        yield listening


@pytest.fixture
def run(bench, server):
    """Starts hosts of handlers, as a function of the source of an app."""
    with starting_hosts(bench, server) as run:
        yield run


@pytest.fixture
def complaints(caplog):
    """Log lines of frappe_rt so far, as a function."""
    caplog.set_level(logging.DEBUG, logger="frappe_rt")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def redis():
    """A redis-server of this test's own."""
    server = RedisServer()
    yield server
    server.stop()
