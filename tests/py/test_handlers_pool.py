"""The threads of plain handlers by themselves."""

import threading
import weakref

from support.bench import PATIENCE, wait_for

from frappe_rt.handlers.pool import Pool


def run(pool, job, *arguments):
    """To its end, of which the pool has taken note."""
    done = threading.Event()
    pool.submit(lambda: (job(*arguments), done.set()))
    assert done.wait(PATIENCE)
    wait_for(lambda: not pool._unfinished)


def test_no_more_threads_than_are_needed():
    pool, threads = Pool(4), set()
    for _ in range(20):
        run(pool, lambda: threads.add(threading.get_ident()))
    assert len(threads) == 1
    go = threading.Event()
    for _ in range(20):
        pool.submit(lambda: (threads.add(threading.get_ident()), go.wait(PATIENCE)))
    wait_for(lambda: len(threads) == 4)
    assert pool.is_behind
    go.set()
    wait_for(lambda: not pool._unfinished)
    assert not pool.is_behind
    assert len(threads) == 4


def test_nothing_of_a_job_is_kept():
    class Kept:
        pass

    pool, kept = Pool(1), Kept()
    seen = weakref.ref(kept)
    pool.submit(id, kept)
    del kept
    wait_for(lambda: not pool._unfinished)
    assert seen() is None
