"""HTTP as bytes on a connection."""

import http.client
import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from support.leaks import Scan
from support.live_service import Reply


def head(first_line: str, **headers: str | None) -> bytes:
    """A request's head, with a Host; `_` in a name stands for `-`, None leaves a header out."""
    fields = {"Host": "localhost"} | headers
    lines = [
        f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None
    ]
    return "\r\n".join([first_line, *lines, "", ""]).encode("latin-1")


def chunked(body: bytes, size: int = 7) -> bytes:
    """A body in chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def marker() -> tuple[str, bytes]:
    """A request that can't be confused with any other, and ends the connection; its id."""
    found = f"marker-{uuid.uuid4().hex}"
    return found, head(f"GET /{found} HTTP/1.1", X_Request_ID=found, Connection="close")


def replies(connection: socket.socket, scan: Scan) -> Iterator[Reply]:
    """Each answer until the server ends the connection, those of 1xx too."""
    with connection.makefile("rb") as stream, suppress(ConnectionResetError):
        while reply := _reply(stream):
            scan.answer(str(reply.headers), reply.body)
            yield reply


def _reply(stream: BinaryIO) -> Reply | None:
    first = stream.readline()
    if not first:
        return None
    assert first.startswith(b"HTTP/1."), first
    status, headers = int(first.split()[1]), http.client.parse_headers(stream)
    assert "Transfer-Encoding" not in headers  # the service always says how long its answers are
    body = stream.read(int(headers.get("Content-Length", "0")))
    return Reply(status, headers, body)
