"""A process that looks at itself before, while and after a server runs in it: what may have
been changed? Prints what has, which should be nothing."""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import frappe_rt
from support.bench import PATIENCE
from support.processes import list_thread_names

CAUGHT = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE]


def read_environment():
    """As C sees it; `os.environ` is a copy."""
    entries = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found = []
    while entries[len(found)] is not None:
        found.append(entries[len(found)])
    return found


def read_status():
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    names = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Seccomp", "NoNewPrivs")
    return {name: values[name].strip() for name in names}


def look():
    return {
        **read_status(),
        "cwd": str(Path.cwd()),
        "environment": read_environment(),
        "os.environ": dict(os.environ),
        "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "wakeup": signal.set_wakeup_fd(-1),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "limits": [resource.getrlimit(number) for number in range(16)],
        "nice": os.nice(0),
        "dispositions": [read_disposition(number) for number in signal.valid_signals()],
        "path": sys.path[:],
        "excepthook": str(sys.excepthook),
        "stdio": [os.fstat(number)[:3] for number in range(3)],
    }


def read_disposition(number):
    """Handler and first word of the mask, as in struct sigaction of C."""
    action = (ctypes.c_ulong * 32)()
    if ctypes.CDLL(None).sigaction(int(number), None, action) != 0:
        return None  # those that the C library keeps for itself
    return action[:2]


def list_descriptors():
    """What they lead to; that of the folder itself has gone by then."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return sorted(found)


def expect_the_same(before, when):
    now = look()
    for name, value in before.items():
        if now[name] != value:
            print(f"{name} {when}: {value} before, now {now[name]}")


def expect_signals_here():
    """Each reaches the handler of the main thread, at once: no thread of ours takes it."""
    came = []
    before = [signal.signal(number, lambda n, _: came.append(n)) for number in CAUGHT]
    for number in CAUGHT:
        os.kill(os.getpid(), number)
    if came != [int(number) for number in CAUGHT]:
        print(f"signals: {came}")
    for number, handler in zip(CAUGHT, before, strict=True):
        signal.signal(number, handler)


def expect_children_here():
    """SIGCHLD for each child, and each status for who waits."""
    ended = []
    before = signal.signal(signal.SIGCHLD, lambda *_: ended.append(os.wait()[1]))
    for status in range(5):
        count = len(ended)
        if os.fork() == 0:
            frappe_rt.publish_realtime("e", 1)
            os._exit(status)
        while len(ended) == count:
            time.sleep(0.001)
    if [os.waitstatus_to_exitcode(status) for status in ended] != [0, 1, 2, 3, 4]:
        print(f"children: {ended}")
    signal.signal(signal.SIGCHLD, before)


def main(options):
    options = json.loads(options)
    os.umask(0o27)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
    thread = threading.Thread(target=time.sleep, args=(0,))  # with the first, libc catches one more
    thread.start()
    thread.join()
    before = look()
    # What the first ones open stays: a connection to Redis, and one pipe of libuv.
    frappe_rt.publish_realtime("e", 1)
    frappe_rt.start(**options)
    frappe_rt.stop()
    expect_the_same(before, "after the first time")
    descriptors = list_descriptors()
    for _ in range(3):
        frappe_rt.start(**options)
        expect_the_same(before, "while it runs")
        frappe_rt.publish_realtime("e", 1)
        frappe_rt.stats(PATIENCE)
        expect_signals_here()
        expect_children_here()
        expect_the_same(before, "after a publish")
        frappe_rt.stop()
        expect_the_same(before, "after the stop")
    if list_descriptors() != descriptors:
        print(f"descriptors: {descriptors} before, now {list_descriptors()}")
    if threading.active_count() != 1 or len(list_thread_names(os.getpid())) != 1:
        print("threads are left")


if __name__ == "__main__":
    main(sys.argv[1])
