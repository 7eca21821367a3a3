"""The list in pages: API.md, `limit` and `cursor`."""

import base64
import hashlib
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from support.accounts import Account
from todo_api.lists import reading
from todo_api.web.unsent import Unsent

pytestmark = pytest.mark.contract
START = "2026-11-24 12:00:00+00"
LINK = re.compile(r'<(/api/[0-9a-f-]{36}/tasks\?limit=(\d+)&cursor=([A-Za-z0-9_-]+))>; rel="next"')


@pytest.fixture
def fill(superuser):
    """Adds `count` tasks of a user, three to each second, so that their ids have to decide too."""

    def fill(account: Account, count: int) -> list[dict[str, Any]]:
        superuser.execute(
            "INSERT INTO tasks (user_id, title, created_at)"
            " SELECT %s, 'task ' || n, %s::timestamptz - make_interval(secs => n / 3)"
            " FROM generate_series(1, %s) AS n",
            [account.id, START, count],
        )
        return account.get(account.tasks).json["data"]

    return fill


def walk(account, limit):
    """Every page, by its Link."""
    page = account.get(f"{account.tasks}?limit={limit}")
    while True:
        assert page.status_code == 200
        yield page
        if page.json["meta"]["next_cursor"] is None:
            return
        page = account.get(LINK.fullmatch(page.headers["Link"])[1])


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def test_a_page_has_the_newest_tasks_and_says_what_follows(ann, fill):
    tasks = fill(ann, 5)
    answer = ann.get(f"{ann.tasks}?limit=2")
    assert answer.json["data"] == tasks[:2]
    assert answer.json["meta"].keys() == {
        "timestamp",
        "request_id",
        "count",
        "revision",
        "next_cursor",
    }
    assert answer.json["meta"]["count"] == 2
    path, limit, cursor = LINK.fullmatch(answer.headers["Link"]).groups()
    assert (path.partition("?")[0], limit) == (ann.tasks, "2")
    assert cursor == answer.json["meta"]["next_cursor"]


@pytest.mark.parametrize("limit", [5, 6, 1000])
def test_the_last_page_has_null_and_no_link(ann, fill, limit):
    tasks = fill(ann, 5)
    answer = ann.get(f"{ann.tasks}?limit={limit}")
    assert answer.json["data"] == tasks
    assert answer.json["meta"]["next_cursor"] is None
    assert "Link" not in answer.headers


