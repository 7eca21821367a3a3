"""GET /api/{user_id}: API.md, Accounts."""

import re
import uuid

import pytest

pytestmark = pytest.mark.contract


def test_the_account_says_who_it_is_and_how_much_it_holds(ann):
    ann.add("Buy oat milk")
    ann.add("Zwölf Boxkämpfer")
    answer = ann.get(f"/api/{ann.id}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == {"data", "meta"}
    account = answer.json["data"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", account.pop("created_at"))
    assert account == {
        "user_id": ann.id,
        "email": "ann@example.com",
        "tasks": 2,
        "max_tasks": 10_000,
        "text_bytes": 12 + 18,
        "max_text_bytes": 10_485_760,
    }


def test_a_new_account_holds_nothing(ann):
    account = ann.get(f"/api/{ann.id}").json["data"]
    assert (account["tasks"], account["text_bytes"]) == (0, 0)


def test_it_is_the_token_s_own_user_s_only(client, ann, bob):
    bob.add("Bob's own")
    assert client.get(f"/api/{ann.id}").status_code == 401
    for other in (bob.id, str(uuid.uuid4()), "me"):
        answer = ann.get(f"/api/{other}")
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert ann.get(f"/api/{ann.id.upper()}").json["data"]["tasks"] == 0


def test_an_account_that_was_deleted_after_the_look_at_its_session_is_401(ann, app, monkeypatch):
    monkeypatch.setattr(app.extensions["database"], "as_user", lambda *_: [[]])
    answer = ann.get(f"/api/{ann.id}")
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
