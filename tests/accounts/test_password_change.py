"""PUT /api/{user_id}/password: API.md, Accounts."""

import pytest

from support.at_once import at_once

pytestmark = pytest.mark.contract
OLD, NEW = "correct horse battery", "a longer staple of horses"


def change(account, new=NEW, old=OLD):
    body = {"current_password": old, "new_password": new}
    return account.put(f"/api/{account.id}/password", json=body)


def log_in(client, email="ann@example.com", password=NEW):
    return client.post("/api/auth/login", json={"email": email, "password": password})


def test_the_new_password_is_good_from_then_on_and_the_old_one_is_not(client, ann):
    answer = change(ann)
    assert (answer.status_code, answer.data) == (204, b"")
    assert log_in(client).status_code == 200
    assert log_in(client, password=OLD).status_code == 401


def test_this_session_lives_on_and_every_other_one_ends(client, ann, bob):
    other = log_in(client, password=OLD).json["data"]["access_token"]
    assert change(ann).status_code == 204
    assert ann.get(ann.tasks).status_code == 200
    assert bob.get(bob.tasks).status_code == 200
    ann.token = other
    assert ann.get(ann.tasks).status_code == 401


def test_it_is_recorded_once_it_has_happened(ann, superuser):
    change(ann, old="not the password")
    answer = change(ann)
    events = superuser.execute(
        "SELECT event, user_id::text, request_id FROM auth_events ORDER BY id"
    )
    [_, refused, changed] = events.fetchall()
    assert refused[0] == "password_refused"
    assert changed == ("password_changed", ann.id, answer.headers["X-Request-ID"])


def test_the_same_password_again_is_fine(ann, client):
    assert change(ann, new=OLD).status_code == 204
    assert log_in(client, password=OLD).status_code == 200


@pytest.mark.parametrize("new", ["ann.lee@example.com", "ANN.LEE@example.COM", "Ann.Lee."[:8]])
def test_the_address_and_its_first_part_are_422_before_the_password_is_looked_at(
    sign_up, superuser, new
):
    account = sign_up("ann.lee.@example.com" if len(new) == 8 else "ann.lee@example.com")
    answer = change(account, new=new, old="not the password")
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert [error["field"] for error in answer.json["errors"]] == ["new_password"]
    refused = "SELECT count(*) FROM auth_events WHERE event = 'password_refused'"
    assert superuser.execute(refused).fetchall() == [(0,)]


@pytest.mark.parametrize("new", ["short", "x" * 1025, None, 7, "\ud800" * 9])
def test_a_new_password_follows_the_rules_of_sign_up(ann, new):
    answer = change(ann, new=new)
    assert [error["field"] for error in answer.json["errors"]] == ["new_password"]


def test_every_character_of_a_new_password_counts(ann, client):
    long = "ü" * 1023
    assert change(ann, new=long + "a").status_code == 204
    assert log_in(client, password=long + "b").status_code == 401
    assert log_in(client, password=long + "a").status_code == 200


def test_of_parallel_changes_one_wins_and_its_password_is_the_one_that_is_good(app, ann):
    def try_it(number):
        body = {"current_password": OLD, "new_password": f"password number {number}"}
        headers = {"Authorization": f"Bearer {ann.token}"}
        path = f"/api/{ann.id}/password"
        return app.test_client().put(path, json=body, headers=headers).status_code

    statuses = at_once(8, try_it)
    assert sorted(statuses) == [204] + [403] * 7
    good = [
        log_in(app.test_client(), password=f"password number {number}").status_code
        for number in range(8)
    ]
    assert [status == 204 for status in statuses] == [status == 200 for status in good]


def test_a_login_with_the_old_password_that_began_before_is_refused(
    app, client, ann, superuser, monkeypatch
):
    """Its session would outlive the change that is to end it."""
    hasher = app.extensions["hasher"]
    check = hasher.check

    def slowly(password, stored):
        matches = check(password, stored)
        monkeypatch.setattr(hasher, "check", check)
        assert change(ann).status_code == 204
        return matches

    monkeypatch.setattr(hasher, "check", slowly)
    answer = log_in(client, password=OLD)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid-credentials")
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    events = superuser.execute("SELECT event, reason FROM auth_events ORDER BY id").fetchall()
    assert events[1:] == [
        ("password_changed", None),
        ("login_refused", "account changed meanwhile"),
    ]
