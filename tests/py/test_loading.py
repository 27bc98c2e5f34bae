"""What is imported at first use, while another thread forks."""

import subprocess
import sys
import textwrap

import pytest
from support.bench import PATIENCE

#: A thread that needs MODULE for the first time, and a fork while it is being imported.
PROGRAM = """
    import os, sys, threading, time
    import frappe_rt, frappe_rt.publishing.deliver

    class Slow:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                begun.set()
                time.sleep(0.5)

    def use():
        {use}

    begun = threading.Event()
    sys.meta_path.insert(0, Slow())
    assert {module!r} not in sys.modules
    thread = threading.Thread(target=use)
    thread.start()
    begun.wait()
    child = os.fork()
    if child == 0:
        use()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    thread.join()
    print("done")
"""


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("frappe_rt.publishing.publish", "frappe_rt.publish_realtime('e', site='one.localhost')"),
        ("frappe_rt.server", "frappe_rt.stop()"),
    ],
)
def test_a_fork_waits_for_an_import(module, use):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(module=module, use=use)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.mark.parametrize("how", ["sys.stderr = None", "sys.stderr.close()"])
def test_nothing_is_raised_where_nobody_can_be_told(how):
    program = f"""
import sys
from frappe_rt.publishing import deliver
{how}
deliver.lose("lost_no_site", "why")
print(1)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, timeout=PATIENCE, check=True
    )
    assert done.stdout == b"1\n"


@pytest.mark.parametrize("imported", [False, True])
def test_logging_is_used_and_not_imported(imported):
    """Its import beside a fork would have the fork release locks that it has not acquired."""
    program = f"""
        import sys, frappe_rt, frappe_rt.publishing.deliver
        if {imported}:
            import logging
            logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
        assert ("logging" in sys.modules) is {imported}
        frappe_rt.publishing.deliver.lose("lost_no_site", "event %r: %s", "e", "why")
        assert ("logging" in sys.modules) is {imported}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    line = "not published, event 'e': why (1 lost so far)\n"
    assert done.stderr == ("WARNING frappe_rt " if imported else "") + line


#: `log` is a logger with a handler of its own; every test ends with what it prints.
TELLING = """
    import os, sys, threading, time
    import frappe_rt.publishing.deliver as deliver
    import logging  # after it, so that a fork asks for logging's locks before ours

    class Handler(logging.Handler):
        def emit(self, record):
            print(record.getMessage(), flush=True)

    log = logging.getLogger("frappe_rt")
    log.addHandler(Handler())
    begun = threading.Event()
"""

A_FORK = """
    get = logging.getLogger

    def get_slowly(name):
        begun.set()
        time.sleep(0.3)
        return get(name)

    logging.getLogger = get_slowly
    thread = threading.Thread(target=deliver.lose, args=("lost_no_site", "why"))
    thread.start()
    begun.wait()
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    thread.join()
"""

A_HANDLER_THAT_PUBLISHES = """
    def emit(record):
        print(record.getMessage(), flush=True)
        if record.name == "app":
            begun.set()
            time.sleep(0.3)
            deliver.lose("lost_bad_message", "its own")

    log.handlers[0].emit = emit
    app = logging.getLogger("app")
    app.addHandler(log.handlers[0])
    thread = threading.Thread(target=app.warning, args=("a line",))
    thread.start()
    begun.wait()
    deliver.lose("lost_no_site", "why")
    thread.join()
"""

A_HANDLER_THAT_RAISES = """
    def emit(record):
        raise OSError("no space left on device")

    log.handlers[0].emit = emit
    deliver.lose("lost_no_site", "why")
    print(deliver.get_counters()["lost_no_site"])
"""


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (A_FORK, {"not published, why (1 lost so far)"}),
        (
            A_HANDLER_THAT_PUBLISHES,
            {
                "a line",
                "not published, its own (1 lost so far)",
                "not published, why (1 lost so far)",
            },
        ),
        (A_HANDLER_THAT_RAISES, {"1"}),
    ],
    ids=["a fork", "a handler that publishes", "a handler that raises"],
)
def test_telling_a_loss_beside(program, told):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TELLING) + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert set(done.stdout.splitlines()) == told
