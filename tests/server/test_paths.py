"""A path has one spelling: what is routed is what hashes, is limited, is counted and is logged."""

import contextlib
import http.client
import json
import socket
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from waitress.adjustments import Adjustments

from support.live_service import LiveService, live_service
from todo_api.app import HASHING_METHODS, entrance_of
from todo_api.auth.passwords import Saturated
from todo_api.server.entrance import Entrance
from todo_api.server.lines import HASHING, OTHER, READ, WRITE
from todo_api.server.request_parser import RequestParser
from todo_api.settings.config import Config
from todo_api.web.flask_app import Application

JSON = "Content-Type: application/json\r\n"
OTHER_SPELLINGS = [
    "//api/auth/login",
    "///api/auth/login",
    "/api//auth/login",
    "/api/auth//login",
    "/api/auth/login/",
    "/api/auth/login//",
    "/./api/auth/login",
    "/api/auth/./login",
    "/api/x/../auth/login",
    "/api/auth/login/.",
    "/api/auth/login.",
    "/api/auth/login;x",
    "/api/auth;x=1/login",
    "/api/auth/login%20",
    "/api/auth/login%00",
    "/api/auth/login%0a",
    "/api/auth/login%3F",
    "/api/auth/login%23",
    "/api%2Fauth/login",
    "%2Fapi/auth/login",
    "/%2Fapi/auth/login",
    "/api/auth/%6Cogin",
    "/api/auth/%6cogin",
    "/%61pi/auth/login",
    "/api/auth/lo%67in",
    "/api/auth/%2E/login",
    "/api/auth/%256Cogin",
    "/API/auth/login",
    "/api/auth/Login",
    "/api\\auth\\login",
    "/api/auth/login\\",
    "/api/auth/l%C3%B6gin",
    "api/auth/login",
    "http://todo.example//api/auth/login",
    "http://todo.example/api/auth/%6Cogin",
    "http://todo.example/API/auth/login",
]
# By these a user of that name is asked for, who has no such call.
OF_A_USER = ["/api/auth%2flogin"]
NO_TARGETS = [
    "/api/auth/log\u0131n",
    "/api/auth/\uff4cogin",
    "/api/auth/login#",
    "/api/auth/login#x",
    "/api/auth/login?a#x",
    "ftp://todo.example/api/auth/login",
    "x://todo.example/api/auth/login",
    "http://ann@todo.example/api/auth/login",
    "http://todo.example,other.example@/api/auth/login",
]
SAME = [
    "/api/auth/login",
    "/api/auth/login?",
    "/api/auth/login?a=%6C",
    "HTTP://todo.example/api/auth/login",
]


def parsed(target: str, method: str = "POST", headers: str = JSON) -> Any:
    request = RequestParser(Adjustments())
    head = f"{method} {target} HTTP/1.1\r\nHost: todo.example\r\n{headers}\r\n"
    request.received(head.encode())
    return request


@pytest.fixture
def entrance(app: Application, config: Config) -> Entrance:
    return entrance_of(app, config)


def kind(entrance: Entrance, *request: str) -> str:
    return entrance.place_of("192.0.2.1", parsed(*request)).kind


def status_of(app: Flask, request: Any) -> int:
    """What the application answers where the server says that the path is this one."""
    environ = {
        "REQUEST_METHOD": request.command,
        "PATH_INFO": request.routed_path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": request.query,
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": "2",
        "CONTENT_TYPE": request.headers.get("CONTENT_TYPE", ""),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(b"{}"),
    }
    statuses: list[int] = []
    with contextlib.closing(
        app(environ, lambda status, *_: statuses.append(int(status[:3])))  # type: ignore[arg-type]
    ):
        return statuses[0]


@pytest.mark.parametrize("target", OF_A_USER)
def test_a_spelling_that_reads_as_a_user_hashes_nothing(
    app: Flask, entrance: Entrance, target: str
) -> None:
    request = parsed(target)
    assert entrance.place_of("192.0.2.1", request).kind == OTHER
    assert status_of(app, request) == 405


@pytest.mark.parametrize("target", OTHER_SPELLINGS)
def test_another_spelling_is_no_route_and_hashes_nothing(
    app: Flask, entrance: Entrance, target: str
) -> None:
    request = parsed(target)
    assert request.error is None
    assert entrance.place_of("192.0.2.1", request).kind == OTHER
    assert status_of(app, request) == 404


@pytest.mark.parametrize("target", NO_TARGETS)
def test_a_target_that_http_does_not_have_is_refused(entrance: Entrance, target: str) -> None:
    request = parsed(target)
    assert request.error is not None
    assert request.error.code == 400
    assert entrance.place_of("192.0.2.1", request).kind == OTHER


