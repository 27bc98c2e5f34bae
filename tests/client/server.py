"""The server thread and a stub web process, told by a Node test what to do.

One JSON object a line on stdin, `{"do": name, ...arguments}`; one JSON answer a line on stdout. The
first line on stdout says where things are. Ends with its stdin.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "py"))

from support.bench import PATIENCE
from support.stub_web import StubWeb

import frappe_rt

SITE = "one.localhost"
web = StubWeb(SITE)
started = None


def start(**overrides):
    """The first start takes a free port, later ones the same again."""
    global started
    port = started.port if started else 0
    settings = {"socketio_port": port, "frappe_rt_redis": False, "webserver_port": web.port}
    started = frappe_rt.start("", SITE, **(settings | overrides))
    return {"port": started.port, "web": web.port, "site": SITE}


def stop():
    return frappe_rt.stop()


def publish(times=1, **call):
    for n in range(times):
        frappe_rt.publish_realtime(**(call if times == 1 else call | {"message": n}))


def progress(**call):
    frappe_rt.publish_progress(**call)


def stats():
    return frappe_rt.stats(PATIENCE)


def web_go():
    web.go()


def web_come():
    web.come()


def web_set(**what):
    for name, value in what.items():
        setattr(web, name, value)


def questions():
    asked, web.questions = web.questions, []
    return asked


def main():
    commands = (start, stop, publish, progress, stats, web_go, web_come, web_set, questions)
    by_name = {command.__name__: command for command in commands}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": by_name[request.pop("do")](**request)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
