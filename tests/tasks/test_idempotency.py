"""Idempotency-Key on creates: API.md, draft-ietf-httpapi-idempotency-key-header."""

import json
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from support.accounts import Account
from support.openapi_document import Document, current_document

pytestmark = pytest.mark.contract
REPLAYED = "Idempotent-Replayed"


def send(who: Account, key: str, body: Any = None, **rest: Any) -> TestResponse:
    """A create with a key; a body that is no bytes goes as JSON."""
    body = {"title": "Buy oat milk"} if body is None else body
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return who.post(who.tasks, data=data, headers=headers | rest)


def tasks_of(who: Account) -> list[dict[str, Any]]:
    return who.get(who.tasks).json["data"]


def keys(superuser: psycopg.Connection[Any], who: Account) -> set[str]:
    """The keys that are kept for a user."""
    rows = superuser.execute("SELECT key FROM idempotency_keys WHERE user_id = %s", [who.id])
    return {key for (key,) in rows.fetchall()}


def age(superuser: psycopg.Connection[Any], who: Account, hours: float) -> None:
    """Let time pass for all of a user's keys."""
    superuser.execute(
        "UPDATE idempotency_keys"
        " SET created_at = (created_at AT TIME ZONE 'UTC' - make_interval(secs => %s)) AT TIME ZONE 'UTC'"
        " WHERE user_id = %s",
        [hours * 3600, who.id],
    )


def test_the_first_create_is_as_any_other(ann):
    plain = ann.post(ann.tasks, json={"title": "Buy oat milk"})
    answer = send(ann, "k")
    assert answer.status_code == 201
    assert dict(answer.headers).keys() == dict(plain.headers).keys()
    task = answer.json["data"]
    assert task.keys() == plain.json["data"].keys()
    assert (task["user_id"], task["title"], task["is_completed"], task["completed_at"]) == (
        *(ann.id, "Buy oat milk"),
        *(False, None),
    )
    assert task["created_at"] == task["updated_at"] > plain.json["data"]["created_at"]
    assert ann.get(answer.headers["Location"]).json["data"] == task


def test_the_same_again_is_answered_as_the_first_time_and_creates_nothing(ann):
    first = send(ann, "k")
    for _ in range(3):
        again = send(ann, "k", **{"X-Request-ID": "again"})
        assert again.status_code == 201
        assert again.json["data"] == first.json["data"]
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers[REPLAYED] == "true"
        # it is an answer of its own all the same
        assert again.json["meta"]["request_id"] == again.headers["X-Request-ID"] == "again"
    assert REPLAYED not in first.headers
    assert tasks_of(ann) == [first.json["data"]]


def test_a_replay_is_the_first_answer_whatever_became_of_the_task(ann):
    first = send(ann, "k")
    path = first.headers["Location"]
    ann.put(path, json={"title": "Buy bread", "is_completed": True})
    assert send(ann, "k").json["data"] == first.json["data"]
    assert ann.get(path).json["data"]["title"] == "Buy bread"
    assert ann.delete(path).status_code == 204
    again = send(ann, "k")
    assert (again.status_code, again.json["data"]) == (201, first.json["data"])
    assert (again.headers["Location"], again.headers[REPLAYED]) == (path, "true")
    assert tasks_of(ann) == []
    assert ann.get(path).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"title":"caf\xc3\xa9"}',
        b' {\n "title" : "caf\\u00e9" } ',
        b'{"title": "  caf\\u00E9\\t"}',
        b'{"titl\\u0065": "\\u3000caf\\u00e9"}',
    ],
)
def test_it_is_the_same_body_when_it_says_the_same(ann, body):
    first = send(ann, "k", {"title": "café"})
    again = send(ann, "k", body)
    assert (again.status_code, again.json["data"]) == (201, first.json["data"])
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize(
    "title", ["Buy oat milk!", "buy oat milk", "Buy  oat milk", "Buy oat milk\u0301", "x"]
)
def test_another_body_is_422_and_changes_nothing(ann, title):
    first = send(ann, "k")
    answer = send(ann, "k", {"title": title})
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency-key-reused")
    assert answer.json["type"] == "/problems#idempotency-key-reused"
    assert [error["field"] for error in answer.json["errors"]] == ["Idempotency-Key"]
    assert REPLAYED not in answer.headers
    assert tasks_of(ann) == [first.json["data"]]
    assert send(ann, "k").json["data"] == first.json["data"]


