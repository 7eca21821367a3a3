"""An error that comes with the commit itself is an error like any other."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from support.signed_up import create, sign_up
from todo_api.database.calls import Call, StatementFailed, Unavailable, UniqueViolated
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task

pytestmark = pytest.mark.pooled
LIST = Call("tasks/list", row=as_task)
MEANINGS = {
    "40001": Unavailable,  # serialization_failure
    "40P01": Unavailable,  # deadlock_detected
    "40003": Unavailable,  # statement_completion_unknown
    "53100": Unavailable,  # disk_full
    "57014": Unavailable,  # query_canceled
    "55P03": Unavailable,  # lock_not_available
    "25006": Unavailable,  # read_only_sql_transaction
    "23505": UniqueViolated,
    "23514": StatementFailed,  # check_violation
    "23503": StatementFailed,  # foreign_key_violation
    "P0001": StatementFailed,
}


@pytest.fixture
def fail_at_commit(superuser: psycopg.Connection[Any]) -> Callable[[str], None]:
    """From then on, a transaction that adds a task fails with a SQLSTATE, and only when it commits."""

    def fail(sqlstate: str) -> None:
        superuser.execute(
            "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'at the commit' USING ERRCODE = '{sqlstate}'; END $$".encode()
        )
        superuser.execute("DROP TRIGGER IF EXISTS wait ON tasks")
        superuser.execute(
            "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION wait()"
        )

    return fail


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
@pytest.mark.parametrize("sqlstate", MEANINGS)
def test_it_means_what_its_code_says_and_the_connection_goes_on(
    database_url: str,
    superuser: psycopg.Connection[Any],
    fail_at_commit: Callable[[str], None],
    sqlstate: str,
    isolation: str,
) -> None:
    superuser.execute(
        f"ALTER DATABASE {superuser.info.dbname} SET default_transaction_isolation = '{isolation}'"
    )
    with closing(Database(database_url, connections=1)) as single:
        who = sign_up(single)
        fail_at_commit(sqlstate)
        for _ in range(3):  # the first one prepares, later ones don't
            with pytest.raises(MEANINGS[sqlstate]) as caught:
                single.as_user(who, create())
            assert "zip" not in str(caught.value)
            assert single.as_user(who, LIST) == [[]]
        superuser.execute("DROP TRIGGER wait ON tasks")
        assert len(single.as_user(who, create())) == 1
        assert len(single.as_user(who, LIST)[0]) == 1


def test_a_client_is_told_to_come_again(
    make_app: Callable[..., Flask], fail_at_commit: Callable[[str], None]
) -> None:
    ann = Account(make_app().test_client(), "ann@example.com", "correct horse battery")
    fail_at_commit("40001")
    for _ in range(2):
        answer = ann.post(ann.tasks, json={"title": "x"})
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert "Retry-After" in answer.headers
    assert ann.get(ann.tasks).json["data"] == []
