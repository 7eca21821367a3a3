"""One worker process, without a supervisor: what it does when there is no parent, or no application."""

import subprocess
import sys

import pytest

SCRIPT = """
import socket, sys
from todo_api.server.entrance import alone
from todo_api.server.worker import run_worker

def make_app():
    if "no application" in sys.argv:
        raise RuntimeError("there is no database")
    return alone(lambda environ, start_response: [])

link, parent = socket.socketpair()
if "no parent" in sys.argv:
    parent.close()
listener = socket.create_server(("127.0.0.1", 0))
status = run_worker(
    link, 0, listener=listener, make_app=make_app, threads=2, request_timeout=15, core_pinning=False
)
if "no parent" not in sys.argv:
    print(parent.recv(4096).decode())
sys.exit(status)
"""


def worker(*lacks: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *lacks],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_worker_whose_parent_has_ended_drains_and_reports_no_error() -> None:
    ended = worker("no parent")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_worker_without_an_application_tells_its_parent_why() -> None:
    ended = worker("no application")
    assert (ended.returncode, ended.stdout) == (1, "RuntimeError: there is no database\n")


def test_a_worker_without_an_application_ends_without_a_parent_too() -> None:
    ended = worker("no application", "no parent")
    assert ended.returncode == 1
    assert "BrokenPipeError" not in ended.stderr
