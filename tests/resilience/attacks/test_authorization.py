"""Who gets in where: every route and method, made from the URL map, with every wrong kind of credentials."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from support.accounts import Account

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "X",
]
OPEN, SIGN_IN, SIGNED_IN, OWN = "open", "signs in", "signed in", "of the path's user"
# A route that is not here fails the tests: say who may call it.
WHO = {
    "auth.signup": SIGN_IN,
    "auth.login": SIGN_IN,
    "auth.logout": SIGNED_IN,
    "tasks.list_tasks": OWN,
    "tasks.create_task": OWN,
    "tasks.get_task": OWN,
    "tasks.update_task": OWN,
    "tasks.patch_task": OWN,
    "tasks.complete_task": OWN,
    "tasks.delete_task": OWN,
    "docs.home": OPEN,
    "docs.swagger_ui": OPEN,
    "docs.redoc": OPEN,
    "docs.openapi": OPEN,
    "docs.problems_page": OPEN,
    "docs.asset": OPEN,
    "health.live": OPEN,
    "health.ready": OPEN,
}
TABLES = ("users", "sessions", "tasks", "task_counts", "deleted_tasks", "idempotency_keys")


def rules(app: Flask) -> list[tuple[str, str, set[str]]]:
    """Each route of the map: endpoint, path, methods."""
    return [
        (rule.endpoint, rule.rule, set(rule.methods or ())) for rule in app.url_map.iter_rules()
    ]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """In the process of the test: the URL map is at hand here."""
    return app.test_client()


@pytest.fixture
def rows(superuser: psycopg.Connection[Any]) -> Callable[[Account], dict[str, list[Any]]]:
    """All that the tables hold of a user."""

    def rows(user: Account) -> dict[str, list[Any]]:
        found = {}
        for table in TABLES:
            query = f"SELECT t::text FROM {table} AS t WHERE user_id = %s ORDER BY 1"
            found[table] = superuser.execute(query, [user.id]).fetchall()
        return found

    return rows


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    assert {endpoint for endpoint, _, _ in rules(app)} == WHO.keys()


def test_tables_of_a_user_are_all_looked_at(superuser: psycopg.Connection[Any]) -> None:
    found = superuser.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'user_id'"
        " AND table_name IN (SELECT relname FROM pg_class WHERE NOT relispartition)"
    ).fetchall()
    assert {name for (name,) in found} == {*TABLES, "auth_events"}


def paths(rule: str, user: str, task: str) -> str:
    return re.sub("<.*?>", "docs.css", rule.replace("<user_id>", user).replace("<task_id>", task))


def test_nobody_gets_where_he_does_not_belong(
    app: Flask,
    sign_up: Callable[..., Account],
    rows: Callable[[Account], dict[str, list[Any]]],
    figure: Any,
) -> None:
    victim, stranger, gone = sign_up(), sign_up(), sign_up()
    foreign, own = victim.add("The victim's"), stranger.add("The stranger's")
    victim.patch(victim.path_of(victim.add("Done")) + "/complete")
    gone.post("/api/auth/logout")
    before = rows(victim), rows(stranger)
    body = {"title": "Taken over", "is_completed": True}
    anyone, no_such = app.test_client(), str(uuid.uuid4())
    tried = 0

    def status(caller: Any, method: str, path: str) -> int:
        nonlocal tried
        tried += 1
        answer = caller(method, path, json=body)
        assert victim.id not in answer.text.replace(path, "")
        assert foreign["id"] not in answer.text.replace(path, "")
        assert "The victim's" not in answer.text
        return answer.status_code

    def nobody(method: str, path: str, **rest: Any) -> Any:
        return anyone.open(path, method=method, **rest)

    for endpoint, rule, methods in rules(app):
        takes_task = "<task_id>" in rule
        for method in METHODS:
            known = {name for _, other, some in rules(app) if other == rule for name in some}
            if method not in known:
                for caller in (nobody, stranger.call, gone.call):
                    assert status(caller, method, paths(rule, victim.id, foreign["id"])) == 405
                continue
            if method not in methods or method == "OPTIONS":
                continue
            seen = {
                "nobody": status(nobody, method, paths(rule, victim.id, foreign["id"])),
                "a session that has ended": status(
                    gone.call, method, paths(rule, gone.id, own["id"])
                ),
            }
            if WHO[endpoint] == OPEN:
                assert set(seen.values()) <= {200, 302}, (rule, method, seen)
                continue
            if WHO[endpoint] == SIGN_IN:
                assert set(seen.values()) == {422}, (rule, method, seen)
                continue
            assert set(seen.values()) == {401}, (rule, method, seen)
            if WHO[endpoint] == SIGNED_IN:
                continue  # names no user: there is nothing foreign to name
            for user in (victim.id, no_such, victim.id.upper(), "me", "%00", gone.id):
                for task in (foreign["id"], own["id"], "x"):
                    path = paths(rule, user, task)
                    assert status(stranger.call, method, path) == 403, (rule, method, user)
                    assert status(gone.call, method, path) == 401, (rule, method, user)
            if takes_task:
                for task in (
                    foreign["id"],
                    no_such,
                    "x",
                    foreign["id"].upper(),
                    f"{own['id']}x",
                    "%00",
                ):
                    path = paths(rule, stranger.id, task)
                    assert status(stranger.call, method, path) == 404, (rule, method, task)
    assert (rows(victim), rows(stranger)) == before
    figure(
        6,
        "requests with wrong credentials, made from the URL map; victim's rows changed",
        f"{tried}; 0",
    )


def test_a_token_of_a_victim_is_not_to_be_had_from_outside(
    sign_up: Callable[..., Account], superuser: psycopg.Connection[Any]
) -> None:
    """A stranger's session ends the stranger's only, and the table of events says whose path it was not."""
    victim, stranger = sign_up(), sign_up()
    stranger.get(victim.tasks)
    stranger.post("/api/auth/logout", json={"user_id": victim.id, "session_id": victim.token})
    assert victim.get(victim.tasks).status_code == 200
    assert stranger.get(stranger.tasks).status_code == 401
    events = superuser.execute("SELECT event FROM auth_events WHERE user_id = %s", [victim.id])
    assert events.fetchall() == [("signup",)]
