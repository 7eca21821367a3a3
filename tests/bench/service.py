"""Servers under load: the service as an operator starts it, and a constant on the same stack."""

import os
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

from support.live_service import started
from todo_api.embedded.running import embedded_postgres
from todo_api.upkeep.migrate import migrate

# All that a measured service is spared: its rate limit, and its quota.
SETTINGS = {"AUTH_RATE_LIMIT": "1000000 per minute", "MAX_TASKS_PER_USER": "1000000000"}
_PATIENCE_S = 30


class Service(NamedTuple):
    """One that answers; `pid` is the parent of its workers."""

    pid: int
    url: str


class User(NamedTuple):
    """A user as a load has it."""

    id: str
    token: str

    @property
    def path(self) -> str:
        return f"/api/{self.id}/tasks"


@contextmanager
def service(database_url: str, workers: int = 1) -> Iterator[Service]:
    """`todo-api serve`, on a migrated database."""
    settings = {
        **SETTINGS,
        "DATABASE_URL": database_url,
        "JWT_SECRET": "a secret that only the tests know, 0123456789",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "WORKERS": str(workers),
    }
    with _running([sys.executable, "-m", "todo_api", "serve"], settings) as one:
        yield one


@contextmanager
def constant(threads: int) -> Iterator[Service]:
    """Flask and the service's waitress, and nothing else."""
    script = str(Path(__file__).with_name("constant.py"))
    with _running([sys.executable, script, str(threads)], {}) as one:
        yield one


@contextmanager
def _running(command: list[str], settings: dict[str, str]) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="todo-bench-") as folder:
        log = Path(folder, "log")
        with started(command, settings, log) as (process, announced):
            match = re.search(r"http://\S+", announced)
            assert match, log.read_text()
            yield Service(process.pid, match[0])


def seconds_to_first_200(database_url: str) -> float:
    """From the command to the first answer, on a database that is there."""
    began = time.monotonic()
    with service(database_url) as one:
        assert httpx.get(f"{one.url}/health/ready").status_code == 200
        return time.monotonic() - began


def sign_up(one: Service, name: str) -> User:
    body = {"email": f"{name}@example.com", "password": "correct horse battery"}
    answer = httpx.post(f"{one.url}/api/auth/signup", json=body, timeout=_PATIENCE_S)
    data = answer.raise_for_status().json()["data"]
    return User(data["user_id"], data["access_token"])


@contextmanager
def database_server() -> Iterator[str]:
    """A PostgreSQL with its own settings, fsync and all; the URL of a superuser."""
    programs = os.environ.get("PG_BIN")
    with tempfile.TemporaryDirectory(prefix="todo-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another account
        with embedded_postgres(Path(folder), Path(programs) if programs else None) as url:
            yield url


def new_database(server: str, name: str) -> str:
    """The URL of a migrated database without rows."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    url = make_conninfo(server, dbname=name)
    migrate(url)
    return url


def add_tasks(connection: psycopg.Connection[Any], user: User, count: int) -> None:
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


def tasks_of(connection: psycopg.Connection[Any], user: User) -> list[str]:
    """The ids of a user's tasks."""
    rows = connection.execute("SELECT id::text FROM tasks WHERE user_id = %s", (user.id,))
    return [row[0] for row in rows]
