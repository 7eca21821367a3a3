"""nginx.conf and Caddyfile. More requests go through nginx.conf in tests/resilience."""

import re
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from flask import Flask

import todo_api
from support.caddy import at_home_in, caddy, find_caddy, shown
from support.nginx import HOST, configuration, find_nginx
from todo_api.settings.load import load

if TYPE_CHECKING:
    from email.message import Message

DEPLOY = Path(todo_api.__file__).parent / "deploy"


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_the_settings_that_a_file_names_let_a_service_behind_it_answer(
    make_app: Callable[..., Flask], tmp_path: Path, name: str
) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    settings = dict(re.findall(r"^#   ([A-Z_]+)=(\S+) ", text, re.MULTILINE))
    assert settings.keys() == {"ALLOWED_HOSTS", "TRUSTED_PROXIES"}
    read = load({}, settings, tmp_path, serving=False)
    app = make_app(allowed_hosts=read.allowed_hosts, trusted_proxies=read.trusted_proxies)
    ask = app.test_client().get
    assert ask("/docs", environ_overrides={"HTTP_HOST": HOST}).status_code == 200
    assert ask("/docs", environ_overrides={"HTTP_HOST": "other.example.com"}).status_code == 421


@pytest.mark.programs
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    file = configuration(tmp_path, 443, 8000)
    done = subprocess.run(
        [find_nginx(), "-t", "-p", tmp_path, "-c", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    assert not re.search(r"/etc/ssl", file.read_text())  # the copy's own certificates were read


@pytest.mark.programs
def test_caddy_accepts_its_file(tmp_path: Path) -> None:
    copy = tmp_path / "Caddyfile"
    copy.write_text(shown())
    done = subprocess.run(
        [find_caddy(), "validate", "--adapter", "caddyfile", "--config", copy],
        env=at_home_in(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


class Asked(HTTPServer):
    """A service that keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.server, Asked)
            self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.headers.append(self.headers)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.headers: list[Message] = []
        self.bodies: list[bytes] = []


@pytest.fixture
def service() -> Iterator[Asked]:
    with Asked() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(service: Asked, tmp_path: Path) -> Iterator[int]:
    """The port of a caddy before the service."""
    with caddy(service.server_port, tmp_path) as port:
        yield port


def ask(port: int, body: bytes) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    connection.request("POST", "/", body, forged)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.programs
def test_caddy_tells_the_service_who_asked_and_believes_no_client(
    proxy: int, service: Asked
) -> None:
    assert ask(proxy, b"small") == 204
    [headers] = service.headers
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert headers.get_all("X-Forwarded-Proto") == ["http"]


@pytest.mark.programs
def test_caddy_refuses_a_body_above_a_megabyte(proxy: int, service: Asked) -> None:
    assert ask(proxy, b"x" * 1_000_000) == 204
    assert ask(proxy, b"x" * 1_000_001) >= 400
    # some versions ask the service before they refuse, but never for more
    assert {len(body) for body in service.bodies} == {1_000_000}
