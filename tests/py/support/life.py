"""One random life of a process with the server in it: `python -m support.life SEED FOLDER`.

What it does is decided by the seed, and said on stderr, so that a life that fails can be led again.
The last line on stdout is the status it is about to end with. A forked child leads a life too, and
its parent wants to see it end so.
"""

import atexit
import contextlib
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import frappe_rt

STEPS = 8
DEPTH = 2
#: What holds sockets and threads until the process ends.
KEPT = []


class Life:
    def __init__(self, seed, folder, depth=0):
        self.random = random.Random(seed)
        self.seed = seed
        self.folder = folder
        self.depth = depth
        self.options = {
            "default_site": "one.localhost",
            "frappe_rt_host": "127.0.0.1",
            "frappe_rt_redis": False,
            "frappe_rt_local_socket": f"{folder}/{self.random.randrange(3)}.sock",
        }

    def run(self):
        """The status to end with."""
        steps = [name for name in dir(self) if name.startswith("do_")]
        for _ in range(self.random.randrange(1, STEPS)):
            name = self.random.choice(steps)
            self.say(name)
            getattr(self, name)()
        ends = [name for name in dir(self) if name.startswith("end_")]
        name = self.random.choice(ends)
        self.say(name)
        return getattr(self, name)()

    def say(self, what):
        print(f"{self.seed} {os.getpid()} {what}", file=sys.stderr, flush=True)

    def expect(self, status):
        """To be seen by whoever waits for this process."""
        if self.depth == 0:
            print(status, flush=True)
        else:
            os.write(self.told, b"%d\n" % status)

    # --- what happens ---

    def do_start(self):
        uds = f"{self.folder}/rt{os.getpid()}.sock" if self.random.random() < 0.3 else ""
        with contextlib.suppress(RuntimeError):  # runs already, on another socket
            frappe_rt.start("", socketio_port=0, socketio_uds=uds, **self.options)

    do_start_more_often = do_start
    do_start_most_often = do_start

    def do_stop(self):
        frappe_rt.stop(self.random.choice([0, 0.1, 2]))

    def do_start_and_stop(self):
        if not frappe_rt.running():
            with frappe_rt.start("", socketio_port=0, **self.options):
                frappe_rt.publish_realtime("e", 1)

    def do_publish(self):
        for n in range(self.random.choice([1, 10, 1000])):
            frappe_rt.publish_realtime("e", n)

    def do_publish_much(self):
        frappe_rt.publish_realtime("e", "x" * self.random.choice([1, 1 << 16, 1 << 22]))

    def do_publish_in_a_thread(self):
        """That goes on until the process ends."""

        def work():
            while True:
                frappe_rt.publish_realtime("e", 1)
                time.sleep(0.001)

        threading.Thread(target=work, daemon=True).start()

    def do_start_and_stop_in_threads(self):
        def work():
            for _ in range(3):
                self.do_start()
                frappe_rt.stop(0.5)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def do_ask(self):
        with contextlib.suppress(RuntimeError):
            frappe_rt.stats()

    def do_connect(self):
        """A client that says something and stays."""
        with contextlib.suppress(RuntimeError, OSError):
            server = frappe_rt.start("", socketio_port=0, **self.options)
            if server.port is None:
                return
            client = socket.create_connection(("127.0.0.1", server.port))
            text = (
                b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: one.localhost\r\n\r\n"
            )
            client.sendall(text[: self.random.randrange(len(text) + 1)])
            KEPT.append(client)

    def do_fork(self):
        if self.depth == DEPTH:
            return
        reading, told = os.pipe()
        seed = self.random.randrange(1 << 30)
        child = os.fork()
        if child == 0:
            os.close(reading)
            life = Life(seed, self.folder, self.depth + 1)
            life.told = told
            end(life)
        os.close(told)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as stream:
            expected = int(stream.readline())
        got = os.waitstatus_to_exitcode(status)
        assert got == expected, f"child {child}, seed {seed}: {got}, not {expected}"

    def do_fork_children_that_only_leave(self):
        for _ in range(10):
            child = os.fork()
            if child == 0:
                frappe_rt.publish_realtime("e", 1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0

    def do_fork_in_a_thread(self):
        thread = threading.Thread(target=self.do_fork_children_that_only_leave)
        thread.start()
        thread.join()

    def do_run_a_program(self):
        subprocess.run(["true"], check=True, close_fds=self.random.random() < 0.5)

    def do_collect(self):
        gc.collect()

    def do_wait(self):
        time.sleep(self.random.choice([0, 0.001, 0.02]))

    def do_publish_at_exit(self):
        atexit.register(frappe_rt.publish_realtime, "late", 1)

    def do_start_at_exit(self):
        """After the server has been stopped."""
        AT_EXIT.append(self.do_start)

    # --- how it ends ---

    def end_plainly(self):
        self.expect(0)

    end_plainly_as_most_do = end_plainly

    def end_by_exit(self):
        self.expect(7)
        sys.exit(7)

    def end_by_exception(self):
        self.expect(1)
        raise RuntimeError("this life ends so")

    def end_at_once(self):
        self.expect(3)
        os._exit(3)

    def end_by_signal(self):
        number = self.random.choice([signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
        self.expect(-number)
        os.kill(os.getpid(), number)
        time.sleep(60)

    def end_as_another_program(self):
        self.expect(0)
        os.execv("/bin/true", ["true"])


def end(life):
    """Of a forked child: out of all the frames of its parent, and through the interpreter's end."""
    raise Reborn(life)


class Reborn(BaseException):
    def __init__(self, life):
        self.life = life


def lead(life):
    while True:
        try:
            return life.run()
        except Reborn as reborn:
            life = reborn.life


AT_EXIT = []


def run_at_exit():
    """Registered first, hence called last."""
    for function in AT_EXIT:
        function()


if __name__ == "__main__":
    atexit.register(run_at_exit)
    lead(Life(int(sys.argv[1]), sys.argv[2]))
