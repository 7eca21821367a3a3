"""Idempotency-Key on batches: the same again is answered as the first time, for 24 hours."""

import json
import uuid
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from support.accounts import Account
from support.at_once import at_once
from support.batches import complete, create, delete, new_id, send, update

pytestmark = pytest.mark.contract
REPLAYED = "Idempotent-Replayed"


def with_key(who: Account, key: str, *operations: Any) -> TestResponse:
    return send(who, *operations, headers={"Idempotency-Key": key})


def data_of(answer: TestResponse) -> str:
    """The answer's `data`, byte for byte."""
    assert answer.status_code == 200, answer.text
    text = answer.get_data(as_text=True)
    return text[text.index('"data":') : text.rindex(',"meta":')]


def kept(superuser: psycopg.Connection[Any], who: Account) -> tuple[set[str], int]:
    """The user's keys, and how many answers of batches are stored."""
    keys = superuser.execute("SELECT key FROM idempotency_keys WHERE user_id = %s", [who.id])
    rows = superuser.execute("SELECT count(*) FROM batch_results WHERE user_id = %s", [who.id])
    return {key for (key,) in keys.fetchall()}, rows.fetchone()[0]  # type: ignore[index]


def age(superuser: psycopg.Connection[Any], who: Account, hours: float) -> None:
    """Let time pass for all of a user's keys, and what is stored for them."""
    for table in ("idempotency_keys", "batch_results"):
        superuser.execute(
            f"UPDATE {table} SET created_at ="
            " (created_at AT TIME ZONE 'UTC' - make_interval(secs => %s)) AT TIME ZONE 'UTC'"
            " WHERE user_id = %s",
            [hours * 3600, who.id],
        )


def everything(who: Account) -> list[dict[str, Any]]:
    """One of each kind, done and refused, with every kind of value."""
    old, gone, kept_task = who.add("Old"), who.add("Gone"), who.add("Kept")
    who.delete(who.path_of(gone))
    mine = new_id()
    return [
        create("plain"),
        create(
            '\U0001f600 "\\ \u0627',
            id=mine,
            notes="a\n\t\u2028",
            due_at="2026-12-24T18:00:00.5+01:00",
            priority=3,
            tags=["x", '"y"'],
        ),
        create("again", id=mine),
        create("gone", id=gone["id"]),
        update(mine, title="changed", due_date="2026-12-24", is_completed=True),
        update(mine, title="changed"),
        update(kept_task["id"], title="x", if_revision=0),
        update(new_id(), title="x"),
        complete(old["id"]),
        complete(new_id()),
        create("beside"),
        delete(old["id"]),
        delete(old["id"]),
        delete(kept_task["id"], if_revision=0),
        create("last", due_date="9999-12-31"),
    ]


STATUSES = [201, 201, 200, 409, 200, 200, 409, 404, 200, 404, 201, 204, 404, 409, 201]


def test_the_first_batch_is_as_one_without_a_key(ann, bob):
    plain, keyed = send(bob, *everything(bob)), with_key(ann, "k", *everything(ann))
    assert dict(plain.headers).keys() == dict(keyed.headers).keys()
    assert [result["status"] for result in plain.json["data"]] == STATUSES
    assert [result["status"] for result in keyed.json["data"]] == STATUSES
    own = ("id", "user_id", "created_at", "updated_at", "completed_at")
    for one, other in zip(plain.json["data"], keyed.json["data"], strict=True):
        for result in (one, other):
            for name in own if "task" in result else ():
                result["task"][name] = bool(result["task"][name])
        assert one == other


def test_the_same_again_is_answered_byte_for_byte_and_does_nothing(ann):
    operations = everything(ann)
    first = with_key(ann, "k", *operations)
    tasks = ann.get(ann.tasks).json
    for _ in range(3):
        again = with_key(ann, "k", *operations)
        assert data_of(again) == data_of(first)
        assert again.headers[REPLAYED] == "true"
        assert again.json["meta"]["request_id"] == again.headers["X-Request-ID"]
        assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert REPLAYED not in first.headers
    after = ann.get(ann.tasks).json
    assert (after["data"], after["meta"]["revision"]) == (
        tasks["data"],
        tasks["meta"]["revision"],
    )


