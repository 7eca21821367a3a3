"""POST /api/{user_id}/deletion: API.md, Accounts."""

import threading

import pytest

from support.at_once import at_once
from support.codes import reset_code
from support.postgres import citus_cluster
from support.rules.user_rule import TABLES

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.contract


def delete(account, password=PASSWORD):
    return account.post(f"/api/{account.id}/deletion", json={"current_password": password})


def left(superuser, user_id):
    """In which tables a user still has rows."""
    return [
        table
        for table, has_user in TABLES.items()
        if has_user
        and superuser.execute(
            f"SELECT FROM {table} WHERE user_id = %s LIMIT 1", [user_id]
        ).fetchall()
    ]


def with_everything(account, database_url):
    """A user with a row in each table."""
    token = {"name": "Nightly report", "scope": "read", "expires_in_days": 90}
    assert account.post(f"/api/{account.id}/tokens", json=token).status_code == 201
    reset_code(database_url, account.id)
    for key in ("k", "l"):
        account.post(account.tasks, json={"title": "x"}, headers={"Idempotency-Key": key})
    batch = {"operations": [{"op": "delete", "id": account.add("Bread")["id"]}]}
    account.post(f"{account.tasks}/batch", json=batch, headers={"Idempotency-Key": "m"})
    gone = account.add("Bread")
    assert account.delete(f"{account.tasks}/{gone['id']}").status_code == 204
    body = {"email": account.email, "password": PASSWORD}
    account.client.post("/api/auth/login", json=body)
    return account


def test_the_account_and_all_that_is_its_own_are_gone(ann, bob, superuser, database_url):
    with_everything(ann, database_url)
    with_everything(bob, database_url)
    tables = {table for table, has_user in TABLES.items() if has_user}
    assert set(left(superuser, ann.id)) == tables
    answer = delete(ann)
    assert (answer.status_code, answer.data) == (204, b"")
    assert left(superuser, ann.id) == []
    assert set(left(superuser, bob.id)) == tables
    assert bob.get(f"/api/{bob.id}").json["data"]["tasks"] == 2


def test_its_tokens_are_dead_and_nobody_logs_in_to_it(client, ann):
    login = {"email": ann.email, "password": PASSWORD}
    other = client.post("/api/auth/login", json=login).json["data"]["access_token"]
    assert delete(ann).status_code == 204
    for token in (ann.token, other):
        ann.token = token
        for answer in (ann.get(f"/api/{ann.id}"), ann.get(ann.tasks), delete(ann)):
            assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    answer = client.post("/api/auth/login", json=login)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid-credentials")


def test_it_is_recorded_without_its_user(ann, superuser):
    answer = delete(ann)
    events = superuser.execute("SELECT event, user_id, request_id FROM auth_events").fetchall()
    assert events == [("account_deleted", None, answer.headers["X-Request-ID"])]


def test_an_account_made_again_with_the_address_is_another_one(sign_up, ann):
    ann.add("Of the first account")
    assert delete(ann).status_code == 204
    again = sign_up(ann.email)
    assert again.id != ann.id
    assert again.get(again.tasks).json["data"] == []
    ann.id = again.id
    assert ann.get(f"/api/{again.id}").status_code == 401


def test_of_parallel_deletions_one_is_recorded(app, ann, superuser):
    def try_it(_):
        headers = {"Authorization": f"Bearer {ann.token}"}
        path = f"/api/{ann.id}/deletion"
        body = {"current_password": PASSWORD}
        return app.test_client().post(path, json=body, headers=headers).status_code

    assert sorted(at_once(6, try_it)) == [204] + [401] * 5
    assert superuser.execute(
        "SELECT count(*) FROM auth_events WHERE event = 'account_deleted'"
    ).fetchall() == [(1,)]


ALLOWED = {200, 201, 204, 401, 404}
if citus_cluster.URL:  # Citus locks whole shards too; a deadlock over these ends one of the writers
    ALLOWED.add(503)


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(4))
def test_under_parallel_writes_of_its_user_nothing_is_left_and_nothing_fails(
    make_app, sign_up, superuser, round_
):
    """Creates with and without a key, changes, deletes, logins and logouts of one user, meanwhile."""
    app = make_app(threads=32)
    ann = sign_up()
    there = [ann.add(f"Task {number}") for number in range(24)]
    login = {"email": ann.email, "password": PASSWORD}
    tokens = [
        ann.client.post("/api/auth/login", json=login).json["data"]["access_token"]
        for _ in range(12)
    ]
    own = {"Authorization": f"Bearer {ann.token}"}
    answers = []
    gone = threading.Event()
    ready = threading.Barrier(8)

    def writer(number):
        client = app.test_client()
        ready.wait()
        turn = 0
        while turn < 60 and not (gone.is_set() and turn % 6 == 0):
            task = f"{ann.tasks}/{there[(turn * 7 + number) % 24]['id']}"
            kind = (turn + number) % 6
            if kind == 0:
                answer = client.post(ann.tasks, json={"title": "x"}, headers=own)
            elif kind == 1:
                key = {"Idempotency-Key": f"{number}-{turn}"}
                answer = client.post(ann.tasks, json={"title": "x"}, headers=own | key)
            elif kind == 2:
                answer = client.put(task, json={"title": f"{number} {turn}"}, headers=own)
            elif kind == 3:
                answer = client.delete(task, headers=own)
            elif kind == 4:
                answer = client.post("/api/auth/login", json=login)
            else:
                token = tokens.pop() if tokens else "x"
                headers = {"Authorization": f"Bearer {token}"}
                answer = client.post("/api/auth/logout", headers=headers)
            answers.append((kind, answer.status_code, answer.text))
            turn += 1
        return 0

    def deleter(_):
        client = app.test_client()
        ready.wait()
        while len(answers) < 20:
            client.get(ann.tasks, headers=own)
        body = {"current_password": PASSWORD}
        status = client.post(f"/api/{ann.id}/deletion", json=body, headers=own).status_code
        gone.set()
        return status

    statuses = at_once(8, lambda number: (writer if number else deleter)(number))
    assert statuses[0] == 204
    assert [one for one in answers if one[1] not in ALLOWED] == []
    assert left(superuser, ann.id) == []
