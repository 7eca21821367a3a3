"""A schema of the version before revisions is migrated while that version serves, and vacuums are at work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from migrations.trial import IDS
from support import former
from support.live_service import LiveClient, LiveUser, live_service
from support.waiting import until
from todo_api.auth.passwords import Hasher
from todo_api.operator.after_restore import after_restore
from todo_api.upkeep.migrate import migrate

LAST_BEFORE = "0016.sign_in_networks"
USERS, TASKS = 4, 6000
PASSWORD = "correct horse"
TABLES = ("tasks", "task_counts", "idempotency_keys", "users")
# What a request may wait for a lock, and altogether (sql/before_sign_in/begin_request.sql)
SIGN_UP = """
    INSERT INTO users (user_id, email, password_hash)
    SELECT gen_random_uuid(), gen_random_uuid() || '@example.com', password_hash
    FROM users WHERE user_id = %(user)s RETURNING user_id
"""
BOUNDS = "SET lock_timeout = '2s'; SET statement_timeout = '5s'"


@pytest.fixture
def before(url: str, folder: Path) -> str:
    """A database as the former version left it, with users whose tasks have no revision."""
    for one in IDS[IDS.index(LAST_BEFORE) + 1 :]:
        (folder / f"{one}.sql").unlink()
        (folder / f"{one}.rollback.sql").unlink()
    migrate(url, folder)
    with closing(Hasher(rounds=4, slots=1)) as hasher:
        word = hasher.hash(PASSWORD)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (user_id, email, password_hash)"
            " SELECT gen_random_uuid(), number || '@example.com', %s FROM generate_series(1, %s) AS number",
            [word, USERS],
        )
        connection.execute(
            "INSERT INTO tasks (user_id, title, created_at)"
            " SELECT user_id, 'ü ' || number, now() - number * interval '1 min'"
            " FROM users, generate_series(1, %s) AS number",
            [TASKS],
        )
        connection.execute(
            "INSERT INTO task_counts SELECT user_id, count(*) FROM tasks GROUP BY user_id"
        )
    return url


def _one(connection: psycopg.Connection[Any], statement: str, **values: str) -> str:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return str(row[0])


def _add(connection: psycopg.Connection[Any], user: str) -> None:
    task = _one(connection, former.CREATE, user=user, title="added")
    _one(connection, former.UPDATE, user=user, task=task, title="and changed")
    connection.execute(former.KEEP, {"user": user, "task": task, "key": task, "hash": "00" * 32})
    connection.execute(f"{former.LIST} LIMIT 20".encode(), {"user": user})


def _delete(connection: psycopg.Connection[Any], user: str) -> None:
    oldest = former.LIST.replace("DESC", "ASC")
    task = _one(connection, f"{oldest} LIMIT 1", user=user)
    _one(connection, former.DELETE, user=user, task=task)


def _come_and_go(connection: psycopg.Connection[Any], user: str) -> None:
    guest = _one(connection, SIGN_UP, user=user)
    _one(connection, former.CREATE, user=guest, title="first")
    connection.execute("DELETE FROM users WHERE user_id = %s", [guest])


class Traffic:
    """Threads, each with a connection, until the end of a block; what failed, and how much was done."""

    def __init__(self, url: str) -> None:
        self.failed: list[str] = []
        self.done = 0
        self._url = url
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def requests(self, user: str, *, adds: bool) -> None:
        """What the former version sends for a user, who adds or deletes, and for others who come and go."""
        with psycopg.connect(self._url, autocommit=True, prepare_threshold=2) as connection:
            connection.execute(BOUNDS)
            while not self._end.wait(0.01):
                try:
                    _add(connection, user) if adds else _delete(connection, user)
                    _come_and_go(connection, user)
                except psycopg.Error as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                self.done += 1

    def vacuum(self, table: str) -> None:
        """The lock of a vacuum that takes most of a second, again and again."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._end.is_set():
                with connection.transaction():
                    connection.execute(
                        f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE".encode()
                    )
                    self._end.wait(0.8)

    @contextmanager
    def of(self, *work: Callable[[], None]) -> Iterator[None]:
        self._threads = [threading.Thread(target=one) for one in work]
        for one in self._threads:
            one.start()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        self._end.set()
        for one in self._threads:
            one.join()


