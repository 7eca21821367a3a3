"""todo-api.service: what systemd thinks of it, and the service under it, with the embedded PostgreSQL."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import todo_api
from deploy.first_process import Machine, booted
from support.waiting import until

DEPLOY = Path(todo_api.__file__).parent / "deploy"
UNIT = DEPLOY / "todo-api.service"
CHECKOUT = Path(__file__).parents[2]
INSTALLED = "/opt/todo-api"
PYTHON = "/usr/bin/python3"  # the unit hides the homes, where another one may be


def settings() -> dict[str, list[str]]:
    """Each setting of the unit, with its values in order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


# --- the file ---


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "ExecStart": [f"{INSTALLED}/.venv/bin/todo-api serve"],
        "User": ["todo-api"],
        # the data, and nothing else, can be written
        "StateDirectory": ["todo-api"],
        "StateDirectoryMode": ["0700"],
        "Environment": ["DATA_DIR=/var/lib/todo-api"],
        "ProtectSystem": ["strict"],
        "ProtectHome": ["yes"],
        "PrivateTmp": ["yes"],
        "PrivateDevices": ["yes"],
        "UMask": ["0077"],
        # the embedded PostgreSQL stops after the service
        "KillMode": ["mixed"],
        "RestartPreventExitStatus": ["2"],
        # no rights
        "NoNewPrivileges": ["yes"],
        "CapabilityBoundingSet": [""],
        "AmbientCapabilities": [""],
        "MemoryDenyWriteExecute": ["yes"],
        "RestrictSUIDSGID": ["yes"],
        "RestrictNamespaces": ["yes"],
        "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
        # without @resources a worker can't keep to a core, and hashes can't lower their priority
        "SystemCallArchitectures": ["native"],
        "SystemCallFilter": ["@system-service", "~@privileged"],
        "SystemCallErrorNumber": ["EPERM"],
    }.items(),
)
def test_a_setting_is_there_once_and_right(name: str, values: list[str]) -> None:
    assert settings()[name] == values


def test_a_stop_waits_for_the_requests_and_then_for_postgresql() -> None:
    [seconds] = settings()["TimeoutStopSec"]
    assert int(seconds) >= 10 + 60 + 10  # the drain, a fast shutdown, an immediate one


def test_secrets_come_from_a_file_and_none_is_in_the_unit() -> None:
    assert settings()["EnvironmentFile"] == ["-/etc/todo-api.env"]
    assert not re.search(r"JWT_SECRET=|DATABASE_URL=", UNIT.read_text("utf-8"))


# --- what systemd thinks of it ---


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit for a program that exists."""
    program = shutil.copy("/bin/true", tmp_path / "todo-api")
    text = UNIT.read_text("utf-8")
    assert text.count(f"{INSTALLED}/.venv/bin/todo-api") == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(f"{INSTALLED}/.venv/bin/todo-api", str(program)))
    return copy


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.programs
def test_systemd_finds_nothing_wrong_with_it(installed: Path) -> None:
    done = analyze("verify", installed)
    assert (done.returncode, done.stderr) == (0, "")  # an unknown setting is a warning


@pytest.mark.programs
def test_its_exposure_stays_low(installed: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=15", installed)  # 1.5 of 10
    assert done.returncode == 0, done.stdout


# --- the service under it ---


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """systemd with the unit as it is, and the service installed as the README says."""
    assert os.geteuid() == 0, "systemd has to be root"
    folder = tmp_path_factory.mktemp("machine")
    environment = folder / "todo-api" / ".venv"
    subprocess.run([PYTHON, "-m", "venv", environment], check=True)
    source = folder / "source"
    source.mkdir()
    for name in (
        "pyproject.toml",
        "setup.cfg",
        "README.md",
        "LICENSE",
        "todo_api",
        "sql",
        "migrations",
    ):
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, source / name)
    pip = [environment / "bin" / "pip", "install", "--quiet"]
    subprocess.run([*pip, f"{source}[embedded]"], check=True)
    command = environment / "bin" / "todo-api"
    command.write_text(command.read_text().replace(str(environment.parent), INSTALLED))
    prepare = f"""
        echo 'todo-api:x:64999:64999::/var/lib/todo-api:/usr/sbin/nologin' >>/etc/passwd
        echo 'todo-api:x:64999:' >>/etc/group
        mkdir {INSTALLED}
        mount --bind {environment.parent} {INSTALLED}
    """
    with booted(UNIT, folder, prepare) as machine:
        yield machine


@pytest.fixture
def configure(machine: Machine) -> Iterator[Callable[..., None]]:
    """Writes the file of settings; afterwards the service is stopped."""

    def configure(**values: str) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        machine.run("sh", "-c", f"umask 077; printf '{lines}' >/etc/todo-api.env")

    yield configure
    machine.run("systemctl", "stop", "todo-api")
    machine.try_to_run("systemctl", "reset-failed", "todo-api")


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def ask(url: str, body: dict[str, str] | None = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        return (
            json.load(answer)
            if "json" in answer.headers["Content-Type"]
            else answer.read().decode()
        )


def is_ready(url: str) -> bool:
    try:
        return bool(ask(f"{url}/health/ready") == {"status": "ok"})
    except OSError:
        return False


def threads_of_workers(machine: Machine) -> list[Path]:
    """All threads of all processes of the unit that serve, as the machine's /proc shows them."""
    found = []
    space = Path(f"/proc/{machine.pid}/ns/pid").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "ns" / "pid").readlink() == space
            serves = (process / "cmdline").read_bytes().endswith(b"/todo-api\0serve\0")
        except OSError:
            continue
        if inside and serves:
            found += (process / "task").iterdir()
    return found


