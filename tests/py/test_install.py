"""One wheel, built once, in a fresh virtual environment of each Python that is found here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = [f"3.{minor}" for minor in range(10, 14)]
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
}

pytestmark = pytest.mark.skipif(
    "FRAPPE_RT_SANITIZED" in os.environ, reason="a wheel is built without sanitizers"
)


def run(*words):
    done = subprocess.run(
        [str(word) for word in words],
        cwd="/",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def find_python(version):
    """An interpreter of that version that runs: in PATH, pyenv's, or the one that runs here."""
    places = [shutil.which(f"python{version}")]
    places += (Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python")
    places.append(sys._base_executable)
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for place in filter(None, places):
        told = subprocess.run([place, "-c", code], capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return place
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the files that are in the repository or would be, as a user's pip does."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "csrc", source / "csrc")
    shutil.copytree(
        ROOT / "frappe_rt",
        source / "frappe_rt",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    into = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", into, source)
    [built] = into.glob("*.whl")
    assert "-cp310-abi3-" in built.name
    inside = {name.removeprefix("frappe_rt/") for name in ZipFile(built).namelist()}
    assert {
        "client/realtime.js",
        "demo/page/index.html",
        "handlers/host.js",
        "handlers/node/host.js",
        "handlers/package.json",
        "py.typed",
    } <= inside
    assert {"bench/templates/nginx.conf", "bench/templates/frappe_rt.service"} <= inside
    return built


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_fresh_environment(wheel, tmp_path, version):
    python = find_python(version)
    if python is None:
        assert f"{sys.version_info.major}.{sys.version_info.minor}" != version
        pytest.skip(f"there is no Python {version} with venv here")
    run(python, "-m", "venv", tmp_path / "env")
    fresh = tmp_path / "env/bin/python"
    run(fresh, "-m", "pip", "install", "--quiet", wheel)
    code = """
import frappe_rt
with frappe_rt.start("", "one.localhost", socketio_port=0, frappe_rt_redis=False) as server:
    frappe_rt.publish_realtime("e", {"n": 1})
    print(server.port > 0, frappe_rt.stats(60)["uptime_ms"] >= 0, frappe_rt.__file__)
"""
    told = run(fresh, "-c", code).split()
    assert told[:2] == ["True", "True"]
    assert Path(told[2]).is_relative_to(tmp_path)
    assert "serve" in run(fresh, "-m", "frappe_rt", "--help")
