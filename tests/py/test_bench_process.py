"""In any Python process: nothing of it is changed, and others with the same libraries live on."""

import json
import signal

import pytest
from support.bench import PATIENCE, SITE, make_bench, wait_for
from support.crowd import Crowd
from support.processes import Program, configure
from support.stub_web import StubWeb

#: What each neighbour publishes, and how often.
HEARD = {
    "gevent": {"gevent": 60, "gevent child": 1},
    "uvloop": {"uvloop": 20},
    "hiredis": {"redis": 1},
    "pycurl": {},
}
#: gevent comes first, as it asks for. It and uvloop are each a loop of their own.
ORDERS = [
    "gevent,frappe_rt",
    "frappe_rt,gevent",
    "uvloop,frappe_rt",
    "frappe_rt,uvloop",
    "hiredis,frappe_rt",
    "frappe_rt,hiredis",
    "pycurl,frappe_rt",
    "frappe_rt,pycurl",
    "uvloop,hiredis,pycurl,frappe_rt",
    "frappe_rt,pycurl,hiredis,uvloop",
    "pycurl,frappe_rt,uvloop,hiredis",
    "gevent,hiredis,pycurl,frappe_rt",
    "gevent,uvloop,hiredis,pycurl,frappe_rt",
]


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


@pytest.fixture
def options(bench, redis):
    with StubWeb(SITE) as web:
        yield {
            "bench": str(bench),
            "default_site": SITE,
            "frappe_rt_host": "127.0.0.1",
            "redis_queue": redis.url,
            "socketio_port": 0,
            "webserver_port": web.port,
        }


def test_nothing_of_the_process_is_changed(bench, options):
    options["socketio_uds"] = str(bench / "rt.sock")
    configure(bench, default_site=SITE, redis_queue=options["redis_queue"])
    # Python says since 3.12 that a process with threads forks.
    quiet = ["-W", "ignore:This process:DeprecationWarning"]
    program = Program(bench, *quiet, "-m", "support.untouched", json.dumps(options))
    with program:
        assert program.process.wait(PATIENCE) == 0
        program.reader.join(PATIENCE)
    assert program.lines == []


@pytest.mark.parametrize("names", ORDERS)
def test_neighbours(bench, options, names):
    program = Program(bench, "-m", "support.neighbours", names, json.dumps(options))
    with program, Crowd() as crowd:
        port = int(program.wait_for_line("port").split()[1])
        [tab] = crowd.come(port)
        program.wait_for_line("done")
        wanted = {}
        for name in names.split(","):
            wanted |= HEARD.get(name, {})
        wait_for(lambda: len(tab.heard) >= sum(wanted.values()))
        heard = [name for name, _ in tab.heard]
        assert {name: heard.count(name) for name in set(heard)} == wanted
        assert program.end(signal.SIGTERM) == -signal.SIGTERM
