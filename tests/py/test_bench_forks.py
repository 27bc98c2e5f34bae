"""A process that serves a thousand browsers and forks all the time.

Two hundred forks a second for five seconds here; for a minute with FRAPPE_RT_THOROUGH=1. Where the
machine is too slow for that rate the forks follow each other without a pause.
"""

import json
import os
import resource

import pytest
from support.bench import SITE, make_bench, wait_for
from support.crowd import Crowd
from support.processes import Program, get_children, list_thread_names
from support.stub_web import StubWeb

THOROUGH = bool(os.environ.get("FRAPPE_RT_THOROUGH"))
RATE = 200
FORKS = RATE * (60 if THOROUGH else 5)
#: Those that hear every event, and those that hear some.
FEW, MANY = 10, 990
LIMIT = 2 * (FEW + MANY) + 500


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= LIMIT, f"ulimit -Hn {hard}, {LIMIT} wanted"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, LIMIT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(600)
def test_forks_lose_no_event_and_no_client(tmp_path, many_descriptors):
    bench = make_bench(tmp_path)
    with StubWeb(SITE) as web, Crowd() as crowd:
        options = {
            "default_site": SITE,
            "frappe_rt_host": "127.0.0.1",
            "frappe_rt_redis": False,
            "socketio_port": 0,
            "webserver_port": web.port,
        }
        words = [str(FEW + MANY), str(FORKS), str(RATE), str(bench), json.dumps(options)]
        with Program(bench, "-m", "support.fork_storm", *words) as host:
            port = int(host.wait_for_line("port").split()[1])
            many = crowd.come(port, "grace", MANY)
            few = crowd.come(port, "ada", FEW)
            wait_for(lambda: host.find("figures") or not host.reader.is_alive(), FORKS / 10 + 60)
            figures = json.loads(host.wait_for_line("figures").split(" ", 1)[1])
            print(f"{FORKS} forks in {figures['seconds']:.1f} s")
            assert figures["sockets"] == FEW + MANY
            assert figures["descriptors"] <= 0
            for tab in few:
                expect_all(tab, figures["own"])
            told = [n for n in range(figures["own"]) if n % 50 == 0]
            for tab in many:
                wait_for(lambda tab=tab: len(tab.heard) >= len(told))
                assert tab.heard == told
            assert crowd.count_closed() == 0
            assert get_children(host.pid) == []
            assert list_thread_names(host.pid).count("frappe_rt") == 1


def expect_all(tab, own):
    """Each child's event once, in whatever order; the process's own in theirs."""
    wait_for(lambda: len(tab.heard) >= own + FORKS)
    heard = {"own": [], "child": []}
    for who, n in tab.heard:
        heard[who].append(n)
    assert heard["own"] == list(range(own))
    assert sorted(heard["child"]) == list(range(FORKS))