def test_a_replay_is_the_first_answer_whatever_became_of_the_tasks(ann, make_app):
    operations = everything(ann)
    first = with_key(ann, "k", *operations)
    for task in ann.get(ann.tasks).json["data"]:
        ann.put(ann.path_of(task), json={"title": "Another", "notes": "x"})
        ann.delete(ann.path_of(task))
    assert data_of(with_key(ann, "k", *operations)) == data_of(first)
    ann.client = make_app(max_tasks_per_user=1).test_client()
    assert data_of(with_key(ann, "k", *operations)) == data_of(first)
    assert ann.get(ann.tasks).json["data"] == []


@pytest.mark.parametrize(
    "operations",
    [
        [complete("00000000-0000-4000-8000-000000000000")],
        [delete("00000000-0000-4000-8000-000000000000")] * 100,
        [update("00000000-0000-4000-8000-000000000000")] * 3,
    ],
)
def test_a_batch_that_found_nothing_is_answered_again_too(ann, operations):
    first = with_key(ann, "k", *operations)
    assert {result["status"] for result in first.json["data"]} == {404}
    ann.post(ann.tasks, json={"title": "There", "id": "00000000-0000-4000-8000-000000000000"})
    again = with_key(ann, "k", *operations)
    assert data_of(again) == data_of(first)
    assert again.headers[REPLAYED] == "true"


def test_a_batch_at_the_quota_is_answered_again_though_there_is_room(ann, make_app):
    ann.client = make_app(max_tasks_per_user=2).test_client()
    operations = [create(str(number)) for number in range(4)]
    first = with_key(ann, "k", *operations)
    assert [result["status"] for result in first.json["data"]] == [201, 201, 409, 409]
    ann.delete(ann.path_of(first.json["data"][0]["task"]))
    assert data_of(with_key(ann, "k", *operations)) == data_of(first)
    assert len(ann.get(ann.tasks).json["data"]) == 1


