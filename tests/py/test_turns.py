"""Start, stop and reload, while another one is under way in this thread or in another."""

import subprocess
import sys
import textwrap

import pytest
from support.bench import PATIENCE

#: `interrupt(name)`: from now on a signal comes in the middle of `name`, and `handle` handles it.
PROGRAM = """
    import signal, threading
    import frappe_rt
    from frappe_rt import _rt

    def start():
        return frappe_rt.start("", socketio_port=0, frappe_rt_redis=False)

    def interrupt(name):
        call = getattr(_rt, name)
        def interrupted(*args):
            setattr(_rt, name, call)
            result = call(*args)
            signal.raise_signal(signal.SIGUSR1)
            return result
        setattr(_rt, name, interrupted)

    def handle(*_):
        try:
            print("handler:", action())
        except RuntimeError as error:
            print("handler:", error)

    signal.signal(signal.SIGUSR1, handle)
"""
REFUSED = (
    "handler: this thread is in the middle of a start, stop or reload of the server; a signal "
    "handler can only call stop then"
)


def run(body):
    """The lines that the program writes. It fails when the program hangs."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM) + textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("call", ["start", "reload"])
def test_a_stop_by_a_signal_handler_follows_what_it_has_interrupted(call):
    lines = run(f"""
        if {call!r} == "reload":
            start()
        action = frappe_rt.stop
        interrupt({call!r})
        {"start()" if call == "start" else "print(frappe_rt.reload())"}
        print(frappe_rt.running())
        start()
        print(frappe_rt.running(), frappe_rt.stop())
    """)
    reloaded = ["True"] if call == "reload" else []
    assert lines == ["handler: False", *reloaded, "False", "True True"]


def test_a_stop_by_a_signal_handler_in_a_stop_changes_nothing():
    lines = run("""
        start()
        action = frappe_rt.stop
        interrupt("stop")
        print(frappe_rt.stop(), frappe_rt.running())
        start()
        print(frappe_rt.stop(), frappe_rt.running())
    """)
    assert lines == ["handler: False", "True False", "True False"]


@pytest.mark.parametrize("action", ["start", "frappe_rt.reload"])
@pytest.mark.parametrize("call", ["start", "stop", "reload"])
def test_a_signal_handler_that_has_interrupted_one_can_only_stop(call, action):
    lines = run(f"""
        if {call!r} != "start":
            start()
        action = {action}
        interrupt({call!r})
        frappe_rt.{call}({'"", socketio_port=0, frappe_rt_redis=False' if call == "start" else ""})
        print(frappe_rt.running())
    """)
    assert lines == [REFUSED, str(call != "stop")]


def test_a_stop_does_not_wait_beyond_its_deadline_for_that_of_another_thread():
    lines = run("""
        start()
        stop, inside, go_on = _rt.stop, threading.Event(), threading.Event()
        def slow(*args):
            inside.set()
            go_on.wait()
            return stop(*args)
        _rt.stop = slow
        thread = threading.Thread(target=lambda: print("other:", frappe_rt.stop()))
        thread.start()
        inside.wait()
        print(frappe_rt.stop(0.01))
        go_on.set()
        thread.join()
    """)
    assert lines == ["False", "other: True"]
