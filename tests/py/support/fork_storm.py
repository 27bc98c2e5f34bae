"""A process that serves and forks: as many children a second as it is told, each of which publishes
one event and is gone. Prints what it has counted."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import frappe_rt
from frappe_rt.publishing import deliver
from support.bench import get_figures

#: Between two events of the process itself for a few, and the number of these between two for all.
TICK_SECONDS = 0.005
TICKS = 50


def count_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def publish_while(going):
    n = 0
    while going.is_set():
        frappe_rt.publish_realtime("n", ["own", n], user="ada@example.com")
        if n % TICKS == 0:
            frappe_rt.publish_realtime("n", n, user="grace@example.com")
        n += 1
        time.sleep(TICK_SECONDS)
    return n


def fork(n):
    child = os.fork()
    if child == 0:
        frappe_rt.publish_realtime("n", ["child", n], user="ada@example.com")
        os._exit(0 if deliver.get_counters()["to_local"] == 1 else 1)
    return child


def storm(forks, rate):
    """At an even pace; a late one is made up for. Seconds it took."""
    running = set()
    began = time.monotonic()
    for n in range(forks):
        time.sleep(max(0, began + n / rate - time.monotonic()))
        running.add(fork(n))
        while running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                break
            assert status == 0
            running.remove(child)
    while running:
        child, status = os.wait()
        assert status == 0
        running.remove(child)
    return time.monotonic() - began


def main(sockets, forks, rate, bench, options):
    server = frappe_rt.start(bench, **json.loads(options))
    print("port", server.port)
    while get_figures()["socketio"]["connects"] < int(sockets):
        time.sleep(0.05)
    going = threading.Event()
    going.set()
    own = []
    thread = threading.Thread(target=lambda: own.append(publish_while(going)))
    before = count_descriptors()
    thread.start()
    seconds = storm(int(forks), float(rate))
    going.clear()
    thread.join()
    while (figures := get_figures())["local_peers"]:  # it sees the last one go
        time.sleep(0.05)
    print(
        "figures",
        json.dumps(
            {
                "own": own[0],
                "sockets": figures["sockets"],
                "descriptors": count_descriptors() - before,
                "seconds": seconds,
            }
        ),
    )
    time.sleep(3600)  # until the test has seen it, and ends it


if __name__ == "__main__":
    main(*sys.argv[1:])