@pytest.mark.parametrize("target", SAME)
def test_the_path_itself_hashes(app: Flask, entrance: Entrance, target: str) -> None:
    assert kind(entrance, target) == HASHING
    assert status_of(app, parsed(target)) == 422


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", JSON + "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"),
        ("GET", JSON),
        ("HEAD", JSON),
        ("PUT", JSON),
        ("DELETE", JSON),
        ("PROPFIND", JSON),
        ("POST", ""),
        ("POST", "Content-Type: text/plain\r\n"),
        ("POST", "Content-Type: application/json; charset=latin-1\r\n"),
        ("POST", "Content-Type: application/problem+json\r\n"),
        ("POST", JSON + "Content-Encoding: gzip\r\n"),
    ],
)
def test_what_is_refused_before_it_hashes_does_not_wait_for_those_who_do(
    entrance: Entrance, method: str, headers: str
) -> None:
    assert kind(entrance, "/api/auth/login", method, headers) == OTHER


def test_a_body_that_is_too_large_does_not_wait_either(entrance: Entrance) -> None:
    request = parsed("/api/auth/login", "POST", f"{JSON}Content-Length: {64 * 1024 + 1}\r\n")
    request.received(b"x" * (64 * 1024 + 1))
    assert request.completed
    assert entrance.place_of("192.0.2.1", request).kind == OTHER


def test_every_route_whose_view_hashes_is_in_that_line_and_no_other(
    app: Application, entrance: Entrance
) -> None:
    hashing = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<", "").replace(">", "").replace("path:", "")
        for method in rule.methods or ():
            hashes = hasattr(app.view_functions[rule.endpoint], "hashes") and method != "OPTIONS"
            assert (kind(entrance, path, method) == HASHING) == hashes, (method, path)
            if hashes:
                assert method in HASHING_METHODS
                hashing.add((method, rule.rule))
    assert hashing >= {("POST", "/api/auth/signup"), ("POST", "/api/auth/login")}


def test_every_view_that_asks_the_hasher_is_marked(
    app: Application, monkeypatch: pytest.MonkeyPatch, ann: Any
) -> None:
    """Whatever hashes says so: calls with a body that every route that hashes takes."""
    asked: list[str] = []
    hasher = app.extensions["hasher"]
    body = {"email": "bob@example.com", "password": "correct horse battery"}

    def ask(*_: object) -> None:
        asked.append("asked")
        raise Saturated

    for name in ("hash", "check"):
        monkeypatch.setattr(hasher, name, ask)
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            asked.clear()
            path = rule.rule.replace("<user_id>", ann.id).replace("<", "").replace(">", "")
            ann.call(method, path, json=body)
            if asked:
                assert hasattr(app.view_functions[rule.endpoint], "hashes"), rule


def test_a_signed_in_user_who_hashes_waits_like_the_others(entrance: Entrance, ann: Any) -> None:
    token = f"Authorization: Bearer {ann.token}\r\n"
    tasks = f"/api/{ann.id}/tasks"
    assert kind(entrance, "/api/auth/login", "POST", JSON + token) == HASHING
    assert kind(entrance, tasks, "POST", JSON + token) == WRITE
    assert kind(entrance, tasks, "GET", token) == READ
    assert kind(entrance, tasks, "GET", token.replace(ann.token[-5:], "AAAAA")) == OTHER


def test_a_token_s_line_is_its_user_s_before_and_after_it_was_verified(
    app: Application, entrance: Entrance, ann: Any
) -> None:
    request = SimpleNamespace(
        error=None,
        command="GET",
        routed_path="/",
        headers={"AUTHORIZATION": f"Bearer {ann.token}"},
    )
    app.extensions["token_cache"]._found.clear()
    first = entrance.place_of("192.0.2.1", request)
    assert ann.get(ann.tasks).status_code == 200
    assert entrance.place_of("192.0.2.1", request) == first
    assert first.owner == ann.id


def answer(service: LiveService, target: str) -> tuple[int, str, bytes]:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{JSON}Content-Length: 2\r\n"
        "X-Request-ID: spelled\r\n\r\n{}"
    )
    address = ("127.0.0.1", service.port)
    with contextlib.closing(socket.create_connection(address, timeout=60)) as one:
        one.sendall(head.encode())
        response = http.client.HTTPResponse(one, method="POST")
        response.begin()
        return response.status, response.headers["Content-Type"], response.read()


@pytest.mark.slow
def test_a_running_service_knows_one_spelling_and_logs_no_route_for_another(
    database_url: str, tmp_path: Path
) -> None:
    with live_service(database_url, tmp_path) as service:
        for target in OTHER_SPELLINGS:
            if "todo.example" in target:
                target = target.replace("todo.example", "127.0.0.1")
            status, media_type, body = answer(service, target)
            assert (status, media_type) == (404, "application/problem+json"), target
            assert b'"code":"not-found"' in body
        found = [json.loads(line) for line in service.log().splitlines() if "spelled" in line]
        assert {(line["route"], line["status"]) for line in found} == {(None, 404)}
        assert len(found) == len(OTHER_SPELLINGS)
        for target in SAME:
            assert answer(service, target.replace("todo.example", "127.0.0.1"))[0] == 422
        [(route, status)] = {
            (line["route"], line["status"])
            for line in map(json.loads, service.log().splitlines())
            if line.get("route")
        }
        assert (route, status) == ("/api/auth/login", 422)
