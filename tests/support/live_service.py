"""`todo-api serve` as a process, and clients of it whose every answer goes through the leak scan."""

import http.client
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.credentials import SECRET
from support.leaks import Scan
from support.started import PATIENCE_S, started

SERVE = (sys.executable, "-m", "todo_api", "serve")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class LiveClient:
    """One keep-alive connection."""

    def __init__(self, port: int, scan: Scan, source: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=PATIENCE_S, source_address=(source, 0)
        )
        self._scan = scan

    def __enter__(self) -> "LiveClient":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Take up the connection; once more after close(), or after a fault."""
        self._connection.connect()

    def close(self) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, Any] | None = None,
        *,
        token: str | None = None,
    ) -> Reply:
        """Send a request; a body that is no bytes goes as JSON."""
        sent: dict[str, Any] = {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        self._connection.request(method, path, body, sent | (headers or {}))
        response = self._connection.getresponse()
        reply = Reply(response.status, response.headers, response.read())
        self._scan.answer(str(reply.headers), reply.body)
        return reply


@dataclass(frozen=True)
class LiveUser:
    """An account and its session."""

    id: str
    token: str
    email: str
    password: str

    @property
    def tasks(self) -> str:
        return f"/api/{self.id}/tasks"


class LiveService:
    """A running service."""

    def __init__(
        self, process: subprocess.Popen[str], url: str, database_url: str, log: Path
    ) -> None:
        self.process = process
        self.url = url
        self.port = int(urlsplit(url).port or 0)
        self.database_url = database_url
        self.scan = Scan(SECRET)
        self._log = log
        self._read = 0

    def client(self, source: str = "127.0.0.1") -> LiveClient:
        return LiveClient(self.port, self.scan, source)

    def open(self, receive_buffer: int = 0, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection; with a small buffer, the kernel takes no more than that of an answer."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE_S)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", self.port))
        return connection

    def sign_up(self, client: LiveClient) -> LiveUser:
        """Open an account, whose password and token no text may hold from now on."""
        email, password = f"{uuid.uuid4().hex}@example.com", f"pass-{uuid.uuid4().hex}"
        answer = client.ask("POST", "/api/auth/signup", {"email": email, "password": password})
        assert answer.status == 201, answer.body
        data = answer.json["data"]
        self.scan.secrets |= {password, data["access_token"]}
        return LiveUser(data["user_id"], data["access_token"], email, password)

    def add(self, client: LiveClient, user: LiveUser, title: str = "Buy oat milk") -> str:
        """The path of a new task."""
        answer = client.ask("POST", user.tasks, {"title": title}, token=user.token)
        assert answer.status == 201, answer.body
        return f"{user.tasks}/{answer.json['data']['id']}"

    def log(self) -> str:
        return self._log.read_text()

    def leaks(self) -> list[str]:
        """What was found in the answers and in the log so far."""
        with self._log.open() as log:
            log.seek(self._read)
            for line in log:
                self.scan.log_line(line)
            self._read = log.tell()
        return self.scan.found


@contextmanager
def live_service(
    database_url: str,
    folder: Path,
    *,
    looked_through: bool = True,
    command: Sequence[str] = SERVE,
    **settings: str,
) -> Iterator[LiveService]:
    """Serve on a free port until the block ends, which may end the process itself. The log is in `folder`.

    Whatever the block is about, nothing may leak into answers and log, unless they are not looked through.
    """
    chosen = {
        "DATABASE_URL": database_url,
        "JWT_SECRET": SECRET,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "WORKERS": "1",
        "BCRYPT_ROUNDS": "4",
        "AUTH_RATE_LIMIT": "1000 per minute",
        **settings,
    }
    log = folder / "service.log"
    with started([*command], chosen, log) as (process, announced):
        assert announced.startswith("Todo API on http"), log.read_text()
        service = LiveService(process, announced.split()[3], database_url, log)
        yield service
    if looked_through:
        assert service.leaks() == [], service.scan.found


StartLive = Callable[..., LiveService]
