"""Servers under load: the service as an operator starts it, and a constant on the same stack."""

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from support.live_service import SERVE, live_service
from support.started import started
from todo_api.upkeep.migrate import migrate

# All that a measured service is spared: its rate limit, and its quota.
SETTINGS = {"AUTH_RATE_LIMIT": "1000000 per minute", "MAX_TASKS_PER_USER": "1000000000"}
_PATIENCE_S = 30


class MeasuredService(NamedTuple):
    """One that answers; `pid` is the parent of its workers."""

    pid: int
    url: str


class MeasuredUser(NamedTuple):
    """A user as a load has it."""

    id: str
    token: str

    @property
    def path(self) -> str:
        return f"/api/{self.id}/tasks"


@contextmanager
def service(database_url: str, workers: int = 1) -> Iterator[MeasuredService]:
    """`todo-api serve`, on a migrated database."""
    with (
        tempfile.TemporaryDirectory(prefix="todo-bench-") as folder,
        live_service(
            database_url,
            Path(folder),
            command=SERVE,
            looked_through=False,
            BCRYPT_ROUNDS="12",
            WORKERS=str(workers),
            **SETTINGS,
        ) as one,
    ):
        yield MeasuredService(one.process.pid, one.url)


@contextmanager
def constant(threads: int) -> Iterator[MeasuredService]:
    """Flask and the service's waitress, and nothing else."""
    command = [sys.executable, str(Path(__file__).with_name("constant.py")), str(threads)]
    with tempfile.TemporaryDirectory(prefix="todo-bench-") as folder:
        log = Path(folder, "log")
        with started(command, {}, log) as (process, announced):
            match = re.search(r"http://\S+", announced)
            assert match, log.read_text()
            yield MeasuredService(process.pid, match[0])


def seconds_to_first_200(database_url: str) -> float:
    """From the command to the first answer, on a database that is there."""
    began = time.monotonic()
    with service(database_url) as one:
        assert httpx.get(f"{one.url}/health/ready").status_code == 200
        return time.monotonic() - began


def sign_up(one: MeasuredService, name: str) -> MeasuredUser:
    body = {"email": f"{name}@example.com", "password": "correct horse battery"}
    answer = httpx.post(f"{one.url}/api/auth/signup", json=body, timeout=_PATIENCE_S)
    data = answer.raise_for_status().json()["data"]
    return MeasuredUser(data["user_id"], data["access_token"])


def new_database(server: str, name: str) -> str:
    """The URL of a migrated database without rows."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    url = make_conninfo(server, dbname=name)
    migrate(url)
    return url


def add_tasks(connection: psycopg.Connection[Any], user: MeasuredUser, count: int) -> None:
    """Give a user `count` tasks, in bulk and as life would leave them: one after the other, counted."""
    connection.execute(
        "INSERT INTO tasks (user_id, title, created_at, updated_at)"
        " SELECT %(user)s, 'Buy groceries ' || number, moment, moment"
        " FROM generate_series(1, %(count)s) AS number,"
        " LATERAL (SELECT now() - number * interval '1 minute' AS moment) AS at",
        {"user": user.id, "count": count},
    )
    connection.execute(
        "INSERT INTO task_counts (user_id, tasks) VALUES (%(user)s, %(count)s)"
        " ON CONFLICT (user_id) DO UPDATE SET tasks = task_counts.tasks + %(count)s",
        {"user": user.id, "count": count},
    )


def tasks_of(connection: psycopg.Connection[Any], user: MeasuredUser) -> list[str]:
    """The ids of a user's tasks."""
    rows = connection.execute("SELECT id::text FROM tasks WHERE user_id = %s", (user.id,))
    return [row[0] for row in rows]
