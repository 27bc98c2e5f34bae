"""``setup``: process files of a bench, changed and changed back."""

import json
import shutil
import subprocess
import sys

import pytest

from frappe_rt.bench import setup

PROCFILE = """\
redis_cache: redis-server config/redis_cache.conf
web: bench serve --port 8000

socketio: /usr/bin/node apps/frappe/socketio.js
watch: bench watch
"""

SUPERVISOR = """\
; as bench writes it
[program:frappe-bench-frappe-web]
command=/home/frappe/frappe-bench/env/bin/gunicorn -b 127.0.0.1:8000 frappe.app:application
directory=/home/frappe/frappe-bench/sites

[program:frappe-bench-node-socketio]
command=/usr/bin/node /home/frappe/frappe-bench/apps/frappe/socketio.js
priority=4
user=frappe

[group:frappe-bench-web]
programs=frappe-bench-frappe-web,frappe-bench-node-socketio
"""

UNIT = """\
[Unit]
Description=frappe-bench-node-socketio

[Service]
User=frappe
ExecStart=/usr/bin/node /home/frappe/frappe-bench/apps/frappe/socketio.js
Restart=always
"""


@pytest.fixture
def bench(tmp_path):
    for folder in ("sites", "apps", "config/systemd", "env/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    return tmp_path


@pytest.fixture
def whole(bench):
    (bench / "Procfile").write_text(PROCFILE)
    (bench / "config/supervisor.conf").write_text(SUPERVISOR)
    (bench / "config/systemd/frappe-bench-node-socketio.service").write_text(UNIT)
    (bench / "config/systemd/frappe-bench-frappe-web.service").write_text(UNIT)
    return bench


def write(plan):
    for change in plan.changes:
        change.write()


def read_all(bench):
    return {path: path.read_bytes() for path in bench.rglob("*") if path.is_file()}


def test_each_file_has_its_line(whole):
    write(setup.plan(whole))
    procfile = (whole / "Procfile").read_text()
    assert procfile == PROCFILE.replace(
        "socketio: /usr/bin/node apps/frappe/socketio.js\n",
        "# before frappe_rt: socketio: /usr/bin/node apps/frappe/socketio.js\n"
        "socketio: env/bin/python -m frappe_rt serve\n",
    )
    ours = f"{whole}/env/bin/python -m frappe_rt serve --bench {whole}\n"
    supervisor = (whole / "config/supervisor.conf").read_text()
    assert f"\ncommand={ours}priority=4\n" in supervisor
    assert "gunicorn -b" in supervisor
    unit = (whole / "config/systemd/frappe-bench-node-socketio.service").read_text()
    assert f"\nExecStart={ours}Restart=always\n" in unit
    assert (whole / "config/systemd/frappe-bench-frappe-web.service").read_text() == UNIT


def test_twice_changes_nothing_more(whole):
    write(setup.plan(whole))
    assert setup.plan(whole).changes == []


def test_undo_goes_back_to_the_byte(whole):
    before = read_all(whole)
    write(setup.plan(whole))
    assert read_all(whole) != before
    write(setup.plan(whole, undo=True))
    assert read_all(whole) == before
    assert setup.plan(whole, undo=True).changes == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  \n"])
@pytest.mark.parametrize("line", ["socketio: node socketio.js", "socketio: bench socketio\t"])
def test_undo_goes_back_to_the_byte_whatever_ends_the_lines(bench, line, end):
    for text in (f"web: x\r\n{line}{end}", f"{line}{end}\nweb: x{end}"):
        (bench / "Procfile").write_bytes(text.encode())
        write(setup.plan(bench))
        written = (bench / "Procfile").read_bytes().decode()
        assert written.endswith("\n") == text.endswith("\n")
        write(setup.plan(bench, undo=True))
        assert (bench / "Procfile").read_bytes().decode() == text


def test_undo_leaves_what_somebody_has_put_in_our_place(bench):
    (bench / "Procfile").write_text(PROCFILE)
    write(setup.plan(bench))
    text = (bench / "Procfile").read_text().replace("env/bin/python -m frappe_rt serve", "./mine")
    (bench / "Procfile").write_text(text)
    assert setup.plan(bench, undo=True).changes == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_procfile_without_such_a_line(bench, end):
    text = f"web: bench serve{end}"
    (bench / "Procfile").write_bytes(text.encode())
    write(setup.plan(bench))
    lines = (bench / "Procfile").read_text().splitlines()
    assert lines[-1] == "socketio: env/bin/python -m frappe_rt serve"
    write(setup.plan(bench, undo=True))
    assert (bench / "Procfile").read_bytes() == text.encode()


@pytest.mark.parametrize(
    "line",
    [
        "socketio: node apps/frappe/socketio.js",
        "socketio: bench socketio",
        "socketio:   env/bin/python -m frappe.realtime.server",
        "socketio: NODE_ENV=production /opt/node/bin/node --inspect apps/frappe/socketio.js",
    ],
)
def test_the_servers_of_all_generations_are_known(bench, line):
    (bench / "Procfile").write_text(f"{line}\n")
    write(setup.plan(bench))
    assert "frappe_rt serve" in (bench / "Procfile").read_text().splitlines()[1]
    write(setup.plan(bench, undo=True))
    assert (bench / "Procfile").read_text() == f"{line}\n"


def test_a_line_written_by_hand_is_left_alone(whole):
    (whole / "Procfile").write_text("a: b\nsocketio: ./my-own-server --fast\n")
    before = read_all(whole)
    with pytest.raises(setup.Refused, match=r"line 2: 'socketio: ./my-own-server --fast'.*by hand"):
        setup.plan(whole)
    assert read_all(whole) == before


def test_no_known_file(bench):
    plan = setup.plan(bench)
    assert plan.changes == []
    unit = plan.remarks[0]
    assert f"\nExecStart={bench}/env/bin/python -m frappe_rt serve --bench {bench}\n" in unit
    assert f"\nUser={bench.owner()}\n" in unit
    assert "@" not in unit
    assert setup.plan(bench, undo=True).remarks == []


def test_a_file_that_has_changed_meanwhile(whole):
    plan = setup.plan(whole)
    (whole / "Procfile").write_text(PROCFILE + "more: x\n")
    with pytest.raises(setup.Refused, match="has changed meanwhile"):
        write(plan)
    assert "more: x" in (whole / "Procfile").read_text()


def test_links_and_modes_stay(bench):
    real = bench / "elsewhere"
    real.write_text(PROCFILE)
    real.chmod(0o640)
    (bench / "Procfile").symlink_to(real)
    write(setup.plan(bench))
    assert (bench / "Procfile").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "frappe_rt" in real.read_text()


def test_a_bench_whose_path_has_a_space(tmp_path):
    bench = tmp_path / "my bench"
    (bench / "config").mkdir(parents=True)
    (bench / "config/supervisor.conf").write_text(SUPERVISOR)
    write(setup.plan(bench))
    assert f"--bench '{bench}'\n" in (bench / "config/supervisor.conf").read_text()


NGINX = """\
upstream my-bench-socketio-server {
\tserver 127.0.0.1:9000 fail_timeout=0;
}
server { location /socket.io { proxy_pass http://my-bench-socketio-server; } }
"""


def test_the_keys_it_goes_by(whole):
    (whole / "sites/common_site_config.json").write_text('{"socketio_port": 9005}')
    assert setup.plan(whole).remarks == [
        "socketio_port: 9005 (common_site_config.json)",
        'redis_queue: "redis://127.0.0.1:11311" (default)',
        "webserver_port: 8000 (default)",
    ]


def test_nginx(whole):
    nginx = whole / "config/nginx.conf"
    nginx.write_text("server { listen 80; }")
    assert "proxy_pass http://127.0.0.1:9000;" in setup.plan(whole).remarks[-1]
    nginx.write_text(NGINX)
    assert "already points there" in setup.plan(whole).remarks[-1]
    (whole / "sites/common_site_config.json").write_text('{"socketio_port": 9005}')
    told = setup.plan(whole).remarks[-1]
    assert "points to 127.0.0.1:9000, but the server listens on 127.0.0.1:9005" in told
    (whole / "sites/common_site_config.json").write_text('{"socketio_uds": "/run/rt.sock"}')
    nginx.write_text("server { listen 80; }")
    assert "proxy_pass http://unix:/run/rt.sock;" in setup.plan(whole).remarks[-1]


class TestCommand:
    def run(self, bench, *words, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "frappe_rt", "setup", "--bench", str(bench), *words],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    def test_shows_and_writes_nothing(self, whole):
        before = read_all(whole)
        shown = self.run(whole)
        assert "+socketio: env/bin/python -m frappe_rt serve" in shown
        assert "nothing written yet" in shown
        assert read_all(whole) == before

    def test_writes_and_says_what_comes_next(self, whole):
        shown = self.run(whole, "--write")
        assert "written: 3 files" in shown
        assert "sudo supervisorctl update" in shown
        assert "sudo systemctl restart frappe-bench-node-socketio" in shown
        assert "nothing to change" in self.run(whole, "--write")
        assert "written: 3 files" in self.run(whole, "--undo", "--write")
        assert (whole / "Procfile").read_text() == PROCFILE

    def test_one_file_is_no_plural(self, whole):
        shutil.rmtree(whole / "config")
        assert "written: 1 file. Now run:" in self.run(whole, "--write")

    def test_as_json(self, whole):
        told = json.loads(self.run(whole, "--json"))
        assert len(told["changes"]) == 3
        assert told["written"] is False
        assert json.loads(self.run(whole, "--json", "--write"))["written"] is True

    def test_no_bench(self, tmp_path):
        assert "ExecStart=" in self.run(tmp_path)

    def test_a_wrong_configuration(self, whole):
        (whole / "sites/common_site_config.json").write_text("{")
        assert "not valid JSON" in self.run(whole, status=1)
