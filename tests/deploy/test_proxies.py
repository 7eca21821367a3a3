"""nginx.conf and Caddyfile. More requests go through nginx.conf in tests/resilience."""

import re
import shutil
import socket
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
from support.nginx import HOST, configuration, find_nginx, replaced
from support.waiting import until
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


@pytest.fixture
def caddy() -> str:
    program = shutil.which("caddy")
    assert program, "there is no caddy to ask: install caddy"
    return program


@pytest.fixture
def caddyfile(caddy: str) -> str:
    """The file, in the words of the caddy that is here."""
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    version = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    old = tuple(map(int, re.findall(r"\d+", version)[:3])) < (2, 6, 4)  # Debian 12's
    return _as_before_2_6_4(text) if old else text


def at_home_in(folder: Path) -> dict[str, str]:
    return dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))


@pytest.mark.programs
def test_caddy_accepts_its_file(caddy: str, caddyfile: str, tmp_path: Path) -> None:
    copy = tmp_path / "Caddyfile"
    copy.write_text(caddyfile)
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", copy],
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
def proxy(caddy: str, caddyfile: str, service: Asked, tmp_path: Path) -> Iterator[int]:
    """The port of a caddy before the service, without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    copy = tmp_path / "Caddyfile"
    copy.write_text(
        replaced(
            caddyfile,
            ("{\n\tservers {", "{\n\tadmin off\n\tservers {"),
            (f"\n{HOST} {{", f"\nhttp://127.0.0.1:{port} {{"),
            ("127.0.0.1:8000", f"127.0.0.1:{service.server_port}"),
        )
    )
    run = [caddy, "run", "--adapter", "caddyfile", "--config", copy]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(run, env=at_home_in(tmp_path), stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    try:
        until(answers)
        yield port
    finally:
        process.terminate()
        process.wait(20)


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


def _as_before_2_6_4(text: str) -> str:
    """With the former names of the two buffers, which had one size."""
    return replaced(
        text,
        ("request_buffers 1MB", "buffer_requests"),
        ("response_buffers 1MB", "buffer_responses\n\t\tmax_buffer_size 1MB"),
    )
