"""`todo-api after-restore`: clients that know more than the restored database start over."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.accounts import Account
from todo_api.operator.after_restore import after_restore
from todo_api.upkeep.as_operator import OperatorError

Superuser = psycopg.Connection[Any]
_TABLES = ("task_counts", "tasks", "deleted_tasks", "idempotency_keys")


@pytest.fixture
def backup(superuser: Superuser) -> Callable[[], Callable[[], None]]:
    """Keeps what the tables of tasks hold now; returns what brings it back."""

    def backup() -> Callable[[], None]:
        for table in _TABLES:
            superuser.execute(f"CREATE TABLE kept_{table} AS TABLE {table}".encode())

        def restore() -> None:
            for table in _TABLES:
                superuser.execute(f"DELETE FROM {table}".encode())
                superuser.execute(f"INSERT INTO {table} TABLE kept_{table}".encode())

        return restore

    return backup


def changes(user: Account, query: str = "", **headers: str) -> Any:
    return user.get(f"/api/{user.id}/changes{query}", headers=headers)


def test_without_it_a_client_would_miss_a_change_and_with_it_the_client_starts_over(
    ann: Account, bob: Account, database_url: str, backup: Callable[[], Callable[[], None]]
) -> None:
    task = ann.add("before")
    bob.add()
    restore = backup()
    ann.put(ann.path_of(task), json={"title": "lost"})
    known = changes(ann).json["meta"]["revision"]
    restore()
    ann.put(ann.path_of(task), json={"title": "after"})
    missed = changes(ann, f"?since={known}").json
    assert missed["data"] == {"tasks": [], "deleted": []}  # this is why the command is there
    assert after_restore(database_url) == 2
    for user, since in ((ann, known), (bob, 1)):
        answer = changes(user, f"?since={since}")
        assert (answer.status_code, answer.json["code"]) == (410, "sync-expired")
    found = changes(ann).json
    assert [one["title"] for one in found["data"]["tasks"]] == ["after"]
    ann.put(ann.path_of(task), json={"title": "later"})
    found = changes(ann, f"?since={found['meta']['revision']}").json
    assert [one["title"] for one in found["data"]["tasks"]] == ["later"]


def without_counter(superuser: Superuser, *users: Account) -> None:
    """As an operator adds an account."""
    for user in users:
        superuser.execute("DELETE FROM task_counts WHERE user_id = %s", [user.id])


def test_a_user_whose_first_task_was_lost_starts_over_too(
    ann: Account, superuser: Superuser, database_url: str, backup: Callable[[], Callable[[], None]]
) -> None:
    without_counter(superuser, ann)
    restore = backup()
    lost = [ann.add(f"lost {number}") for number in range(5)]
    known = changes(ann).json["meta"]["revision"]
    tag = ann.get(ann.tasks).headers["ETag"]
    assert known == len(lost)
    restore()
    assert after_restore(database_url) == 1
    answer = changes(ann, f"?since={known}")
    assert (answer.status_code, answer.json["code"]) == (410, "sync-expired")
    after = [ann.add(f"after {number}")["id"] for number in range(5)]
    assert changes(ann, f"?since={known}").status_code == 410
    assert ann.get(ann.tasks, headers={"If-None-Match": tag}).status_code == 200
    assert [task["id"] for task in changes(ann).json["data"]["tasks"]] == after


def test_all_users_without_a_counter_are_found_and_what_they_hold_is_counted(
    ann: Account, bob: Account, superuser: Superuser, database_url: str
) -> None:
    kept = [ann.add("kept"), ann.add("too")]
    without_counter(superuser, ann, bob)
    assert after_restore(database_url) == 2
    found = changes(ann).json
    assert [task["id"] for task in found["data"]["tasks"]] == [task["id"] for task in kept]
    assert changes(bob).json["meta"]["revision"] >= 10_000_000


@pytest.mark.slow
def test_a_user_whose_turn_does_not_come_is_no_reason_to_lift_the_others_alone(
    ann: Account, superuser: Superuser, database_url: str
) -> None:
    without_counter(superuser, ann)
    with psycopg.connect(database_url) as request:
        turn = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        request.execute(turn, [ann.id])
        with pytest.raises(OperatorError, match=r"LockNotAvailable \(55P03\).*run it again"):
            after_restore(database_url)
    assert after_restore(database_url) == 1


def test_no_tag_of_the_lost_time_is_good(
    ann: Account, database_url: str, backup: Callable[[], Callable[[], None]]
) -> None:
    task = ann.add("before")
    restore = backup()
    ann.put(ann.path_of(task), json={"title": "lost"})
    paths = (ann.path_of(task), ann.tasks, f"{ann.tasks}?limit=5", f"/api/{ann.id}/changes")
    tags = {path: ann.get(path).headers["ETag"] for path in paths}
    restore()
    after_restore(database_url)
    ann.put(ann.path_of(task), json={"title": "after"})
    for path, tag in tags.items():
        answer = ann.get(path, headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert "after" in answer.text


def test_the_walk_through_all_tasks_goes_on_in_pages_and_a_second_time_does_no_harm(
    ann: Account, database_url: str
) -> None:
    tasks = [ann.add(f"Task {number}") for number in range(5)]
    for _ in range(2):
        after_restore(database_url)
        seen: list[Any] = []
        query = "?limit=2"
        while True:
            found = changes(ann, query).json
            seen += found["data"]["tasks"]
            if not found["meta"]["has_more"]:
                break
            query = f"?limit=2&since={found['meta']['revision']}"
        assert seen == tasks


def test_changes_are_still_made_one_after_the_other(ann: Account, database_url: str) -> None:
    one = ann.add()
    after_restore(database_url)
    two = ann.add()
    assert (
        two["revision"] == one["revision"] + 10_000_000 + 2
    )  # one is left out: all tasks were counted again
    assert ann.put(ann.path_of(one), json={"title": "x", "if_revision": 1}).status_code == 200


def test_it_needs_the_login_that_migrates(database_url: str, superuser: Superuser) -> None:
    superuser.execute("CREATE ROLE restores LOGIN IN ROLE todo_app")
    try:
        with pytest.raises(OperatorError, match="MIGRATE_URL"):
            after_restore(make_conninfo(database_url, user="restores"))
    finally:
        superuser.execute("DROP ROLE restores")


def test_the_command_says_of_how_many_users_and_where(
    todo_api_on: Callable[..., int],
    ann: Account,
    bob: Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert todo_api_on("after-restore") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("copies that start over: those of 2 users\ndatabase: ")
