"""Many clients on one event loop, each on a connection that it keeps, and how long they had to wait.

LOAD_SECONDS=60 lets each load last as long as it does for the page, instead of 5 s.
"""

import asyncio
import itertools
import json
import math
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, Protocol

from support.live_service import PATIENCE_S

SECONDS = int(os.environ.get("LOAD_SECONDS", "5"))
LONG = SECONDS >= 60
ROUNDS = 3  # what disturbs one of them from outside does not disturb all


STEPS = ("create", "get", "update", "list", "batch", "changes", "search", "complete", "delete")


class Account(Protocol):
    """A user: where the tasks are, and the token."""

    @property
    def tasks(self) -> str: ...
    @property
    def token(self) -> str: ...


class Answer(NamedTuple):
    """An answer; `waited_s` counts from when its request was due, even if that was sent late."""

    due: float
    waited_s: float
    status: int
    head: bytes = b""


class Span(NamedTuple):
    """From when to when, on the monotonic clock."""

    began: float
    ended: float


class Connection:
    """One connection, kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes, due: float | None = None) -> Answer:
        """Send a request, and wait for its answer."""
        due = time.monotonic() if due is None else due
        self._writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = header(head, b"Content-Length")
            await self._reader.readexactly(int(length or 0))
        return Answer(due, time.monotonic() - due, int(head[9:12]), head)


@asynccontextmanager
async def connection(port: int, source: str = "127.0.0.1") -> AsyncIterator[Connection]:
    """A connection from an address of this machine."""
    async with asyncio.timeout(PATIENCE_S):
        streams = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield Connection(*streams)
    finally:
        streams[1].close()


def header(head: bytes, name: bytes) -> bytes | None:
    """A header's value."""
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else None


def raw_request(method: str, path: str, body: Any = None, token: str = "") -> bytes:
    """A request as it goes over the wire."""
    sent = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(sent)}"]
    return "\r\n".join([*lines, "", ""]).encode() + sent


class Work:
    """Users at work: on each connection a task's whole life, and the next one's, a request at a time.

    On each a request is due every `every_s` seconds, however long the last one took; with 0, as soon
    as that is answered.
    """

    def __init__(
        self, port: int, users: Sequence[Account], connections: int, every_s: float
    ) -> None:
        self._port, self._users = port, users
        self._connections, self._every_s = connections, every_s
        self._over = False
        self.answers: list[Answer] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator["Work"]:
        """Until the block ends, and what has been asked is answered."""
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(connection(self._port))
                for _ in range(self._connections)
            ]
            lives = asyncio.gather(*(self._lives(n, one) for n, one in enumerate(opened)))
            try:
                yield self
            finally:
                self._over = True
                await lives

    async def last(self, seconds: float) -> Span:
        """Let it go on for so long."""
        began = time.monotonic()
        await asyncio.sleep(seconds)
        return Span(began, time.monotonic())

    def due_in(self, span: Span) -> list[Answer]:
        """The answers to what was due then; all of them, once the work is over."""
        return [answer for answer in self.answers if span.began <= answer.due < span.ended]

    async def _lives(self, number: int, one: Connection) -> None:
        user = self._users[number % len(self._users)]
        task, due = "", time.monotonic() + self._every_s * number / self._connections
        for step in itertools.cycle(STEPS):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._over:
                return
            answer = await one.ask(_step(step, user, task), due if self._every_s else None)
            if step == "create":
                task = (header(answer.head, b"Location") or b"").decode()
            self.answers.append(answer._replace(head=b""))
            due += self._every_s


def _step(step: str, user: Account, task: str) -> bytes:
    match step:
        case "create":
            return raw_request("POST", user.tasks, {"title": "Buy oat milk"}, user.token)
        case "update":
            body = {"title": "Buy bread", "is_completed": False}
            return raw_request("PUT", task, body, user.token)
        case "list":
            return raw_request("GET", f"{user.tasks}?limit=20", token=user.token)
        case "batch":
            changed = {
                "op": "update",
                "id": task.rpartition("/")[2],
                "priority": 2,
                "tags": ["shop"],
            }
            body = {"operations": [changed, {"op": "complete", "id": changed["id"]}]}
            return raw_request("POST", f"{user.tasks}/batch", body, user.token)
        case "changes":
            path = f"{user.tasks.removesuffix('tasks')}changes?limit=20"
            return raw_request("GET", path, token=user.token)
        case "search":
            path = f"{user.tasks}?q=bread&sort=-priority&limit=20"
            return raw_request("GET", path, token=user.token)
        case "complete":
            return raw_request("PATCH", f"{task}/complete", token=user.token)
        case "delete":
            return raw_request("DELETE", task, token=user.token)
        case _:
            return raw_request("GET", task, token=user.token)


def p95(answers: Sequence[Answer]) -> float:
    """How long 95 of 100 waited at most, in seconds."""
    waits = sorted(answer.waited_s for answer in answers)
    return waits[math.ceil(len(waits) * 0.95) - 1]


def failed(answers: Sequence[Answer]) -> list[int]:
    """Statuses that are no success."""
    return [answer.status for answer in answers if answer.status not in (200, 201, 204)]
