"""A request for another host is refused: a page whose name leads to this machine can't use the service."""

import contextlib
import http.client
import socket
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask

from support.live_service import LiveService, live_service
from todo_api.server.forwarded import Forwarded

LOOPBACK = [
    "localhost",
    "localhost:8000",
    "LOCALHOST",
    "localhost.",
    "localhost.:80",
    "todo.localhost:3000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.255.1.2",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]",
    "localhost:",
]
ELSEWHERE = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evil-localhost",
    "notlocalhost",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io:8000",
    "128.0.0.1",
    "0.0.0.0",
    "192.168.1.5:8000",
    "[::2]",
    "[::1",
    "[::1]x",
    "[::1]:x",
    "[::1%25lo]",
    "::1",
    "localhost:8000:8000",
    "localhost:x",
    "localhost..",
    ".localhost",
    "local host",
    "localhost/",
    "localhost,evil.example",
    "x" * 300,
    "",
]


def status(app: Flask, host: str, path: str = "/docs") -> int:
    answer = app.test_client().get(path, environ_overrides={"HTTP_HOST": host})
    if answer.status_code == 421:
        assert answer.content_type == "application/problem+json"
        assert answer.json["code"] == "misdirected-request"
        assert "Access-Control-Allow-Origin" not in answer.headers
    return answer.status_code


@pytest.mark.parametrize("listening_on", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_only_loopback_names_are_served(
    make_app: Callable[..., Flask], listening_on: str
) -> None:
    app = make_app(host=listening_on)
    assert {host: status(app, host) for host in LOOPBACK} == dict.fromkeys(LOOPBACK, 200)
    assert {host: status(app, host) for host in ELSEWHERE} == dict.fromkeys(ELSEWHERE, 421)


@pytest.mark.parametrize("listening_on", ["0.0.0.0", "::", "192.0.2.1", "todo.example"])
def test_elsewhere_every_name_is_served_unless_some_are_named(
    make_app: Callable[..., Flask], listening_on: str
) -> None:
    assert status(make_app(host=listening_on), "evil.example") == 200
    app = make_app(
        host=listening_on, allowed_hosts=("todo.example", ".example.org", "[2001:db8::1]")
    )
    allowed = [
        "todo.example", "TODO.example.:443", "example.org", "a.b.example.org", "[2001:DB8:0::1]:80",
    ]  # fmt: skip
    refused = [
        "x.todo.example",
        "example",
        "badexample.org",
        "localhost",
        "127.0.0.1",
        "[2001:db8::2]",
    ]
    assert {host: status(app, host) for host in allowed} == dict.fromkeys(allowed, 200)
    assert {host: status(app, host) for host in refused} == dict.fromkeys(refused, 421)


def test_a_star_allows_every_host(make_app: Callable[..., Flask]) -> None:
    assert status(make_app(allowed_hosts=("*",)), "evil.example") == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/nothing", "/api/auth/login", "//health/live"]
)
def test_nothing_but_health_is_served_to_another_host(app: Flask, path: str) -> None:
    assert status(app, "10.1.2.3:8000", path) == 421
    assert status(app, "10.1.2.3:8000", "/health/live") == 200


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_page_of_another_name_gets_no_further_than_its_host(
    make_app: Callable[..., Flask], method: str
) -> None:
    app = make_app(cors_origins=("http://evil.example:8000",), auth_rate_limit="1 per hour")
    for _ in range(3):
        answer = app.test_client().open(
            "/api/auth/login",
            method=method,
            json={},
            headers={"Host": "evil.example:8000", "Origin": "http://evil.example:8000"},
        )
        assert answer.status_code == 421


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("localhost", 200),
        ("localhost, 127.0.0.1", 200),
        ("evil.example", 421),
        ("localhost, evil.example", 421),
        ("evil.example, localhost", 421),
        ("", 421),
    ],
)
def test_a_trusted_proxy_s_forwarded_host_has_to_be_allowed_too(
    app: Flask, forwarded: str, expected: int
) -> None:
    headers = {"X-Forwarded-Host": forwarded, "Host": "localhost"}
    app.wsgi_app = Forwarded(app.wsgi_app, [ip_network("127.0.0.1")])  # type: ignore[method-assign]
    assert app.test_client().get("/docs", headers=headers).status_code == expected
    headers["Host"] = "evil.example"  # nor does it make another Host good
    assert app.test_client().get("/docs", headers=headers).status_code == 421


def test_an_untrusted_forwarded_host_counts_for_nothing(app: Flask) -> None:
    app.wsgi_app = Forwarded(app.wsgi_app, [])  # type: ignore[method-assign]
    for host, expected in (("localhost", 200), ("evil.example", 421)):
        headers = {"X-Forwarded-Host": "localhost, evil.example", "Host": host}
        assert app.test_client().get("/docs", headers=headers).status_code == expected


def ask(service: LiveService, head: str) -> int:
    address = ("127.0.0.1", service.port)
    with contextlib.closing(socket.create_connection(address, timeout=60)) as one:
        one.sendall(f"{head}\r\n\r\n".encode())
        response = http.client.HTTPResponse(one)
        response.begin()
        assert response.status == 200 or b"problem" in response.read()
        return response.status


@pytest.mark.slow
def test_hosts_on_the_wire(database_url: str, tmp_path: Path) -> None:
    expected = {
        "GET /docs HTTP/1.1\r\nHost: localhost": 200,
        "GET /docs HTTP/1.0": 200,
        "GET /docs HTTP/1.0\r\nHost: evil.example": 421,
        "GET /docs HTTP/1.1": 400,
        "GET /docs HTTP/1.1\r\nHost: evil.example": 421,
        "GET /docs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example": 400,
        "GET /docs HTTP/1.1\r\nHost: localhost@evil.example": 400,
        "GET /docs HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost": 421,
        "GET http://localhost/docs HTTP/1.1\r\nHost: evil.example": 200,
        "GET http://localhost:99/docs HTTP/1.1\r\nHost: localhost": 200,
        "GET http://evil.example/docs HTTP/1.1\r\nHost: localhost": 421,
        "GET http://localhost@evil.example/docs HTTP/1.1\r\nHost: localhost": 400,
        "GET http://evil.example/health/live HTTP/1.1\r\nHost: x": 200,
        "GET http://localhost/docs HTTP/1.1\r\nHost: a\r\nHost: b": 400,
    }
    with live_service(database_url, tmp_path) as service:
        assert {head: ask(service, head) for head in expected} == expected


@pytest.mark.slow
def test_with_a_proxy_in_front_of_loopback_the_start_says_what_to_set(
    database_url: str, tmp_path: Path
) -> None:
    for settings in ({}, {"ALLOWED_HOSTS": "todo.example"}):
        with live_service(
            database_url, tmp_path, TRUSTED_PROXIES="127.0.0.1", **settings
        ) as service:
            assert ("set ALLOWED_HOSTS" in service.log()) == (not settings)
