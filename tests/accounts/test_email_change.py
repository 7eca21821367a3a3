"""PUT /api/{user_id}/email: API.md, Accounts."""

import pytest

from support.at_once import at_once

pytestmark = pytest.mark.contract
PASSWORD = "correct horse battery"


def change(account, email, password=PASSWORD):
    body = {"current_password": password, "email": email}
    return account.put(f"/api/{account.id}/email", json=body)


def log_in(client, email):
    return client.post("/api/auth/login", json={"email": email, "password": PASSWORD})


def events(superuser):
    return [event for (event,) in superuser.execute("SELECT event FROM auth_events ORDER BY id")]


def test_the_account_is_answered_with_its_new_address_and_is_logged_in_to_by_that(client, ann):
    ann.add("Buy oat milk")
    account = ann.get(f"/api/{ann.id}").json["data"]
    answer = change(ann, " Ann@Example.NET\n")
    assert answer.status_code == 200
    assert answer.json["data"] == account | {"email": "ann@example.net"}
    assert ann.get(f"/api/{ann.id}").json["data"] == answer.json["data"]
    assert log_in(client, "ann@example.net").status_code == 200
    assert log_in(client, "ann@example.com").status_code == 401


def test_no_session_ends(client, ann):
    other = log_in(client, ann.email).json["data"]["access_token"]
    assert change(ann, "ann@example.net").status_code == 200
    for token in (ann.token, other):
        ann.token = token
        assert ann.get(ann.tasks).status_code == 200


def test_it_is_recorded(ann, superuser):
    change(ann, "ann@example.net")
    assert events(superuser) == ["signup", "email_changed"]


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@Example.com"])
def test_the_same_address_in_any_letter_case_is_fine_and_no_change(ann, superuser, email):
    answer = change(ann, email)
    assert (answer.status_code, answer.json["data"]["email"]) == (200, "ann@example.com")
    assert events(superuser) == ["signup"]


@pytest.mark.parametrize("email", ["bob@example.com", "BOB@EXAMPLE.COM", " bob@example.com "])
def test_an_address_in_use_is_409_in_any_letter_case_and_only_with_the_password(
    ann, bob, superuser, email
):
    answer = change(ann, email, "not the password")
    assert (answer.status_code, answer.json["code"]) == (403, "wrong-password")
    answer = change(ann, email)
    assert (answer.status_code, answer.json["code"]) == (409, "email-taken")
    assert ann.get(f"/api/{ann.id}").json["data"]["email"] == "ann@example.com"
    assert "email_changed" not in events(superuser)


def test_the_former_address_is_free_again(sign_up, ann):
    change(ann, "ann@example.net")
    assert sign_up("ann@example.com").id != ann.id


@pytest.mark.parametrize(
    "email",
    [
        "ann", "ann@example", "a b@example.com", "a@b@example.com", "x" * 250 + "@example.com",
        "ann\u200b@example.com", "ann@exam\u00adple.com", "ann\x00@example.com", "", None, 7,
    ],
)  # fmt: skip
def test_a_new_address_follows_the_rules_of_sign_up(ann, email):
    answer = change(ann, email)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert [error["field"] for error in answer.json["errors"]] == ["email"]


def test_of_parallel_changes_to_one_address_one_wins(app, sign_up):
    accounts = [sign_up() for _ in range(6)]

    def try_it(number):
        account = accounts[number]
        account.client = app.test_client()
        return change(account, "wanted@example.com").status_code

    assert sorted(at_once(6, try_it)) == [200] + [409] * 5
