"""support/small_wsgi.py as a process, and how its clients read what they get."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import todo_api
from support.waiting import until

SCRIPT = Path(__file__).with_name("small_wsgi.py")
PATIENCE = 30.0
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class SmallService:
    """A running small_wsgi.py."""

    def __init__(self, log: Path, options: dict[str, Any]) -> None:
        self.log_file = log
        path = [str(Path(todo_api.__file__).parents[1]), os.environ.get("PYTHONPATH")]
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(options)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.port = int(self.url.rpartition(":")[2] or 0)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path: str = "/") -> bytes:
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    def open(self, data: bytes) -> socket.socket:
        """A connection on which `data` has been sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.sendall(data)
        return client

    def pid(self) -> int:
        return int(self.get("/pid"))

    def stops_listening(self) -> None:
        def refused() -> bool:
            try:
                self.open(b"").close()
            except ConnectionError:
                return True
            return False

        until(refused)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def log(self) -> str:
        return self.log_file.read_text()

    def end(self) -> None:
        with self.process, contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


StartSmall = Callable[..., SmallService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartSmall]:
    """Starts small services; all end with the test."""
    services: list[SmallService] = []

    def start(**options: Any) -> SmallService:
        service = SmallService(tmp_path / f"service-{len(services)}.log", options)
        services.append(service)
        return service

    yield start
    for service in services:
        service.end()


def read_all(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = bytearray()
    with client:
        while data := client.recv(65536):
            received += data
    return bytes(received)


def answers(received: bytes) -> list[tuple[http.client.HTTPMessage, bytes]]:
    """Headers and body of each answer, whole or else an error."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n")), head
        headers = http.client.parse_headers(BytesIO(head.partition(b"\r\n")[2] + b"\r\n\r\n"))
        length = int(headers["Content-Length"])
        assert len(rest) >= length
        found.append((headers, rest[:length]))
        received = rest[length:]
    return found
