"""Times a newcomer's way: clone, the README's command without pip's cache, the first task; a second start.

.venv/bin/python tests/tools/first_task.py
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
ACCOUNT = {"email": "ann@example.com", "password": "correct horse battery"}


def cpu() -> float:
    """Seconds of CPU of all programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, used = time.monotonic(), cpu()
    yield
    line = f"{what:<40}{time.monotonic() - began:6.1f} s {cpu() - used:6.1f} s of CPU"
    sys.stdout.write(f"{line}\n")


def call(url: str, body: dict[str, str], token: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
        return dict(json.load(answer)["data"])


def first_task(serve: Callable[[], subprocess.Popen[str]], entry: str) -> subprocess.Popen[str]:
    """Start the service, sign up or log in, and add a task."""
    service = serve()
    assert service.stdout is not None
    url = re.findall(r"http://\S+", service.stdout.readline())[0].removesuffix("/docs")
    user = call(f"{url}/api/auth/{entry}", ACCOUNT)
    call(f"{url}/api/{user['user_id']}/tasks", {"title": "first"}, user["access_token"])
    return service


def stop(service: subprocess.Popen[str]) -> None:
    service.send_signal(signal.SIGINT)
    service.wait(90)


def main() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    [command] = re.findall(r"<!-- ci: serve -->\n```sh\n(.*)\n", readme)
    *preparing, serving = command.split(" && ")
    with tempfile.TemporaryDirectory(prefix="todo-") as made:
        folder = Path(made)
        checkout = folder / "todo-api"
        settings = {
            "PIP_CACHE_DIR": str(folder / "cache"),
            "DATA_DIR": str(folder / "data"),
            "PORT": "0",
        }
        environment = {**os.environ, **settings}

        def serve() -> subprocess.Popen[str]:
            return subprocess.Popen(
                serving.split(), cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip

        with timed("first task, all together"):
            with timed("git clone"):
                subprocess.run(["git", "clone", "-q", ROOT, checkout], check=True)
            for part in preparing:
                with timed(part):
                    subprocess.run(
                        part, shell=True, cwd=checkout, env=environment, check=True,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    )  # fmt: skip
            with timed("first start, until there is a task"):
                service = first_task(serve, "signup")
        with timed("stop (and the CPU from the start on)"):
            stop(service)
        with timed("second start, until there is a task"):
            service = first_task(serve, "login")
        with timed("stop (and the CPU from the start on)"):
            stop(service)


if __name__ == "__main__":
    main()
