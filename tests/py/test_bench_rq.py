"""A real RQ worker: each job is a work-horse, forked for it, that leaves with os._exit."""

import pytest
from redis import Redis
from rq import Queue
from support.bench import PATIENCE, SITE, get_figures, make_bench, start, wait_for
from support.crowd import Crowd
from support.processes import Program, is_gone
from support.rq_jobs import report, show_progress
from support.stub_web import StubWeb

#: RQ's own, since Python 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
#: How a work-horse ends.
ENDS = ["", "raise", "exit", "kill"]
JOBS = 12
EACH = 50


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


@pytest.fixture
def server(bench, redis):
    with StubWeb(SITE) as web:
        options = {"redis_queue": redis.url, "webserver_port": web.port}
        with start(bench, frappe_rt_redis=True, **options) as server:
            wait_for(lambda: get_figures()["redis_subscribed"])
            yield server


@pytest.fixture
def queue(redis):
    with Redis(port=redis.port) as connection:
        yield Queue(connection=connection)


def work(bench, redis, way):
    """A worker that ends when there are no more jobs; the program, and its exit status."""
    words = ["-m", "rq.cli", "worker", "--burst", "--url", redis.url]
    environment = {
        "FRAPPE_REDIS_QUEUE": redis.url,
        "FRAPPE_RT_PUBLISH": way,
        "FRAPPE_SITE": SITE,
    }
    with Program(bench, *words, **environment) as worker:
        status = worker.process.wait(2 * PATIENCE)
        worker.reader.join(PATIENCE)
    assert is_gone(worker.pid)
    return worker, status


@pytest.mark.parametrize("way", ["local", "redis"])
def test_what_jobs_publish_is_heard_however_they_end(bench, server, redis, queue, way):
    jobs = [queue.enqueue(report, job, EACH, ENDS[job % len(ENDS)]) for job in range(JOBS)]
    with Crowd() as crowd:
        [tab] = crowd.come(server.port)
        worker, status = work(bench, redis, way)
        assert status == 0, worker.told()
        wait_for(lambda: len(tab.heard) >= JOBS * EACH)
        # A worker does one job after the other.
        assert tab.heard == [[job, n] for job in range(JOBS) for n in range(EACH)]
    ended = ["finished" if job.get_status() == "finished" else "failed" for job in jobs]
    assert ended == ["failed" if ENDS[n % len(ENDS)] else "finished" for n in range(JOBS)]


def test_progress(bench, server, redis, queue):
    queue.enqueue(show_progress, 20)
    with Crowd() as crowd:
        [tab] = crowd.come(server.port)
        tab.wanted = "progress"
        work(bench, redis, "auto")
        wait_for(lambda: len(tab.heard) >= 20)
        assert [heard["percent"] for heard in tab.heard] == [n * 5 for n in range(1, 21)]
