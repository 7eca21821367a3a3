"""Copies kept by `changes` beside many writers of one user: nothing is missed, and nothing comes twice.

The same writers and readers find each way that is known to break it.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from support.copies import Answer, Ask, Crowd, asking, contradictions
from todo_api.database import data
from todo_api.database.statements import Statement, load_statements

pytestmark = pytest.mark.slow
WRITERS, READERS = 6, 3
ENOUGH = 400  # changes that were answered
ROUNDS = 8  # in each of which a break may be found

# A commit takes its time now and then, so that transactions overlap however few processors there are.
_SLOW_COMMITS = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.pg_sleep(random() * 0.004); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE OR DELETE ON tasks
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()
"""


@pytest.fixture
def run(
    make_app: Callable[..., Flask], superuser: psycopg.Connection[Any], database_url: str
) -> Callable[..., list[str]]:
    """Lets writers and readers work until enough was changed; returns what is not as it has to be."""
    superuser.execute(_SLOW_COMMITS)

    walks: dict[int, int] = {}

    def run(
        seed: int = 0, around: Callable[[Ask], Ask] = lambda ask: ask, sweeps: bool = False
    ) -> list[str]:
        app = make_app(threads=WRITERS + READERS + 2)
        email = f"user-{seed}@example.com"
        user = Account(app.test_client(), email, "correct horse battery")
        asks = [around(asking(app, user)) for _ in range(WRITERS + READERS)]
        with Crowd(asks, writers=WRITERS, seed=seed) as crowd:
            while crowd.log.answered < ENOUGH and crowd.is_alive():
                if sweeps:
                    _sweep(database_url, superuser)
                threading.Event().wait(0.01)
        crowd.read_to_the_end()
        walks[seed] = sum(reader.walks for reader in crowd.readers)
        listed = user.get(user.tasks).json["data"]
        return contradictions(crowd.log, crowd.readers, superuser, user.id, listed)

    run.walks = walks  # type: ignore[attr-defined]
    return run


def _sweep(database_url: str, superuser: psycopg.Connection[Any]) -> None:
    """Forget what is deleted, as if that were long ago."""
    superuser.execute(
        "UPDATE deleted_tasks SET deleted_at ="
        " (deleted_at AT TIME ZONE 'UTC' - interval '31 days') AT TIME ZONE 'UTC'"
        " WHERE deleted_at > (now() AT TIME ZONE 'UTC' - interval '30 days') AT TIME ZONE 'UTC'"
    )
    superuser.execute("SELECT sweep_deleted_tasks(5)")


def test_every_copy_equals_the_table_and_no_revision_is_missed_or_comes_twice(
    run: Callable[..., list[str]],
) -> None:
    assert run() == []


def test_so_it_is_while_deletions_are_forgotten(run: Callable[..., list[str]]) -> None:
    """Readers who come too late are told so, and start over: in small pages, too."""
    assert run(sweeps=True) == []
    assert run.walks[0] > READERS + 1  # type: ignore[attr-defined]


# --- what is known to break it is found ---


def broken(monkeypatch: pytest.MonkeyPatch, old: str, new: str, *names: str) -> None:
    """Let the service run these statements with another text; or all that have the old text."""

    def load() -> dict[str, Statement]:
        statements = load_statements()
        met = [
            name
            for name, one in statements.items()
            if old in one.text and name in (names or [name])
        ]
        assert met
        assert not names or met == list(names)
        for name in met:
            text = statements[name].text.replace(old, new)
            statements[name] = replace(statements[name], text=text, query=text.encode())
        return statements

    monkeypatch.setattr(data, "load_statements", load)


def is_found(run: Callable[..., list[str]], what: str, **more: Any) -> bool:
    """Whether a run says that; each may be lucky once."""
    return any(what in "\n".join(run(seed, **more)) for seed in range(1, ROUNDS + 1))


def test_a_time_instead_of_a_revision_is_found_out(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time at which a transaction began: what commits late is never seen."""
    time = "revision = (extract(epoch FROM now()) * 1000000)::bigint"
    broken(monkeypatch, "revision = revision + 1", time)
    assert is_found(run, "lacks")


def test_without_the_turn_it_is_found_out(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = "pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(user_id::text, 0::bigint))"
    broken(monkeypatch, lock, "NULL", "users/take_turn")
    assert is_found(run, "an if_revision was accepted twice")


def test_a_deletion_without_its_mark_is_found_out(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "FROM counted\n    WHERE user_id = $2\n    ON CONFLICT"
    broken(monkeypatch, old, old.replace("$2", "$2 AND FALSE"), "tasks/delete")
    assert is_found(run, "has {'")


def test_a_change_that_keeps_its_revision_is_found_out(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "revision = counted.revision"
    broken(monkeypatch, old, "revision = tasks.revision", "tasks/complete", "tasks/update")
    assert is_found(run, "differs in ['")


def test_what_comes_twice_is_found_out(
    run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, "(revision > (SELECT", "(revision >= (SELECT", "tasks/changes")
    assert is_found(run, "twice: ")


def test_a_revision_that_is_read_after_the_rows_is_found_out(run: Callable[..., list[str]]) -> None:
    def late(ask: Ask) -> Ask:
        def read(method: str, path: str, *rest: Any) -> Answer | None:
            answer = ask(method, path, *rest)
            if answer and answer.status == 200 and path.startswith("/changes"):
                meta, listed = answer.json["meta"], ask("GET", "/tasks?limit=1")
                if listed and not meta["has_more"]:
                    meta["revision"] = listed.json["meta"]["revision"]
            return answer

        return read

    assert is_found(run, "lacks", around=late)
