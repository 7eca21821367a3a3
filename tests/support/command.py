"""The command todo-api as a process in a folder of its own, cleared away with all that was started in it."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import todo_api
from support.folders import quick_folder
from support.waiting import until
from todo_api.settings.config import Config, variable

PATIENCE = 60.0
SECRET = "a secret that only these tests know, 0123456789"
SETTINGS = [variable(setting.name) for setting in fields(Config)]
ACCOUNT = {"email": "ann@example.com", "password": "correct horse battery"}
MODULE = [sys.executable, "-m", "todo_api"]
PLAIN = {
    name: value
    for name, value in os.environ.items()
    if name not in SETTINGS and not name.startswith(("PG", "XDG_", "COLUMNS", "SPACE_ID"))
} | {"PYTHONPATH": str(Path(todo_api.__file__).parents[1]), "BCRYPT_ROUNDS": "4", "WORKERS": "2"}


@dataclass
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def warnings(self) -> list[str]:
        """The warnings of a log in JSON, but that the tests run as root, if they do."""
        lines = [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]
        found = [line["message"] for line in lines if line["level"] == "WARNING"]
        return [message for message in found if not message.startswith("running as root")]

    @property
    def complaint(self) -> str:
        """The one line that it wrote to standard error."""
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("todo-api: ")
        return lines[0].removeprefix("todo-api: ")


class Command:
    """A running todo-api."""

    def __init__(
        self,
        folder: Path,
        arguments: tuple[str, ...],
        variables: dict[str, str],
        before: tuple[str, ...] = (),
    ) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*before, *MODULE, *arguments],
            cwd=folder,
            env=PLAIN | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = ""

    def ready(self) -> "Command":
        """Wait for the line that says where the service is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.took = time.monotonic() - self.started
        found = re.fullmatch(
            r"Todo API on (http://127\.0\.0\.1:(\d+)) \(documentation: \1/docs\)\. "
            r"Ctrl-C stops it\.\n",
            line,
        )
        assert found, line or self.end().err
        self.url, self.port = found[1], int(found[2])
        return self

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Status and body of an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def titles(self, session: dict[str, Any]) -> list[str]:
        """The titles of a user's tasks, as the service tells them."""
        path = f"/api/{session['user_id']}/tasks"
        status, answer = self.call("GET", path, token=session["access_token"])
        assert status == 200, answer
        return [task["title"] for task in answer["data"]]

    def end(self, number: signal.Signals | None = None) -> Ended:
        """Send a signal, if any, and wait for the end."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)

    def clear_away(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()


@dataclass
class Desk:
    """A working folder, and what is started in it."""

    folder: Path
    commands: list[Command]

    def start(self, *arguments: str, **variables: str) -> Command:
        self.commands.append(Command(self.folder, arguments, variables))
        return self.commands[-1]

    def run(self, *arguments: str, **variables: str) -> Ended:
        return self.start(*arguments, **variables).end()


@contextlib.contextmanager
def a_desk() -> Iterator[Desk]:
    # Not tmp_path: the path of a socket has to be short.
    folder = quick_folder("cli")
    desk = Desk(folder, [])
    try:
        yield desk
    finally:
        for command in desk.commands:
            command.clear_away()
        until(lambda: not processes_in(folder))
        shutil.rmtree(folder)


def processes_in(folder: Path) -> list[str]:
    """The processes that work in or below `folder`, or that were started for it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if (process / "cwd").readlink().is_relative_to(folder) or bytes(folder) in words:
                found.append(f"{process.name} {words!r}")
    return found
