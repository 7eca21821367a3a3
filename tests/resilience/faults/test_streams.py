"""Whoever starts the service may close its streams, stop reading them, or close the terminal."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from support.command import PLAIN
from support.credentials import SECRET
from support.processes import alive, children
from support.waiting import until

REDIRECTED = [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"]
Serve = Callable[..., tuple["subprocess.Popen[bytes]", str]]


@pytest.fixture
def serve(module_database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts `todo-api serve` in a shell that redirects its streams; once it answers, its process and URL."""
    started: list[subprocess.Popen[bytes]] = []

    def serve(redirected: str, before: str = "") -> tuple["subprocess.Popen[bytes]", str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        env = {name: value for name, value in PLAIN.items() if name != "PYTHONUNBUFFERED"}
        env |= {"DATABASE_URL": module_database_url, "JWT_SECRET": SECRET, "WORKERS": "1"}
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'{before} exec "$0" -m todo_api serve {redirected}', sys.executable],
            env=env | {"PORT": f"{port}"},
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # Whoever runs the tests may do so under nohup.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        started.append(process)
        until(lambda: is_up(f"http://127.0.0.1:{port}"))
        return process, f"http://127.0.0.1:{port}"

    yield serve
    for process in started:
        with process, suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def is_up(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/health/ready").status_code == 200
    return False


def replaces_its_worker(process: "subprocess.Popen[bytes]", url: str) -> bool:
    [worker] = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    until(lambda: not alive(worker))
    until(lambda: is_up(url))
    return children(process.pid) != [worker]


@pytest.mark.parametrize("redirected", REDIRECTED)
def test_it_serves_and_replaces_workers_wherever_its_streams_lead(
    serve: Serve, redirected: str
) -> None:
    process, url = serve(redirected)
    assert replaces_its_worker(process, url)
    process.terminate()
    assert process.wait(60) in (0, 120)  # 120: Python could not write what was left


def test_a_log_that_nobody_reads_any_more_keeps_nothing_from_going_on(serve: Serve) -> None:
    process, url = serve("")
    assert process.stderr is not None
    process.stderr.close()
    for _ in range(2):
        httpx.get(f"{url}/nothing")  # a line that can't be written
        assert replaces_its_worker(process, url)


def test_a_terminal_that_is_closed_stops_it_as_sigterm_does(serve: Serve) -> None:
    process, _ = serve("")
    os.killpg(process.pid, signal.SIGHUP)  # the kernel sends it to all processes
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"SIGHUP: finishing the accepted requests" in log


def test_under_nohup_it_goes_on(serve: Serve) -> None:
    process, url = serve("", before="trap '' HUP;")
    os.killpg(process.pid, signal.SIGHUP)
    assert replaces_its_worker(process, url)