def login(client: LiveClient, number: int) -> LiveUser:
    email = f"{number}@example.com"
    answer = client.ask("POST", "/api/auth/login", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer.body
    data = answer.json["data"]
    return LiveUser(data["user_id"], data["access_token"], email, PASSWORD)


def copy(client: LiveClient, user: LiveUser) -> dict[str, int]:
    """All that `changes` tells somebody who starts: the revisions of the tasks."""
    found: dict[str, int] = {}
    since, has_more = 0, True
    while has_more:
        path = f"/api/{user.id}/changes?limit=400&since={since}"
        answer = client.ask("GET", path, token=user.token)
        assert answer.status == 200, answer.body
        for task in answer.json["data"]["tasks"]:
            assert task["id"] not in found
            found[task["id"]] = task["revision"]
        since, has_more = answer.json["meta"]["revision"], answer.json["meta"]["has_more"]
    return found


def check(client: LiveClient, user: LiveUser, superuser: psycopg.Connection[Any]) -> None:
    """List, changes and counter agree with the table; no task is without a revision, no two have the same."""
    answer = client.ask("GET", user.tasks, token=user.token)
    listed = {task["id"]: task["revision"] for task in answer.json["data"]}
    rows = superuser.execute(
        "SELECT id::text, revision, octet_length(title) FROM tasks WHERE user_id = %s", [user.id]
    ).fetchall()
    assert listed == {task: revision for task, revision, _ in rows} == copy(client, user)
    assert 0 not in listed.values()
    assert len(set(listed.values())) == len(rows) > TASKS / 2
    counter = superuser.execute(
        "SELECT tasks, numbered, text_bytes, revision >= %s FROM task_counts WHERE user_id = %s",
        [max(listed.values()), user.id],
    ).fetchone()
    assert counter == (len(rows), len(rows), sum(size for _, _, size in rows), True)


def file_of(superuser: psycopg.Connection[Any]) -> Any:
    return superuser.execute("SELECT pg_relation_filenode('tasks')").fetchone()


@pytest.mark.slow
def test_no_request_of_the_former_version_fails_and_every_task_is_numbered_once(
    before: str, tmp_path: Path
) -> None:
    traffic, vacuums = Traffic(before), Traffic(before)
    with psycopg.connect(before, autocommit=True) as superuser:
        ids = [str(user) for (user,) in superuser.execute("SELECT user_id FROM users").fetchall()]
        file = file_of(superuser)
        with traffic.of(
            *[partial(traffic.requests, user, adds=n % 2 == 0) for n, user in enumerate(ids)]
        ):
            until(lambda: traffic.done > 5 * USERS)  # statements are prepared, and their plans kept
            with vacuums.of(*[partial(vacuums.vacuum, table) for table in TABLES]):
                assert migrate(before) == IDS[IDS.index(LAST_BEFORE) + 1 :]
            assert traffic.failed == []
            assert file_of(superuser) == file  # it was not written anew
            with (
                live_service(before, tmp_path, MIGRATE_ON_START="false") as service,
                service.client() as client,
            ):
                users = [login(client, number + 1) for number in range(USERS)]
                for user in users:  # while the former version changes tasks of the same users
                    path = service.add(client, user)
                    for method, body in (("PUT", {"title": "x"}), ("DELETE", None)):
                        answer = client.ask(method, path, body, token=user.token)
                        assert answer.status in (200, 204), answer.body
                    path = f"/api/{user.id}/changes?limit=1000"
                    assert client.ask("GET", path, token=user.token).status == 200
                traffic.end()
                assert traffic.failed == []
                assert after_restore(before) >= USERS
                for user in users:
                    check(client, user, superuser)