def test_other_keys_and_no_key_create_other_tasks(ann):
    made = [send(ann, "k"), send(ann, "K"), send(ann, "k2"), send(ann, '"k"')]
    made += [ann.post(ann.tasks, json={"title": "Buy oat milk"}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201] * 6
    assert not any(REPLAYED in answer.headers for answer in made)
    assert len({answer.json["data"]["id"] for answer in made}) == len(tasks_of(ann)) == 6


@pytest.mark.parametrize("key", ["!", "~", "x" * 255, "".join(map(chr, range(33, 127)))])
def test_a_key_is_1_to_255_visible_ascii_characters(ann, superuser, key):
    first = send(ann, key)
    assert first.status_code == 201
    assert send(ann, key).headers[REPLAYED] == "true"
    assert keys(superuser, ann) == {key}


MALFORMED = [
    "",
    "x" * 256,
    "a b",
    "a, b",
    "a\tb",
    "\x01",
    "a\x7f",
    "\x80",
    "\xe9",
    "\xa0",
    "\xff" * 3,
]


@pytest.mark.parametrize("key", MALFORMED, ids=ascii)
def test_any_other_key_is_400_and_says_why(ann, superuser, key):
    answer = send(ann, key)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")
    assert "Idempotency-Key must be 1 to 255 visible ASCII characters" in answer.json["detail"]
    assert tasks_of(ann) == []
    assert keys(superuser, ann) == set()


@pytest.mark.parametrize("key", ["k", *MALFORMED], ids=ascii)
def test_the_document_and_the_service_agree_on_keys(ann, key):
    content = current_document()
    schema = content["components"]["parameters"]["Idempotency-Key"]["schema"]
    valid = Document(content).errors(key, schema) == []
    assert send(ann, key).status_code == (201 if valid else 400)


def test_a_malformed_key_is_told_before_the_body_and_after_the_user(ann, bob):
    junk = {"data": b"{", "content_type": "text/plain"}
    malformed, good = ({"Idempotency-Key": key} for key in ("", "k"))
    assert ann.post(ann.tasks, headers=malformed, **junk).json["code"] == "malformed-request"
    assert ann.post(ann.tasks, headers=good, **junk).status_code == 415
    assert ann.post(bob.tasks, headers=malformed, **junk).status_code == 403
    ann.post("/api/auth/logout")
    assert ann.post(ann.tasks, headers=malformed, **junk).status_code == 401
    assert ann.post(ann.tasks, headers=good, **junk).status_code == 401
    assert send(ann, "k").status_code == 401


def test_a_key_belongs_to_its_user(ann, bob):
    of_ann, of_bob = send(ann, "k"), send(bob, "k", {"title": "Bob's"})
    assert (of_ann.status_code, of_bob.status_code) == (201, 201)
    assert send(bob, "k", {"title": "Bob's"}).json["data"] == of_bob.json["data"]
    assert send(bob, "k").json["code"] == "idempotency-key-reused"
    assert send(ann, "k").json["data"] == of_ann.json["data"]
    assert (tasks_of(ann), tasks_of(bob)) == ([of_ann.json["data"]], [of_bob.json["data"]])


def test_keys_go_with_the_account(ann, bob, superuser):
    for who in (ann, bob):
        send(who, "k")
    superuser.execute("DELETE FROM users WHERE user_id = %s", [ann.id])
    assert (keys(superuser, ann), keys(superuser, bob)) == (set(), {"k"})


def test_other_calls_ignore_a_key(ann):
    task = ann.add()
    for key in ("k", ""):
        headers = {"Idempotency-Key": key}
        path = ann.path_of(task)
        assert ann.get(path, headers=headers).status_code == 200
        assert ann.put(path, json={"title": "x"}, headers=headers).status_code == 200
        assert ann.put(path, json={"title": "y"}, headers=headers).status_code == 200
        assert ann.patch(f"{path}/complete", headers=headers).status_code == 200


# --- what failed is not kept ---


def test_a_key_of_a_refused_body_can_be_used(ann, superuser):
    assert send(ann, "k", {"title": ""}).json["code"] == "validation-error"
    assert send(ann, "k", b"{").status_code == 400
    assert keys(superuser, ann) == set()
    assert send(ann, "k").status_code == 201


def test_a_key_that_met_the_quota_can_be_used_once_there_is_room(make_app, ann, superuser):
    ann.client = make_app(max_tasks_per_user=1).test_client()
    task = ann.add()
    for _ in range(2):
        assert send(ann, "k").json["code"] == "task-quota-exceeded"
    assert keys(superuser, ann) == set()
    ann.delete(ann.path_of(task))
    answer = send(ann, "k")
    assert answer.status_code == 201
    assert REPLAYED not in answer.headers


def test_a_replay_does_not_count_and_is_answered_at_the_quota(make_app, ann):
    ann.client = make_app(max_tasks_per_user=3).test_client()
    first = send(ann, "k")
    for _ in range(5):
        assert send(ann, "k").headers[REPLAYED] == "true"
    for _ in range(2):
        ann.add()
    assert send(ann, "other").json["code"] == "task-quota-exceeded"
    assert send(ann, "k").json["data"] == first.json["data"]
    assert send(ann, "k", {"title": "x"}).json["code"] == "idempotency-key-reused"
    ann.delete(first.headers["Location"])
    assert send(ann, "k").headers[REPLAYED] == "true"  # and the place is still free
    ann.add()
    assert ann.post(ann.tasks, json={"title": "x"}).status_code == 409


# --- for 24 hours ---


def test_a_key_is_good_for_24_hours(ann, superuser):
    first = send(ann, "k")
    age(superuser, ann, 23.9)
    assert send(ann, "k").headers[REPLAYED] == "true"
    assert send(ann, "k", {"title": "x"}).status_code == 422
    age(superuser, ann, 0.2)
    again = send(ann, "k", {"title": "x"})
    assert again.status_code == 201
    assert REPLAYED not in again.headers
    assert send(ann, "k", {"title": "x"}).json["data"] == again.json["data"]
    assert [task["id"] for task in tasks_of(ann)] == [
        answer.json["data"]["id"] for answer in (again, first)
    ]


def test_later_creates_remove_keys_that_are_no_longer_good_a_few_at_a_time(ann, bob, superuser):
    for number in range(25):
        send(ann, f"old-{number}")
    send(bob, "old")
    age(superuser, bob, 25)
    age(superuser, ann, 25)
    left = [25]
    for number in range(3):
        send(ann, f"new-{number}")
        left.append(len({key for key in keys(superuser, ann) if key.startswith("old")}))
    assert left == [25, 15, 5, 0]
    assert keys(superuser, ann) == {"new-0", "new-1", "new-2"}
    assert keys(superuser, bob) == {"old"}  # each user's own business


def test_a_key_that_is_no_longer_good_can_be_used_though_others_are_older(ann, superuser):
    for number in range(12):
        send(ann, f"k{number}")
    age(superuser, ann, 25)
    again = send(ann, "k11", {"title": "x"})
    assert again.status_code == 201
    assert REPLAYED not in again.headers
    assert keys(superuser, ann) == {"k10", "k11"}


# --- as many as a user may have ---


def fill(superuser: psycopg.Connection[Any], who: Account, count: int) -> None:
    """Give a user keys, a millisecond apart and as old as 23 hours."""
    superuser.execute(
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " SELECT user_id, 'filled-' || one, sha256(''), gen_random_uuid(),"
        " now() - interval '23 hours' + one * interval '1 ms'"
        " FROM users, generate_series(1, %s) AS one WHERE user_id = %s",
        [count, who.id],
    )


def test_after_10000_keys_in_24_hours_another_is_429_until_the_oldest_is_old(ann, bob, superuser):
    fill(superuser, ann, 9_999)
    first = send(ann, "last")
    assert first.status_code == 201
    refused = send(ann, "more")
    assert (refused.status_code, refused.json["code"]) == (429, "rate-limited")
    assert "Idempotency-Key" in refused.json["detail"]
    assert 3_500 < int(refused.headers["Retry-After"]) <= 3_600
    assert len(keys(superuser, ann)) == 10_000
    # nothing was created, and whatever needs no new key goes on
    assert tasks_of(ann) == [first.json["data"]]
    assert send(ann, "last").headers[REPLAYED] == "true"
    assert send(ann, "last", {"title": "x"}).json["code"] == "idempotency-key-reused"
    assert ann.post(ann.tasks, json={"title": "x"}).status_code == 201
    assert send(bob, "more").status_code == 201
    # after as many seconds as it said there is room for one, and the key is new
    superuser.execute(
        "UPDATE idempotency_keys SET created_at = now() - interval '24 hours'"
        " WHERE user_id = %s AND key = 'filled-1'",
        [ann.id],
    )
    answer = send(ann, "more")
    assert answer.status_code == 201
    assert REPLAYED not in answer.headers
    assert send(ann, "one-too-many").status_code == 429


def test_deleting_the_tasks_frees_no_keys(ann, superuser):
    fill(superuser, ann, 9_999)
    ann.delete(send(ann, "last").headers["Location"])
    assert send(ann, "more").status_code == 429
    assert len(keys(superuser, ann)) == 10_000


def test_who_may_have_more_tasks_may_have_as_many_keys(make_app, ann, superuser):
    fill(superuser, ann, 10_000)
    assert send(ann, "more").status_code == 429
    ann.client = make_app(max_tasks_per_user=10_001).test_client()
    assert send(ann, "more").status_code == 201
    assert send(ann, "even-more").status_code == 429


# --- at the same time ---


def test_in_parallel_one_task_is_made_and_all_are_answered_alike(
    make_app: Callable[..., Flask], ann: Account
) -> None:
    # with no place for a second one, and connections for all that wait
    app = make_app(max_tasks_per_user=1, threads=40)
    answers: list[TestResponse] = []

    def create() -> None:
        headers = {"Authorization": f"Bearer {ann.token}", "Idempotency-Key": "k"}
        answer = app.test_client().post(ann.tasks, json={"title": "x"}, headers=headers)
        answers.append(answer)

    threads = [threading.Thread(target=create) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 20
    [task] = tasks_of(ann)
    assert [answer.json["data"] for answer in answers] == [task] * 20
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1


# --- for pages of other origins ---


def test_pages_of_listed_origins_may_send_a_key_and_see_a_replay(make_app, ann):
    origin = "https://app.example.com"
    ann.client = make_app(cors_origins=(origin,)).test_client()
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    preflight = ann.client.options(ann.tasks, headers=asked)
    assert preflight.headers["Access-Control-Allow-Headers"].lower() == "idempotency-key"
    send(ann, "k", Origin=origin)
    exposed = send(ann, "k", Origin=origin).headers["Access-Control-Expose-Headers"]
    assert REPLAYED in exposed.split(", ")