def test_other_white_space_escapes_and_letter_case_of_ids_are_the_same_body(ann):
    mine = new_id()
    first = with_key(ann, "k", create("caf\u00e9", id=mine, tags=["a"]))
    body = (
        b' {\n "operations" :[{"title":" caf\\u00E9\\t", "tags":["a","A"],"id":"'
        + mine.upper().encode()
        + b'", "op":"cr\\u0065ate"}]}'
    )
    again = ann.post(
        f"{ann.tasks}/batch",
        data=body,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert data_of(again) == data_of(first)
    assert again.headers[REPLAYED] == "true"


def reused(answer: TestResponse) -> bool:
    return (answer.status_code, answer.json["code"]) == (422, "idempotency-key-reused") and [
        error["field"] for error in answer.json["errors"]
    ] == ["Idempotency-Key"]


def test_another_body_is_422_and_changes_nothing(ann):
    task = ann.add()
    first = with_key(ann, "k", create("a"), update(task["id"], title="b"))
    before = ann.get(ann.tasks).json["data"]
    for operations in (
        [create("a")],
        [create("a"), update(task["id"], title="c")],
        [update(task["id"], title="b"), create("a")],
        [create("a"), update(task["id"], title="b", notes=None)],
        [create("a"), update(new_id(), title="b")],
        [complete(task["id"])],
        [delete(task["id"])],
    ):
        assert reused(with_key(ann, "k", *operations))
    assert ann.get(ann.tasks).json["data"] == before
    again = with_key(ann, "k", create("a"), update(task["id"], title="b"))
    assert data_of(again) == data_of(first)


def test_a_key_is_of_one_call(ann):
    headers = {"Idempotency-Key": "k"}
    single = ann.post(ann.tasks, json={"title": "a"}, headers=headers)
    assert reused(with_key(ann, "k", create("a")))
    with_key(ann, "of-a-batch", create("a"))
    answer = ann.post(ann.tasks, json={"title": "a"}, headers={"Idempotency-Key": "of-a-batch"})
    assert reused(answer)
    again = ann.post(ann.tasks, json={"title": "a"}, headers=headers)
    assert again.json["data"] == single.json["data"]
    assert len(ann.get(ann.tasks).json["data"]) == 2


def test_another_user_may_have_the_same_key(ann, bob):
    for who in (ann, bob):
        answer = with_key(who, "k", create("a"))
        assert REPLAYED not in answer.headers
        assert answer.json["data"][0]["task"]["user_id"] == who.id


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"operations": []}',
        b'{"operations": [{"op": "create"}]}',
        b" " * 600_000,
    ],
)
def test_a_refused_body_uses_up_no_key(ann, superuser, body):
    answer = ann.post(
        f"{ann.tasks}/batch",
        data=body,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code in (400, 413, 422)
    assert kept(superuser, ann) == (set(), 0)
    answer = with_key(ann, "k", create("a"))
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\x01", "\x80", "a, b"])
def test_a_key_that_is_no_key_is_400_and_nothing_is_done(ann, key):
    answer = with_key(ann, key, create("a"))
    assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")
    assert ann.get(ann.tasks).json["data"] == []


@pytest.mark.parametrize("key", ["!", "~" * 255, '"k"', "';--"])
def test_any_visible_ascii_is_a_key(ann, superuser, key):
    first, again = with_key(ann, key, create("a")), with_key(ann, key, create("a"))
    assert data_of(first) == data_of(again)
    assert kept(superuser, ann) == ({key}, 1)


def test_a_key_is_good_for_24_hours_and_then_its_answers_are_gone(ann, superuser):
    operations = [create("a"), create("b"), complete(ann.add()["id"])]
    first = with_key(ann, "k", *operations)
    age(superuser, ann, 23.9)
    assert data_of(with_key(ann, "k", *operations)) == data_of(first)
    age(superuser, ann, 0.2)
    later = with_key(ann, "k", *operations)
    assert REPLAYED not in later.headers
    assert later.json["data"][0]["task"]["id"] != first.json["data"][0]["task"]["id"]
    assert kept(superuser, ann) == ({"k"}, 2)
    assert data_of(with_key(ann, "k", *operations)) == data_of(later)


def test_old_keys_go_with_their_answers_at_the_next_key(ann, superuser):
    for number in range(5):
        with_key(ann, f"k{number}", create("a"))
    age(superuser, ann, 24.1)
    ann.post(ann.tasks, json={"title": "x"}, headers={"Idempotency-Key": "new"})
    assert kept(superuser, ann) == ({"new"}, 0)


def test_answers_that_outlived_their_key_are_in_nobodys_way(ann, superuser):
    with_key(ann, "k", create("a"))
    age(superuser, ann, 24.1)
    superuser.execute("DELETE FROM idempotency_keys WHERE user_id = %s", [ann.id])  # the sweep
    first = with_key(ann, "k", create("b"))
    assert data_of(with_key(ann, "k", create("b"))) == data_of(first)


@pytest.mark.parametrize(
    "lose",
    [
        "DELETE FROM idempotency_keys WHERE user_id = %s",
        "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = %s",
    ],
)
def test_answers_that_a_dba_left_without_a_key_are_in_nobodys_way(ann, superuser, lose):
    with_key(ann, "k", create("a"))
    superuser.execute(lose, [ann.id])
    first = with_key(ann, "k", create("b"))
    assert data_of(with_key(ann, "k", create("b"))) == data_of(first)


def test_a_user_whose_tasks_are_older_than_revisions(ann, superuser):
    task = ann.add("Old")
    superuser.execute("UPDATE tasks SET revision = 0 WHERE user_id = %s", [ann.id])
    superuser.execute("UPDATE task_counts SET numbered = NULL WHERE user_id = %s", [ann.id])
    operations = [
        update(task["id"], title="Old"),
        update(task["id"], title="New", if_revision=99),
        create("a"),
        delete(task["id"]),
    ]
    first = with_key(ann, "k", *operations)
    assert [result["status"] for result in first.json["data"]] == [200, 409, 201, 204]
    assert first.json["data"][0]["task"]["revision"] > 0
    again = with_key(ann, "k", *operations)
    assert data_of(again) == data_of(first)
    assert kept(superuser, ann) == ({"k"}, 4)


def test_fifty_at_once_with_one_key_are_done_once(ann, app):
    clients = [app.test_client() for _ in range(50)]
    operations = [create("a"), create("b")]
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {ann.token}"}

    def one(number: int) -> TestResponse:
        return clients[number].post(
            f"{ann.tasks}/batch", json={"operations": operations}, headers=headers
        )

    answers = at_once(50, one)
    done = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len({data_of(answer) for answer in done}) == 1
    assert sum(REPLAYED not in answer.headers for answer in done) <= 1
    assert len(ann.get(ann.tasks).json["data"]) == 2


# --- bounds ---


@pytest.fixture
def little(make_app, sign_up, monkeypatch):
    """An account of whose answers 5 000 bytes are kept, and whose tasks may have as much text."""
    monkeypatch.setattr("todo_api.tasks.idempotency.ANSWER_BYTES_PER_DAY", 5000)
    account = sign_up()
    account.client = make_app(max_text_per_user=5000).test_client()
    return account


def test_beyond_so_many_bytes_of_answers_a_batch_is_429_and_nothing_is_done(little, superuser):
    task = little.add("x")
    long = little.post(little.tasks, json={"title": "x", "notes": "n" * 3000}).json["data"]
    operations = [complete(long["id"]), create("a")]
    firsts = [with_key(little, f"k{number}", *operations) for number in range(2)]
    before = little.get(little.tasks).json["data"]
    answer = with_key(little, "more", update(task["id"], title="y"), create("b"))
    assert (answer.status_code, answer.json["code"]) == (429, "rate-limited")
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400
    assert little.get(little.tasks).json["data"] == before
    assert kept(superuser, little)[0] == {"k0", "k1"}
    for number, first in enumerate(firsts):
        assert data_of(with_key(little, f"k{number}", *operations)) == data_of(first)
    assert send(little, create("without a key")).status_code == 200
    age(superuser, little, 25)
    assert with_key(little, "more", create("b")).status_code == 200


def test_the_answers_of_creates_count_with_those_of_batches(little):
    long = little.post(
        little.tasks, json={"title": "x", "notes": "n" * 2500, "id": str(uuid.uuid4())}
    ).json["data"]
    body = {"title": "x", "id": long["id"]}

    def again(key: str) -> TestResponse:
        return little.post(little.tasks, json=body, headers={"Idempotency-Key": key})

    assert [again(key).status_code for key in ("a", "b", "c")] == [200, 200, 429]
    assert again("a").headers[REPLAYED] == "true"
    answer = with_key(little, "d", create("a"))
    assert (answer.status_code, answer.json["code"]) == (429, "rate-limited")
    # What is new can be made again from the request: nothing is kept of it.
    new = little.post(little.tasks, json={"title": "new"}, headers={"Idempotency-Key": "e"})
    assert new.status_code == 201


def test_beyond_so_many_keys_a_batch_is_429(ann, superuser):
    superuser.execute(
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " SELECT %s, 'old-' || one, sha256(''), gen_random_uuid(), now() - one * interval '1 s'"
        " FROM generate_series(1, 9999) AS one",
        [ann.id],
    )
    operations = [create("a")]
    first = with_key(ann, "last", *operations)
    assert first.status_code == 200
    answer = with_key(ann, "more", *operations)
    assert (answer.status_code, answer.json["code"]) == (429, "rate-limited")
    # until the oldest one is too old, which was there 9 999 s ago
    assert 76_300 < int(answer.headers["Retry-After"]) <= 76_402
    assert len(ann.get(ann.tasks).json["data"]) == 1
    assert data_of(with_key(ann, "last", *operations)) == data_of(first)


def test_of_refusals_only_their_code_is_kept(ann, superuser):
    task = ann.post(ann.tasks, json={"title": "x", "notes": "a secret"}).json["data"]
    with_key(ann, "k", update(task["id"], title="y", if_revision=0), delete(task["id"]))
    rows = superuser.execute("SELECT answer FROM batch_results ORDER BY place").fetchall()
    assert [json.loads(answer) for (answer,) in rows] == [[["revision-conflict"]], [[None]]]


def test_the_answers_go_with_the_account(ann, superuser):
    with_key(ann, "k", create("a"))
    superuser.execute("DELETE FROM users WHERE user_id = %s", [ann.id])
    assert kept(superuser, ann) == (set(), 0)
