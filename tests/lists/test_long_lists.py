"""Lists that are longer than the parts in which their rows arrive."""

import json

import psycopg
import pytest

from todo_api.database.pipeline import PART_ROWS
from todo_api.lists.contents import ListTaker

LONG_TITLE = "\U0001f95b" * 500
COUNTS = [PART_ROWS, PART_ROWS + 1, 2 * PART_ROWS + 7]


@pytest.fixture(params=["Buy milk", LONG_TITLE], ids=["usual titles", "the longest titles"])
def fill(request, ann, superuser):
    """Gives Ann so many tasks."""

    def fill(count):
        superuser.execute(
            "INSERT INTO tasks (user_id, title, created_at, revision)"
            " SELECT user_id, %s, now() - number * interval '1 second', number"
            " FROM users, generate_series(1, %s) AS number",
            (request.param, count),
        )

    return fill


@pytest.mark.parametrize("count", COUNTS)
def test_a_list_comes_whole_and_in_order(ann, fill, count):
    fill(count)
    answer = ann.get(ann.tasks)
    assert answer.headers["Content-Length"] == str(len(answer.data))
    moments = [task["created_at"] for task in answer.json["data"]]
    assert moments == sorted(set(moments), reverse=True)
    assert answer.json["meta"]["count"] == len(moments) == count
    compact = json.dumps(answer.json, ensure_ascii=False, separators=(",", ":"))
    assert answer.data == compact.encode()
    head = ann.call("HEAD", ann.tasks)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


@pytest.mark.parametrize("count", COUNTS)
def test_its_tag_is_the_one_that_is_asked_for(ann, fill, count):
    fill(count)
    tag = ann.get(ann.tasks).headers["ETag"]
    assert ann.call("GET", ann.tasks, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("count", COUNTS)
def test_its_pages_are_the_list(ann, fill, count):
    fill(count)
    whole, found, path = ann.get(ann.tasks).json["data"], [], f"{ann.tasks}?limit={PART_ROWS}"
    while path:
        page = ann.get(path).json
        found += page["data"]
        cursor = page["meta"]["next_cursor"]
        path = cursor and f"{ann.tasks}?limit={PART_ROWS}&cursor={cursor}"
    assert found == whole


def test_a_list_whose_connection_is_lost_half_way_is_read_anew(ann, fill, monkeypatch):
    """What came before is in no answer."""
    fill(PART_ROWS + 1)
    take, calls = ListTaker.take, []

    def lost_once(self, rows):
        take(self, rows)
        calls.append(len(rows))
        if len(calls) == 2:
            raise psycopg.OperationalError("the server is gone")

    monkeypatch.setattr(ListTaker, "take", lost_once)
    answer = ann.get(ann.tasks)  # a read that lost its connection is repeated
    assert answer.status_code == 200
    assert answer.json["meta"]["count"] == PART_ROWS + 1
    assert len({task["id"] for task in answer.json["data"]}) == PART_ROWS + 1
    assert calls == [PART_ROWS, 1] * 2


@pytest.mark.parametrize("query", ["", "?limit=5"])
def test_a_list_that_is_refused_costs_no_connection(ann, caplog, query):
    assert ann.post("/api/auth/logout").status_code == 204
    for _ in range(3):
        assert ann.get(f"{ann.tasks}{query}").status_code == 401
    assert [record.message for record in caplog.records if record.name == "psycopg.pool"] == []
