"""Copies kept by `changes` while workers and PostgreSQL are killed under the writers of one user.

FAULT_ROUNDS=20 kills them more often than the usual 3 times each.
"""

import http.client
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.copies import Answer, Ask, Crowd, contradictions
from support.live_service import LiveClient, LiveService, LiveUser, live_service
from support.postgres.server import Server, a_server
from support.processes import children

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
pytestmark = pytest.mark.timeout(300 + 60 * ROUNDS)
WRITERS, READERS = 8, 4
ENOUGH = 150  # changes that were answered from one kill to the next
SETTINGS = {"WORKERS": "2", "THREADS": "6"}


@pytest.fixture
def database() -> Iterator[Server]:
    """A server with a database `todo`, which keeps what it has confirmed."""
    with a_server() as server:
        server.make()
        server.start(fsync="on")
        server.ask("CREATE DATABASE todo")
        yield server


@pytest.fixture
def service(database: Server, tmp_path: Path) -> Iterator[LiveService]:
    url = make_conninfo(database.url, dbname="todo")
    with live_service(url, tmp_path, **SETTINGS) as service:
        yield service


def asking(client: LiveClient, user: LiveUser) -> Ask:
    """What asks on this connection, and takes up another one when that is lost."""

    def ask(
        method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer | None:
        try:
            reply = client.ask(method, f"/api/{user.id}{path}", body, headers, token=user.token)
        except (OSError, http.client.HTTPException):
            client.close()
            return None
        if reply.status == 503:
            return None
        return Answer(reply.status, reply.json if reply.body else None)

    return ask


def test_no_copy_misses_anything_whatever_is_killed(
    database: Server, service: LiveService, figure: Callable[[int, str, str], None]
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(service.client()) for _ in range(WRITERS + READERS)]
        user = service.sign_up(clients[0])
        crowd = Crowd([asking(client, user) for client in clients], writers=WRITERS)
        stack.enter_context(crowd)
        log = crowd.log

        def write_more() -> None:
            crowd.wait_for(log.answered + ENOUGH)

        for number in range(ROUNDS):
            write_more()
            os.kill(children(service.process.pid)[number % 2], signal.SIGKILL)
            write_more()
            database.kill()
            database.start(fsync="on")
            write_more()
        crowd.stop()
        crowd.read_to_the_end()
        connection = stack.enter_context(psycopg.connect(service.database_url, autocommit=True))
        listed = clients[0].ask("GET", user.tasks, token=user.token).json["data"]
        assert contradictions(log, crowd.readers, connection, user.id, listed) == []
    assert log.doubtful > 0  # they were killed at work
    assert service.leaks() == []
    figure(
        13,
        f"worker and PostgreSQL killed {ROUNDS} times each under {WRITERS} writers of one user: changes;"
        f" copies that missed one, of {len(crowd.readers)}",
        f"{log.answered}; 0",
    )
