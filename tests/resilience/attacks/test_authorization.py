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
from todo_api.app import OPERATIONS

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
# As OWN, and good with an API token too: to read with any, to write with one that may.
PROGRAMS = "of the path's user, for programs too"
# A route that is not here fails the tests: say who may call it.
WHO = {
    "auth.signup": SIGN_IN,
    "auth.login": SIGN_IN,
    "auth.renew": SIGNED_IN,
    "auth.reset": SIGN_IN,
    "auth.logout": SIGNED_IN,
    "accounts.get_account": PROGRAMS,
    "accounts.change_password": OWN,
    "accounts.change_email": OWN,
    "accounts.delete_account": OWN,
    "sessions.list_sessions": OWN,
    "sessions.end_session": OWN,
    "sessions.end_other_sessions": OWN,
    "events.list_events": OWN,
    "export.export_account": OWN,
    "tokens.list_tokens": OWN,
    "tokens.create_token": OWN,
    "tokens.delete_token": OWN,
    "lists.list_tasks": PROGRAMS,
    "sync.list_changes": PROGRAMS,
    "tasks.create_task": PROGRAMS,
    "batches.run_batch": PROGRAMS,
    "tasks.get_task": PROGRAMS,
    "tasks.update_task": PROGRAMS,
    "tasks.patch_task": PROGRAMS,
    "tasks.complete_task": PROGRAMS,
    "tasks.delete_task": PROGRAMS,
    "docs.home": OPEN,
    "docs.swagger_ui": OPEN,
    "docs.redoc": OPEN,
    "docs.openapi": OPEN,
    "docs.problems_page": OPEN,
    "docs.asset": OPEN,
    "health.live": OPEN,
    "health.ready": OPEN,
}
TABLES = (
    "users",
    "sessions",
    "api_tokens",
    "tasks",
    "task_counts",
    "deleted_tasks",
    "idempotency_keys",
    "batch_results",
    "reset_codes",
    "sign_in_networks",
)


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
    """The rule's path; `task` also stands for an id of anything else that a user has."""
    path = rule.replace("<user_id>", user)
    path = re.sub("<(task:)?[a-z]+_id>", task, path)
    return re.sub("<.*?>", "docs.css", path)


def api_token(user: Account, scope: str) -> str:
    made = user.post(f"/api/{user.id}/tokens", json={"name": "Their own", "scope": scope})
    return str(made.json["data"]["token"])


def test_nobody_gets_where_he_does_not_belong(
    app: Flask,
    sign_up: Callable[..., Account],
    rows: Callable[[Account], dict[str, list[Any]]],
    figure: Any,
) -> None:
    victim, stranger, gone = sign_up(), sign_up(), sign_up()
    foreign, own = victim.add("The victim's"), stranger.add("The stranger's")
    victim.patch(victim.path_of(victim.add("Done")) + "/complete")
    api_token(victim, "write")
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
        takes_task = re.search("<(?!user)(task:)?[a-z]+_id>", rule)
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


def test_api_tokens_are_good_for_what_is_theirs_and_for_nothing_else(
    app: Flask, sign_up: Callable[..., Account], figure: Any
) -> None:
    """Each route and method with each kind of token: of the path's user, of somebody else, ended."""
    ann, bob = sign_up(), sign_up()
    client, tried = app.test_client(), 0
    sent = {
        (scope, whose): api_token(user, scope)
        for scope in ("read", "write")
        for whose, user in (("own", ann), ("foreign", bob))
    }
    gone = {scope: api_token(ann, scope) for scope in ("read", "write")}
    tokens_of_ann = f"/api/{ann.id}/tokens"
    for token in ann.get(tokens_of_ann).json["data"][:2]:
        assert ann.delete(f"{tokens_of_ann}/{token['id']}").status_code == 204

    def ask(token: str, method: str, path: str) -> tuple[int, str | None]:
        nonlocal tried
        tried += 1
        # no JSON: what is let in is refused for that, and changes nothing
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        answer = client.open(path, method=method, data="{", headers=headers)
        is_problem = method != "HEAD" and answer.status_code >= 400
        return answer.status_code, answer.json["code"] if is_problem else None

    def refused(status: int, code: str, method: str) -> tuple[int, str | None]:
        return status, None if method == "HEAD" else code

    for endpoint, rule, methods in rules(app):
        who = WHO[endpoint]
        if who in (OPEN, SIGN_IN):
            continue
        for method in sorted(methods - {"OPTIONS"}):
            is_read = method in ("GET", "HEAD")
            for scope in ("read", "write"):
                path = paths(rule, ann.id, str(uuid.uuid4()))
                found = ask(sent[scope, "own"], method, path)
                if who == PROGRAMS and (is_read or scope == "write"):
                    assert found[0] in (200, 404, 415), (rule, method, scope, found)
                else:
                    assert found == refused(403, "insufficient-scope", method), (
                        rule,
                        method,
                        scope,
                    )
                if who != SIGNED_IN:
                    found = ask(sent[scope, "foreign"], method, path)
                    assert found == refused(403, "forbidden", method), (rule, method, scope)
                found = ask(gone[scope], method, path)
                assert found == refused(401, "unauthorized", method), (rule, method, scope)
    figure(
        6,
        "requests with API tokens, made from the URL map: more than the scope allows",
        f"{tried}; 0",
    )


def test_what_the_document_says_of_api_tokens_is_so(app: Flask) -> None:
    for endpoint, operation in OPERATIONS.items():
        assert operation.takes_api_tokens == (WHO[endpoint] == PROGRAMS), endpoint
        view = app.view_functions[endpoint]
        assert operation.takes_api_tokens == hasattr(view, "takes_api_tokens"), endpoint


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
