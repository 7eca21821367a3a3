"""The built wheel, in a clean environment and another folder, is the whole service."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SHIPPED = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE", "todo_api", "sql", "migrations")
LOCKS = ("requirements/build.lock", "requirements/service.lock")


@pytest.fixture
def todo_api(tmp_path):
    """The installed command."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    source.mkdir()
    for name in SHIPPED:
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, source / name)
    run = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", source]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    [wheel] = (tmp_path / "dist").glob("todo_api-*.whl")
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[embedded]"], check=True)
    shutil.rmtree(source)
    return environment / "bin" / "todo-api"


def test_the_image_is_built_from_what_is_shipped_alone():
    """No .git, .env or test gets into it."""
    everything, *but, compiled = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert (everything, compiled) == ("*", "**/__pycache__")
    assert sorted(but) == sorted(f"!{name}" for name in SHIPPED + LOCKS)


@pytest.fixture
def elsewhere():
    """A folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="todo-") as folder:
        yield Path(folder)


@pytest.mark.programs
def test_the_installed_wheel_serves_from_another_folder(todo_api, elsewhere):
    settings = {"DATA_DIR": str(elsewhere / "data"), "PORT": "0", "BCRYPT_ROUNDS": "4"}
    service = subprocess.Popen(
        [todo_api, "serve"],
        cwd=elsewhere,
        env={"PATH": os.environ["PATH"], **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = service.stdout.readline()
        port = int(line.split("http://127.0.0.1:")[1].split()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = json.dumps({"email": "ann@example.com", "password": "correct horse battery"})
        for method, path, sent, status in (
            ("GET", "/health/ready", None, 200),
            ("POST", "/api/auth/signup", body, 201),
            ("GET", "/docs", None, 200),
            ("GET", "/static/swagger-ui/swagger-ui-bundle.js", None, 200),
            ("GET", "/problems", None, 200),
        ):
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert (path, answer.status) == (path, status)
        connection.close()
        [monitoring] = todo_api.parents[1].glob(
            "lib/python3*/site-packages/todo_api/observability/monitoring"
        )
        assert {file.name for file in monitoring.iterdir()} == {"alerts.yml", "dashboard.json"}
        [deploy] = todo_api.parents[1].glob("lib/python3*/site-packages/todo_api/deploy")
        shipped = {file.name for file in deploy.iterdir()}
        assert shipped == {"README.md", "nginx.conf", "Caddyfile", "todo-api.service", "examples"}
        [common] = todo_api.parents[1].glob(
            "lib/python3*/site-packages/todo_api/auth/common_passwords"
        )
        shipped = {file.name for file in common.iterdir()}
        assert shipped == {"common-passwords.txt.gz", "LICENSE", "SOURCE.json"}
        service.send_signal(signal.SIGINT)
        assert service.wait(20) == 0
    finally:
        service.kill()
        service.wait()
        service.stdout.close()