def test_a_page_of_nobodys_tasks_is_empty_and_the_last(ann):
    answer = ann.get(f"{ann.tasks}?limit=1")
    assert (answer.json["data"], answer.json["meta"]["count"]) == ([], 0)
    assert answer.json["meta"]["next_cursor"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_pages_together_are_the_list(ann, bob, fill, limit):
    tasks = fill(ann, 23)
    fill(bob, 5)
    found = [page.json["data"] for page in walk(ann, limit)]
    assert [task for page in found for task in page] == tasks
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


def test_a_page_holds_up_to_1000(ann, fill):
    tasks = fill(ann, 1200)
    first, second = walk(ann, 1000)
    assert (first.json["data"], second.json["data"]) == (tasks[:1000], tasks[1000:])


def test_the_list_without_a_limit_is_whole_and_has_nothing_of_a_page(ann, fill):
    tasks = fill(ann, 1200)
    answer = ann.get(ann.tasks)
    assert answer.json["data"] == tasks
    assert answer.json["meta"].keys() == {"timestamp", "request_id", "count", "revision"}
    assert "Link" not in answer.headers


def test_another_limit_goes_on_at_the_same_place(ann, fill):
    tasks = fill(ann, 9)
    cursor = ann.get(f"{ann.tasks}?limit=2").json["meta"]["next_cursor"]
    assert ann.get(f"{ann.tasks}?limit=5&cursor={cursor}").json["data"] == tasks[2:7]


def test_a_page_that_is_newer_than_its_revision_leads_on_from_its_own_last_task(
    ann, superuser, monkeypatch
):
    """A page of the same revision is being sent already, and a task goes between state and page."""
    superuser.execute(
        "INSERT INTO tasks (user_id, title, notes)"
        " SELECT user_id, number::text, repeat('x', 4000) FROM users, generate_series(1, 40) AS number"
    )
    tasks = ann.get(ann.tasks).json["data"]
    query, tries, being_sent = f"{ann.tasks}?limit=30", [], []
    complete = Unsent.complete

    def held(self, content, tag):
        being_sent.append(complete(self, content, tag))  # as long as its client reads it
        return being_sent[-1]

    monkeypatch.setattr(Unsent, "complete", held)
    assert ann.get(query).json["data"] == tasks[:30]
    in_step = reading._in_step

    def with_a_deletion(*calls):
        [state] = in_step()
        ann.delete(ann.path_of(tasks[0]))
        _, *takers = in_step(*calls)
        tries.append(state)
        return [state, *takers]

    monkeypatch.setattr(reading, "_in_step", with_a_deletion)
    page = ann.get(query)
    monkeypatch.undo()
    assert len(tries) == 1
    rest = ann.get(f"{query}&cursor={page.json['meta']['next_cursor']}").json["data"]
    assert page.json["data"] + rest == tasks[1:]


@pytest.mark.parametrize("seed", range(8))
def test_walking_finds_each_task_that_was_there_all_along_once_whatever_happens_meanwhile(
    ann, fill, superuser, seed
):
    chance = random.Random(seed)
    there = {task["id"] for task in fill(ann, 40)}
    all_along, found = set(there), []
    for page in walk(ann, chance.randint(1, 7)):
        found += [task["id"] for task in page.json["data"]]
        for _ in range(chance.randint(0, 3)):
            if chance.random() < 0.5:
                ann.add()  # on top of the list
                # anywhere else, as of a transaction that began long before it ended
                superuser.execute(
                    "INSERT INTO tasks (user_id, title, created_at)"
                    " VALUES (%s, 'late', %s::timestamptz - make_interval(secs => %s))",
                    [ann.id, START, chance.randint(0, 14)],
                )
            else:
                # the one that the page ended with is the likeliest to be missed
                gone = found[-1] if chance.random() < 0.5 else chance.choice(sorted(there))
                if ann.delete(f"{ann.tasks}/{gone}").status_code == 204:
                    all_along.discard(gone)
    assert len(found) == len(set(found))
    assert all_along <= set(found)
    assert [task for task in found if task in all_along] == [
        task["id"] for task in ann.get(ann.tasks).json["data"] if task["id"] in all_along
    ]


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "1001", "10000", "1.0", "1e2", "+5", "%2B5", "05", "5 ", "5,", "0x5", "five", "null",
     "%00", "%FF", "\u0665", "\uff15", "9" * 5000],
)  # fmt: skip
def test_a_limit_that_is_none_is_422(ann, limit):
    answer = ann.get(f"{ann.tasks}?limit={limit}")
    assert refused(answer) == {"limit": "must be a whole number from 1 to 1000"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "cursor",
    ["x", "null", "A" * 36, "_" * 36, "f" + "_" * 35, "%00", "\u0665" * 36, "x" * 5000, "AAAA" * 8,
     "2026-11-24T12:00:00Z"],
)  # fmt: skip
def test_a_cursor_that_is_none_is_422(ann, cursor):
    answer = ann.get(f"{ann.tasks}?limit=5&cursor={cursor}")
    assert refused(answer) == {"cursor": "must be a next_cursor of this list"}


def test_a_cursor_that_was_cut_or_changed_on_its_way_is_422(ann, fill):
    fill(ann, 2)
    cursor = ann.get(f"{ann.tasks}?limit=1").json["meta"]["next_cursor"]
    changed = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        for place in range(len(cursor))
    ]
    for bad in (
        cursor[:-1],
        cursor[:-4],
        cursor[4:],
        cursor + "A",
        cursor + "=",
        cursor.lower(),
        *changed,
    ):
        assert ann.get(f"{ann.tasks}?limit=1&cursor={bad}").status_code == 422
    assert ann.get(f"{ann.tasks}?limit=1&cursor={cursor}").status_code == 200


def test_a_cursor_without_a_limit_is_422(ann, fill):
    fill(ann, 2)
    cursor = ann.get(f"{ann.tasks}?limit=1").json["meta"]["next_cursor"]
    answer = ann.get(f"{ann.tasks}?cursor={cursor}")
    assert refused(answer) == {"limit": "is required with a cursor"}


