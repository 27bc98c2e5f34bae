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


def use(pool, count):
    """Returns the threads that run `count` jobs, of which each waits for all of those threads."""
    threads, together = set(), threading.Barrier(min(count, pool._most))

    def job():
        threads.add(threading.current_thread())
        together.wait(PATIENCE)

    for _ in range(count):
        pool.submit(job)
    wait_for(lambda: not pool._unfinished)
    return threads


def test_more_and_fewer_threads():
    pool = Pool(2)
    assert len(use(pool, 4)) == 2
    pool.resize(5)
    five = use(pool, 10)
    assert len(five) == 5
    pool.resize(1)
    wait_for(lambda: sum(thread.is_alive() for thread in five) == 1)
    [left] = use(pool, 3)
    assert left in five
    pool.resize(3)
    assert len(use(pool, 3) | {left}) == 3


def test_threads_that_are_too_many_finish_what_waits():
    pool, go, done = Pool(2), threading.Event(), []
    for number in range(6):
        pool.submit(lambda number=number: (go.wait(PATIENCE), done.append(number)))
    pool.resize(1)
    go.set()
    wait_for(lambda: not pool._unfinished)
    assert sorted(done) == list(range(6))


def test_nothing_of_a_job_is_kept():
    class Kept:
        pass

    pool, kept = Pool(1), Kept()
    seen = weakref.ref(kept)
    pool.submit(id, kept)
    del kept
    wait_for(lambda: not pool._unfinished)
    assert seen() is None
