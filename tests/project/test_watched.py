"""What leaks in a test is found: in an answer, in a log line, in the log of a service of its own."""

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from flask import Flask

from support.credentials import PASSWORD, SECRET
from support.leaks import Scan
from support.live_service import live_service

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl"


@pytest.fixture
def found(watched: Scan) -> Callable[[], list[str]]:
    """What was found since the last call, which then doesn't fail the test."""

    def found() -> list[str]:
        taken = [leak.partition(": '")[0] for leak in watched.found]
        watched.found.clear()
        return taken

    return found


def test_in_an_answer(make_app: Callable[..., Flask], found: Callable[[], list[str]]) -> None:
    app = make_app()
    app.add_url_rule("/body", "body", lambda: {"detail": f"Bearer {TOKEN}"})
    app.add_url_rule("/header", "header", lambda: ("", {"Location": f"/?key={SECRET}"}))
    client = app.test_client()
    client.get("/health/live")
    assert found() == []
    client.get("/body")
    assert found() == ["body: a token"]
    client.get("/header")
    assert found() == ["headers: a secret"]


def test_in_a_log_line(found: Callable[[], list[str]], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "todo_api.some")  # whatever a test before has set
    caplog.set_level(logging.INFO, "some.library")
    logging.getLogger("todo_api.some").info("logged in with %s", PASSWORD)
    assert found() == ["log: a secret"]
    logging.getLogger("some.library").warning("SELECT id FROM tasks")
    assert found() == ["log: SQL"]
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("todo_api.some").exception("bug")
    assert "log: a traceback" in found()


@pytest.mark.slow
def test_in_the_log_of_a_service(database_url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="not JSON"),
        live_service(database_url, tmp_path, LOG_FORMAT="text") as service,
    ):
        urlopen(f"{service.url}/health/live").close()
