"""Log lines: what a machine and a person read, and what is never in them."""

import io
import json
import logging
import re
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from support.live_service import live_service
from todo_api.observability import logs

NASTY = (
    'a "quote", a \\ backslash,\n a line,\r a return,\x1b[31m red,'
    "\0 \x7f \x85 \u2028 \u202e ünï 🔑 \ud800"
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Log:
    """What was written since `start`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._stream = io.StringIO()

    def start(self, level: str = "INFO", form: str | None = "json", **kind: Any) -> None:
        self._stream = Terminal() if kind.get("terminal") else io.StringIO()
        self._monkeypatch.setattr(sys, "stderr", self._stream)
        logs.setup(level, form)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, logging_kept: None) -> Log:
    """Logging as the command sets it up."""
    return Log(monkeypatch)


@pytest.fixture
def speak() -> logging.Logger:
    return logging.getLogger("todo_api.test")


def test_a_json_line_is_one_object_whatever_the_message_holds(
    log: Log, speak: logging.Logger
) -> None:
    log.start()
    speak.warning("%s", NASTY)
    speak.info("100 %", extra={"fields": {"route": NASTY, "n": 1, "other": {1, 2}.__class__}})

    assert log.text.count("\n") == 2
    assert log.text.isascii()
    first, second = log.lines
    assert first["message"] == NASTY
    assert (first["level"], first["logger"]) == ("WARNING", "todo_api.test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert (second["route"], second["n"], second["message"]) == (NASTY, 1, "100 %")


def test_a_text_line_is_one_line_and_leaves_the_terminal_alone(
    log: Log, speak: logging.Logger
) -> None:
    log.start(form="text")
    speak.warning("%s", NASTY)
    speak.info("100 %", extra={"fields": {"route": NASTY, "user_id": None}})

    first, second = log.text.splitlines()
    assert log.text.count("\n") == 2
    assert all(character.isprintable() for character in first + second)
    assert re.match(r'\d\d:\d\d:\d\d WARNING a "quote", a \\ backslash,\\n a line,\\r', first)
    assert r"\x1b[31m red,\x00 \x7f \x85 \u2028 \u202e ünï 🔑 \ud800" in first
    assert "INFO    100 % route=a" in second
    assert "user_id" not in second


def fail() -> None:
    raise RuntimeError(NASTY.encode("utf-8", "replace").decode())


def test_a_traceback_stays_in_its_json_line(log: Log, speak: logging.Logger) -> None:
    log.start()
    try:
        fail()
    except RuntimeError:
        speak.exception("bug")
    [line] = log.lines
    assert line["message"] == "bug"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert "in fail\n" in line["exception"]


def test_a_traceback_has_its_lines_below_a_text_line(log: Log, speak: logging.Logger) -> None:
    log.start(form="text")
    try:
        fail()
    except RuntimeError:
        speak.exception("bug")
    lines = log.text.split("\n")
    assert lines[0].endswith("ERROR   bug")
    assert lines[1] == "Traceback (most recent call last):"
    assert any(line.endswith("in fail") for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("form", "terminal", "is_json"),
    [
        (None, True, False),
        (None, False, True),
        ("json", True, True),
        ("text", False, False),
    ],
)
def test_without_a_format_a_terminal_gets_text_and_a_machine_json(
    log: Log, speak: logging.Logger, form: str | None, terminal: bool, is_json: bool
) -> None:
    log.start(form=form, terminal=terminal)
    speak.info("hello")
    assert log.text.startswith("{") is is_json


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_the_level_is_the_services_own_and_libraries_start_at_warning(
    log: Log, speak: logging.Logger, level: str, heard: list[str]
) -> None:
    log.start(level)
    for name in "DEBUG", "INFO", "WARNING", "ERROR":
        speak.log(getattr(logging, name), name)
    assert [line["message"] for line in log.lines] == heard

    log.start(level)
    for name in "DEBUG", "INFO", "WARNING", "ERROR":
        logging.getLogger("waitress").log(getattr(logging, name), name)
    assert [line["message"] for line in log.lines] == [
        name for name in heard if name in ("WARNING", "ERROR")
    ]


def test_warnings_are_log_lines(log: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.start()
        warnings.warn("this is old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    [line] = log.lines
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: this is old" in line["message"]


def test_to_set_up_twice_does_not_double_the_lines(log: Log, speak: logging.Logger) -> None:
    log.start()
    logs.setup("INFO", "json")
    speak.info("once")
    assert len(log.lines) == 1


# --- a request's line ------------------------------------------------------------------------------


def request_lines(log: Log) -> list[dict[str, Any]]:
    return [line for line in log.lines if line["logger"] == "todo_api.access"]


def test_a_request_has_one_line_that_says_what_and_who_and_how_long(
    log: Log, client: FlaskClient, ann: Any
) -> None:
    log.start()
    answer = ann.get(ann.tasks, headers={"X-Request-ID": "my-id"})
    [line] = request_lines(log)
    took = line.pop("ms")
    assert 0 < took < 30_000
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "todo_api.access",
        "message": "request",
        "method": "GET",
        "route": "/api/<user_id>/tasks",
        "status": 200,
        "request_id": "my-id",
        "user_id": ann.id,
        "address": "127.0.0.1",
        "token": "session",
    }
    assert answer.json["meta"]["request_id"] == "my-id"


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/nowhere", 404, None),
        ("PUT", "/health/live", 405, None),
        ("POST", "/api/auth/login", 415, "/api/auth/login"),
        ("GET", "/api/x/tasks", 401, "/api/<user_id>/tasks"),
    ],
)
def test_a_refused_request_has_one_too(
    log: Log, client: FlaskClient, method: str, path: str, status: int, route: str | None
) -> None:
    log.start()
    answer = client.open(path, method=method)
    assert answer.status_code == status
    [line] = request_lines(log)
    assert (line["status"], line["route"], line["user_id"]) == (status, route, None)
    assert line["request_id"] == answer.headers["X-Request-ID"]


def test_what_happened_at_the_door_is_in_the_line(log: Log, client: FlaskClient) -> None:
    log.start()
    account = {"email": "ann@example.com", "password": "correct horse battery"}
    client.post("/api/auth/signup", json=account)
    client.post("/api/auth/login", json=account | {"password": "wrong horse"})
    assert [line["auth_event"] for line in request_lines(log)] == ["signup", "login_refused"]


def test_from_warning_on_requests_are_not_logged(log: Log, client: FlaskClient) -> None:
    log.start("WARNING")
    client.get("/health/live")
    assert log.text == ""


REFUSED = {
    "413": (
        b"POST /api/Path-word/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n",
        413,
        "POST",
    ),
    "431": (b"GET / HTTP/1.1\r\nX-Filler: " + b"x" * 20_000 + b"\r\n", 431, "GET"),
    "400": (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: Header-word\r\n", 400, "GET"),
    "no-http": (b"Junk-word\r\n", 400, None),
    "408": (b"POST /api/Path-word/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 408, "POST"),
}


@pytest.mark.slow
def test_a_request_that_the_server_refuses_has_a_line_too(
    database_url: str, tmp_path: Path
) -> None:
    with live_service(database_url, tmp_path, REQUEST_TIMEOUT="1") as service:
        server = urlsplit(service.url)
        for name, (head, status, _) in REFUSED.items():
            with socket.create_connection((server.hostname, server.port), timeout=60) as client:
                client.sendall(head + b"X-Request-ID: of-%b\r\n\r\n" % name.encode())
                assert client.recv(4096).split()[1] == b"%d" % status
    log = (tmp_path / "service.log").read_text()
    lines = [line for line in map(json.loads, log.splitlines()) if "status" in line]
    assert [(line["status"], line["method"]) for line in lines] == [
        (status, method) for _, status, method in REFUSED.values()
    ]
    for line in lines:
        assert line["logger"] == "todo_api.access"
        assert line["address"] == "127.0.0.1"
        assert line["request_id"]
        assert line.keys() >= {"route", "ms", "user_id"}
    assert [line["request_id"] for line in lines][0::4] == ["of-413", "of-408"]
    assert "-word" not in log


# --- what is never in a line -----------------------------------------------------------------------


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_no_line_has_what_only_the_client_and_the_service_may_know(
    log: Log, make_app: Callable[..., Flask], level: str, form: str
) -> None:
    log.start(level, form)
    client = make_app(cors_origins=("https://app.example.com",)).test_client()
    account = {"email": "known@example.com", "password": "Body-word-1"}
    noise = {
        "Cookie": "session=Cookie-word",
        "Origin": "https://app.example.com",
        "Proxy-Authorization": "Basic Proxy-word",
        "Referer": "https://example.com/?Referer-word",
    }
    data = client.post("/api/auth/signup?q=Query-word", json=account, headers=noise).json["data"]
    token = data["access_token"]
    bearer = noise | {"Authorization": f"Bearer {token}"}
    tasks = f"/api/{data['user_id']}/tasks"
    client.post(tasks, json={"title": "Title-word"}, headers=bearer)
    client.post(tasks, json={"title": "Title-word", "Field-word": 1}, headers=bearer)
    client.post(tasks, data=b'{"title": "Broken-word', headers=bearer)
    client.get(f"{tasks}?q=Query-word", headers=bearer)
    client.options(tasks, headers=noise | {"Access-Control-Request-Method": "POST"})
    client.post("/api/auth/login", json=account | {"password": "Wrong-word"}, headers=noise)
    client.post("/api/auth/signup", json=account, headers=noise)
    client.get(tasks, headers=noise | {"Authorization": f"Bearer {token[:-4]}Token-word"})
    client.get(tasks, headers=noise | {"Authorization": "Basic Basic-word"})
    client.post("/api/auth/logout", headers=bearer)
    client.get(tasks, headers=bearer)

    assert log.text.count("\n") >= 12
    assert re.findall(r"\w+-word\S*", log.text) == []
    assert token.split(".")[2] not in log.text
    assert "known@example.com" not in log.text
    assert "eyJ" not in log.text  # how every token begins
    assert "SELECT" not in log.text
    assert "app.example.com" not in log.text


def test_a_bug_is_logged_with_its_traceback_and_without_the_request(
    log: Log, make_app: Callable[..., Flask]
) -> None:
    app = make_app()

    def broken() -> str:
        raise RuntimeError("the reason")

    app.add_url_rule("/broken", view_func=broken, methods=["POST"])
    log.start("DEBUG")
    answer = app.test_client().post(
        "/broken?q=Query-word",
        json={"password": "Body-word"},
        headers={"Authorization": "Bearer Header-word", "Cookie": "a=Cookie-word"},
    )
    assert answer.status_code == 500
    assert "reason" not in answer.text
    [bug] = [line for line in log.lines if line["level"] == "ERROR"]
    assert bug["logger"] == "todo_api.problems"
    assert "RuntimeError: the reason" in bug["exception"]
    assert [line["status"] for line in request_lines(log)] == [500]
    assert "-word" not in log.text


@pytest.mark.slow
def test_an_unreachable_database_is_logged_with_its_reason_and_without_its_password(
    log: Log, make_app: Callable[..., Flask]
) -> None:
    log.start()
    app = make_app(database_url="postgresql://ann:Pa55word@127.0.0.1:1/todo")
    assert app.test_client().get("/health/ready").status_code == 503
    assert any("refused" in line["message"] for line in log.lines if line["level"] == "WARNING")
    assert "Pa55word" not in log.text