def status(thread: Path, name: str) -> str:
    return re.findall(rf"^{name}:\s*(.*)$", (thread / "status").read_text(), re.MULTILINE)[0]


def niceness(thread: Path) -> int:
    return int((thread / "stat").read_text().rpartition(")")[2].split()[16])


def keeps_to_a_core(threads: list[Path]) -> bool:
    """Whether one of them may use one core alone, although there are more."""
    cores = [len(os.sched_getaffinity(int(thread.name))) for thread in threads]
    return min(cores) == 1 and (max(cores) > 1 or os.cpu_count() == 1)


@pytest.mark.programs
def test_it_serves_with_few_rights_and_stops_its_database_last(
    machine: Machine, configure: Callable[..., None]
) -> None:
    port, metrics = free_port(), free_port()
    configure(PORT=port, METRICS_PORT=metrics, WORKERS="2", THREADS="4", BCRYPT_ROUNDS="4")
    machine.run("systemctl", "start", "todo-api")
    url = f"http://127.0.0.1:{port}"
    until(lambda: is_ready(url))

    account = {"email": "ann@example.com", "password": "correct horse battery"}
    ann = ask(f"{url}/api/auth/signup", account)["data"]
    tasks, token = f"{url}/api/{ann['user_id']}/tasks", ann["access_token"]
    ask(tasks, {"title": "Buy oat milk"}, token)
    assert [task["title"] for task in ask(tasks, token=token)["data"]] == ["Buy oat milk"]
    # its files are in /dev/shm; the second worker may still be starting
    until(lambda: "todo_api_workers 2.0" in ask(f"http://127.0.0.1:{metrics}/metrics"))

    assert any(
        niceness(thread) > 0 for thread in threads_of_workers(machine)
    )  # the one that hashed
    until(lambda: keeps_to_a_core(threads_of_workers(machine)))
    threads = threads_of_workers(machine)
    assert len(threads) > 8
    for name, value in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapBnd", "0" * 16)):
        assert {status(thread, name) for thread in threads} == {value}

    machine.run("systemctl", "stop", "todo-api")
    stopped = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert machine.properties(*stopped) == stopped
    last = machine.run("tail", "-n", "1", "/var/lib/todo-api/pg/log")
    assert last.endswith("database system is shut down")


@pytest.mark.programs
def test_it_is_not_started_again_with_a_bad_setting(
    machine: Machine, configure: Callable[..., None]
) -> None:
    configure(PORT="none")
    machine.run("systemctl", "start", "todo-api")
    until(lambda: machine.properties("ActiveState") == {"ActiveState": "failed"})
    failed = {"ExecMainStatus": "2", "NRestarts": "0"}
    assert machine.properties(*failed) == failed


@pytest.mark.programs
def test_it_is_started_again_after_it_was_killed(
    machine: Machine, configure: Callable[..., None]
) -> None:
    port = free_port()
    configure(PORT=port, WORKERS="1", THREADS="2")
    machine.run("systemctl", "start", "todo-api")
    until(lambda: is_ready(f"http://127.0.0.1:{port}"))
    machine.run("systemctl", "kill", "--signal=KILL", "todo-api")
    until(lambda: machine.properties("NRestarts") == {"NRestarts": "1"})
    until(lambda: is_ready(f"http://127.0.0.1:{port}"))


@pytest.mark.programs
def test_the_guides_command_runs_with_the_same_account_and_settings(
    machine: Machine, configure: Callable[..., None]
) -> None:
    port = free_port()
    configure(PORT=port, WORKERS="1", THREADS="2", BCRYPT_ROUNDS="4")
    machine.run("systemctl", "start", "todo-api")
    until(lambda: is_ready(f"http://127.0.0.1:{port}"))
    account = {"email": "bob@example.com", "password": "correct horse battery"}
    ask(f"http://127.0.0.1:{port}/api/auth/signup", account)
    guide = (DEPLOY / "README.md").read_text("utf-8")
    [command] = re.findall(r"^systemd-run .*?[^\\]$", guide, re.MULTILINE | re.DOTALL)
    # inside there is no D-Bus, by which systemd-run passes the output on
    there = "-p Type=oneshot -p StandardOutput=append:/run/said -p StandardError=append:/run/said"
    assert command.count("--pipe --wait") == 1
    machine.run("sh", "-c", command.replace("--pipe --wait", there))
    assert re.search(r"^ended sessions: [1-9]", machine.run("cat", "/run/said"), re.MULTILINE)
