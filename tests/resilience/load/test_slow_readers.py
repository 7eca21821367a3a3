"""Clients that read large answers slowly: what they make the service hold, and what others notice."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from support.waiting import until

if TYPE_CHECKING:
    from support.live_service import LiveClient, LiveService, LiveUser

MIB = 1024 * 1024
WORKERS = 2
# 10 000 titles of 500 characters with 4 bytes each: no list has more. PostgreSQL compresses these, so the
# table is small.
TASKS = 10_000
LIST_BYTES = 22 * MIB

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    # The readers have to stay: they read nothing at all.
    return {
        "WORKERS": str(WORKERS),
        "REQUEST_TIMEOUT": "120",
        "MAX_TASKS_PER_USER": "20000",
        "MAX_TEXT_PER_USER": "1000000000",
    }


def held_bytes(service: LiveService) -> int:
    """Memory of the service's processes that no file backs."""
    return sum(map(_held_by, _tree(service.process.pid)))


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _held_by(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kinds = ("RssAnon:", "RssShmem:")
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kinds))


Read = Callable[..., int]


@pytest.fixture
def read(service: LiveService) -> Iterator[Read]:
    """Sends a request on a connection of its own, and reads only the status."""
    with contextlib.ExitStack() as stack:

        def read(path: str, token: str = "") -> int:
            reader = stack.enter_context(service.open(receive_buffer=4096))
            authorization = f"Authorization: Bearer {token}\r\n" if token else ""
            reader.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n".encode()
            )
            status = reader.recv(12)
            return int(status[9:])

        yield read


@pytest.fixture
def ann(service: LiveService, client: LiveClient) -> LiveUser:
    """With the largest list."""
    user = service.sign_up(client)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tasks (user_id, title) SELECT %s, repeat(chr(127744 + number %% 700), 500)"
            " FROM generate_series(1, %s) AS number",
            (user.id, TASKS),
        )
    assert len(client.ask("GET", user.tasks, token=user.token).body) > LIST_BYTES * 0.9
    return user


def test_100_readers_of_a_large_list_share_it(
    service: LiveService, client: LiveClient, ann: LiveUser, read: Read, figure: Any
) -> None:
    before = held_bytes(service)
    assert {read(ann.tasks, ann.token) for _ in range(100)} == {200}
    added = held_bytes(service) - before
    assert added < 100 * MIB
    # Who reads gets it, and it is whole.
    answer = client.ask("GET", ann.tasks, token=ann.token).json
    assert answer["meta"]["count"] == len({task["id"] for task in answer["data"]}) == TASKS
    figure(
        10, "100 clients that don't read a list of 22 MB: memory added", f"{added / MIB:.0f} MiB"
    )


def test_lists_that_differ_are_refused_to_their_user_and_nobody_else(
    service: LiveService, client: LiveClient, ann: LiveUser, read: Read
) -> None:
    bob = service.sign_up(client)
    before, statuses = held_bytes(service), []
    for _ in range(20):
        service.add(client, ann, "another one")
        statuses.append(read(ann.tasks, ann.token))
    assert held_bytes(service) - before < 100 * MIB
    assert statuses.count(200) >= 1
    assert statuses[-1] == 503
    refused = client.ask("GET", ann.tasks, token=ann.token)
    while refused.status == 200:  # a worker that has had only one of them so far
        service.add(client, ann, "another one")
        assert read(ann.tasks, ann.token) in (200, 503)
        refused = client.ask("GET", ann.tasks, token=ann.token)
    assert (refused.json["code"], refused.headers["Retry-After"]) == ("unavailable", "5")
    service.add(client, bob)
    assert client.ask("GET", bob.tasks, token=bob.token).status == 200
    assert client.ask("GET", f"{ann.tasks}?limit=20", token=ann.token).status == 200


def test_readers_of_pages_are_bounded_too(
    service: LiveService, ann: LiveUser, read: Read, client: LiveClient
) -> None:
    before = held_bytes(service)
    # 2 MB each, and no two alike
    statuses = [read(f"{ann.tasks}?limit={limit}", ann.token) for limit in range(1000, 940, -1)]
    assert held_bytes(service) - before < 100 * MIB
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert client.ask("GET", f"{ann.tasks}?limit=20", token=ann.token).status == 200


@pytest.mark.parametrize(
    "path", ["/static/swagger-ui/swagger-ui-bundle.js", "/openapi.json", "/problems"]
)
def test_200_readers_without_an_account_add_next_to_nothing(
    service: LiveService, client: LiveClient, read: Read, path: str, figure: Any
) -> None:
    size = len(client.ask("GET", path).body)
    before = held_bytes(service)
    assert {read(path) for _ in range(200)} == {200}
    added = held_bytes(service) - before
    assert added < 20 * MIB
    figure(
        10,
        f"200 clients that don't read `{path}` ({size // 1024} KiB): memory added",
        f"{added / MIB:.0f} MiB",
    )


def test_what_is_sent_to_nobody_is_not_kept(
    service: LiveService, ann: LiveUser, client: LiveClient
) -> None:
    usual = held_bytes(service)
    for _ in range(10):
        with service.open(receive_buffer=4096) as reader:
            head = f"GET {ann.tasks} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ann.token}\r\n\r\n"
            reader.sendall(head.encode())
            assert reader.recv(12) == b"HTTP/1.1 200"
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: held_bytes(service) < usual + 30 * MIB)
    assert json.loads(client.ask("GET", "/health/live").body) == {"status": "ok"}
