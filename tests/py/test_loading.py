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
    {before}

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


def start_with_handlers(bench):
    options = f"socketio_port=0, frappe_rt_redis=False, frappe_rt_local_socket={f'{bench}/s'!r}"
    return f"frappe_rt.start({str(bench)!r}, handlers=True, {options})"


@pytest.mark.parametrize(
    ("module", "before", "use"),
    [
        (
            "frappe_rt.publishing.publish",
            "",
            lambda _: "frappe_rt.publish_realtime('e', site='one.localhost')",
        ),
        ("frappe_rt.server", "", lambda _: "frappe_rt.stop()"),
        ("frappe_rt.hosts.supervisor", "import frappe_rt.server", start_with_handlers),
    ],
)
def test_a_fork_waits_for_an_import(module, before, use, tmp_path):
    (tmp_path / "sites").mkdir()
    (tmp_path / "apps").mkdir()
    program = textwrap.dedent(PROGRAM).format(module=module, before=before, use=use(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program],
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


#: A log line that blocks, in three ways. `go_on` lets it end.
A_STUCK_HANDLER = """
    class Stuck(logging.Handler):
        def emit(self, record):
            begun.set()
            may_end.wait()

    logging.getLogger("frappe_rt").addHandler(Stuck())
    go_on = may_end.set
"""

#: Its thread holds the lock of the file's buffer, which Python does not undo in a child.
A_STUCK_FILE = """
    class Noting(logging.FileHandler):
        def emit(self, record):
            begun.set()
            super().emit(record)

    logging.getLogger("frappe_rt").addHandler(Noting(f"/dev/fd/{into}"))
    go_on = threading.Thread(target=drain, daemon=True).start
"""

A_STUCK_STDERR = """
    class Noting:
        flush = sys.__stderr__.flush

        def write(self, text):
            begun.set()
            sys.__stderr__.write(text)

    usual = os.dup(2)
    os.dup2(into, 2)
    sys.stderr = Noting()

    def go_on():
        os.dup2(usual, 2)
        threading.Thread(target=drain, daemon=True).start()
"""

LINE_FIRST = """
    line.start()
    begun.wait()
    child = os.fork()
"""

#: The hook comes after ours, and finds the locks taken.
FORK_FIRST = """
    child = fork_and_start(line)
    if child:
        begun.wait()
"""

STUCK = """
    import os, sys, threading

    starts = []  # threads, when all locks are taken for a fork
    os.register_at_fork(before=lambda: starts and starts.pop().start())
    {early}
    import frappe_rt, frappe_rt.publishing.deliver as deliver
    {late}
    begun, may_end = threading.Event(), threading.Event()
    out, into = os.pipe()
    may_go_on, let_go_on = os.pipe()

    def fill():
        os.set_blocking(into, False)
        for size in (65536, 1):
            try:
                while True:
                    os.write(into, bytes(size))
            except BlockingIOError:
                pass
        os.set_blocking(into, True)

    def drain():
        while os.read(out, 65536):
            pass

    def fork_and_start(thread):
        starts.append(thread)
        return os.fork()

    def expect_a_good_end(child):
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    def in_child():
        os.read(may_go_on, 1)
        go_on()
        frappe_rt.publish_realtime("e", site="one.localhost")
        assert sum(deliver.get_counters().values()) == 1
        deliver.lose("lost_no_site", "in the child")
        grandchild = os.fork()
        if grandchild == 0:
            deliver.lose("lost_no_site", "in its child")
        else:
            expect_a_good_end(grandchild)
        os._exit(7)

    fill()
    {part}
    line = threading.Thread(target=deliver.lose, args=("lost_no_site", "in the parent"))
    {order}
    if child == 0:
        in_child()
    assert line.is_alive()
    os.write(let_go_on, b"x")
    expect_a_good_end(child)
    go_on()
    line.join()
    child = os.fork()
    if child == 0:
        os._exit(7)
    expect_a_good_end(child)
    print("done")
"""


@pytest.mark.parametrize("order", [LINE_FIRST, FORK_FIRST], ids=["line first", "fork first"])
@pytest.mark.parametrize(
    ("part", "early", "late"),
    [
        (A_STUCK_HANDLER, "import logging", ""),
        (A_STUCK_HANDLER, "", "import logging"),
        (A_STUCK_FILE, "", "import logging"),
        (A_STUCK_STDERR, "", ""),
    ],
    ids=["handler", "handler, logging imported later", "file", "stderr"],
)
def test_a_fork_does_not_wait_for_a_stuck_log_line(part, early, late, order):
    program = textwrap.dedent(STUCK)
    for name, text in {"early": early, "late": late, "part": part, "order": order}.items():
        program = program.replace(f"{{{name}}}", textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    if order == LINE_FIRST:  # else logging may be used in the child, too
        assert "not published, in the child (1 lost so far)\n" in done.stderr
        assert "not published, in its child (1 lost so far)\n" in done.stderr
