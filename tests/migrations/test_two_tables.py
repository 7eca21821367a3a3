"""A migration that shuts requests out of two tables, while a request uses both."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from migrations.trial import IDS, SHIPPED, add, applied
from support.waiting import until
from todo_api.upkeep.migrate import migrate, rollback
from todo_api.upkeep.table_locks import shut_out_by

# Both wait for task_counts while they hold users, if they lock them one after the other.
HEADER = (
    "-- Two tables.\n--\n-- Locks: ACCESS EXCLUSIVE on users, task_counts\n-- Time:  a moment\n"
)
BOUNDS = "\nSET LOCAL lock_timeout = '1500ms';\n"
UP = "ALTER TABLE users ADD note text;\nALTER TABLE task_counts ADD note text;\n"
DOWN = "ALTER TABLE users DROP note;\nALTER TABLE task_counts DROP note;\n"
WAITS = """
    SELECT FROM pg_locks
    WHERE relation = 'task_counts'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted
"""


@pytest.fixture
def two_tables(url: str, folder: Path) -> str:
    migrate(url)
    one = add(folder, "0900.two", "")
    (folder / f"{one}.sql").write_text(f"{HEADER}-- depends: {IDS[-1]}\n{BOUNDS}{UP}")
    (folder / f"{one}.rollback.sql").write_text(f"{HEADER}{BOUNDS}{DOWN}")
    return one


@pytest.mark.slow
@pytest.mark.parametrize("way", [(migrate,), (migrate, partial(rollback, count=1))])
def test_a_request_that_has_one_of_them_gets_the_other(
    url: str, folder: Path, two_tables: str, way: tuple[Callable[..., list[str]], ...]
) -> None:
    *before, work = way
    for one in before:
        one(url, folder=folder)
    done: list[Any] = []
    with (
        psycopg.connect(url) as request,
        psycopg.connect(url, autocommit=True) as superuser,
    ):
        # The request is the one that ends in a deadlock: it looks for one first.
        request.execute("SET LOCAL deadlock_timeout = '500ms'")
        request.execute("UPDATE task_counts SET tasks = tasks")
        thread = threading.Thread(target=lambda: done.append(work(url, folder=folder)))
        thread.start()
        try:
            until(lambda: superuser.execute(WAITS).fetchone() is not None)
            request.execute("UPDATE users SET email = email")
            request.commit()
        finally:
            request.close()
            thread.join()
    assert done == [[two_tables]]
    assert applied(url) == [*IDS, two_tables][: len(IDS) + len(way) % 2]


def test_what_a_header_says_is_what_is_locked_first() -> None:
    assert shut_out_by(SHIPPED / "0016.sign_in_networks.sql") == [
        "LOCK TABLE public.rate_limits IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE public.users IN SHARE ROW EXCLUSIVE MODE",
    ]
    assert shut_out_by(SHIPPED / "0021.task_limits.sql") == []  # requests don't wait for it
    assert shut_out_by(SHIPPED / "0010.own_settings.sql") == []