def test_a_parameter_that_comes_twice_is_422(ann, fill):
    fill(ann, 2)
    cursor = ann.get(f"{ann.tasks}?limit=1").json["meta"]["next_cursor"]
    for query, field in (
        ("limit=1&limit=1", "limit"),
        ("limit=1&limit=2", "limit"),
        (f"limit=1&cursor={cursor}&cursor={cursor}", "cursor"),
    ):
        assert refused(ann.get(f"{ann.tasks}?{query}")) == {field: "must be given once"}


def test_every_bad_parameter_is_named(ann):
    assert refused(ann.get(f"{ann.tasks}?limit=0&cursor=x")).keys() == {"limit", "cursor"}


def test_an_unknown_parameter_is_422(ann):
    answer = ann.get(f"{ann.tasks}?colour=blue&limit=2&Limit=1&colour=red&%FF=&=x")
    unknown = dict.fromkeys(("colour", "Limit", "%FF", ""), "is not a known parameter")
    assert refused(answer) == unknown


@pytest.mark.parametrize("query", ["limit=", "limit", "limit=2&cursor="])
def test_an_empty_parameter_is_422(ann, query):
    assert list(refused(ann.get(f"{ann.tasks}?{query}")).values()) == ["must not be empty"]


@pytest.mark.parametrize("query", ["?", "?&", "?&&limit=2&"])
def test_no_parameter_at_all_is_none(ann, fill, query):
    fill(ann, 2)
    assert len(ann.get(f"{ann.tasks}{query}").json["data"]) == 2


def test_the_other_calls_take_no_notice_of_them(ann):
    query = {"limit": "0", "cursor": "x"}
    task = ann.post(ann.tasks, json={"title": "Buy milk"}, query_string=query)
    assert task.status_code == 201
    assert ann.get(ann.path_of(task.json["data"]), query_string=query).status_code == 200


def test_a_cursor_of_another_user_is_422(ann, bob, fill):
    fill(ann, 9)
    fill(bob, 9)
    cursor = bob.get(f"{bob.tasks}?limit=2").json["meta"]["next_cursor"]
    answer = ann.get(f"{ann.tasks}?limit=2&cursor={cursor}")
    assert refused(answer) == {"cursor": "must be a next_cursor of this list"}


def test_a_cursor_of_the_former_release_goes_on_working(ann, fill):
    """It had no user in it. An old process may have written it a moment ago."""
    tasks = fill(ann, 9)
    moment = datetime.fromisoformat(tasks[3]["created_at"])
    since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    position = since.to_bytes(8, "big") + UUID(tasks[3]["id"]).bytes
    check = hashlib.blake2s(position, digest_size=3).digest()
    former = base64.urlsafe_b64encode(position + check).decode()
    assert ann.get(f"{ann.tasks}?limit=9&cursor={former}").json["data"] == tasks[4:]
    for query in ("sort=created_at", "sort=-updated_at", "is_completed=false", "q=task"):
        answer = ann.get(f"{ann.tasks}?limit=9&cursor={former}&{query}")
        assert refused(answer) == {"cursor": "must be a next_cursor of this list"}


def test_a_cursor_of_all_tasks_looks_as_it_did_to_clients_of_the_former_release(ann, fill):
    fill(ann, 2)
    cursor = ann.get(f"{ann.tasks}?limit=1").json["meta"]["next_cursor"]
    assert re.fullmatch("[A-Za-z0-9_-]{36}", cursor)


def test_401_and_403_come_before_422(client, ann, bob):
    bad = "?limit=0&cursor=x"
    assert client.get(ann.tasks + bad).status_code == 401
    assert ann.get(bob.tasks + bad).status_code == 403
    assert ann.post("/api/auth/logout").status_code == 204
    assert ann.get(ann.tasks + bad).status_code == 401


def test_head_is_get_without_the_body(ann, fill):
    fill(ann, 3)
    path = f"{ann.tasks}?limit=2"
    get, head = ann.get(path), ann.call("HEAD", path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Link"] == get.headers["Link"]
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
