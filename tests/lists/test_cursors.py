"""A cursor belongs to its user, filters and order; and the longest one still fits into an address."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from todo_api.lists.orders import ORDERS
from todo_api.lists.pages import Asked
from todo_api.web.query import write_cursor

pytestmark = pytest.mark.contract
NONE = {"cursor": "must be a next_cursor of this list"}
LISTS = [
    {},
    {"sort": "created_at"},
    {"sort": "-updated_at"},
    {"sort": "due"},
    {"sort": "-priority"},
    {"sort": "title"},
    {"q": "task"},
    {"q": "tas"},
    {"q": "task", "sort": "title"},
    {"tag": "home"},
    {"is_completed": "false"},
    {"is_completed": "false", "sort": "title"},
    {"min_priority": "1"},
    {"min_priority": "2"},
    {"due_from": "2026-03-10"},
    {"due_to": "2026-03-10"},
    {"due_from": "2026-03-10", "due_to": "2026-03-10"},
    {"q": "task", "tag": "home", "min_priority": "1", "due_to": "2026-03-10", "sort": "due"},
]


@pytest.fixture
def five(ann):
    """Tasks that every one of these lists has."""
    return [add(ann, f"task {number}") for number in range(5)]


def add(account, title):
    fields = {"tags": ["home"], "priority": 2, "due_date": "2026-03-10"}
    answer = account.post(account.tasks, json={"title": title, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json["data"]


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error"), answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def cursor_of(account, query):
    return account.get(account.tasks, query_string=query | {"limit": 2}).json["meta"]["next_cursor"]


@pytest.mark.slow
def test_a_cursor_of_other_filters_or_another_order_is_422(ann, five):
    cursors = [cursor_of(ann, query) for query in LISTS]
    assert len(set(cursors)) == len(LISTS)
    for own, query in zip(cursors, LISTS, strict=True):
        for cursor in cursors:
            answer = ann.get(ann.tasks, query_string=query | {"limit": 9, "cursor": cursor})
            if cursor == own:
                assert answer.json["meta"]["count"] == 3
            else:
                assert refused(answer) == NONE


@pytest.mark.parametrize("query", LISTS)
def test_a_cursor_of_another_user_is_422(ann, bob, five, query):
    for number in range(5):
        add(bob, f"task {number}")
    answer = ann.get(ann.tasks, query_string=query | {"limit": 2, "cursor": cursor_of(bob, query)})
    assert refused(answer) == NONE


@pytest.mark.parametrize("query", LISTS[:6])
def test_a_cursor_that_was_cut_or_changed_on_its_way_is_422(ann, five, query):
    cursor = cursor_of(ann, query)
    changed = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        for place in range(len(cursor))
    ]
    ends = [cursor[:-1], cursor[:-4], cursor[4:], cursor + "A", cursor + "AAAA", "AAAA" + cursor]
    for bad in (*changed, *ends, cursor + "=", cursor.swapcase(), "A" * 4000, "A" * 28):
        answer = ann.get(ann.tasks, query_string=query | {"limit": 2, "cursor": bad})
        assert refused(answer) == NONE


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("title", [b"\0", b"a\0b", b"a\nb", b"\xff", b"\xed\xa0\x80", b"x" * 501]),
        ("-priority", [b"", b"\x04", b"\xff", b"\1\1"]),
        ("due", [b"", b"\1" * 7, b"\1" * 9, b"\x80" + b"\0" * 7, b"\x7f" + b"\xff" * 6 + b"\xfe"]),
        ("created_at", [b"", b"\1" * 7, b"\1" * 9, b"\x7f" + b"\xff" * 7]),
        ("-updated_at", [b"", b"\1" * 7, b"\1" * 9, b"\x7f" + b"\xff" * 7]),
        ("-created_at", [b"", b"\1" * 7, b"\1" * 9, b"\x7f" + b"\xff" * 7]),
    ],
)
def test_a_cursor_that_somebody_made_with_a_right_checksum_is_422_where_it_is_no_position(
    ann, five, sort, keys
):
    asked = Asked(ann.id, ORDERS[sort], {})
    for key in keys:
        cursor = write_cursor(key + bytes(16), asked.key())
        answer = ann.get(ann.tasks, query_string={"sort": sort, "limit": 2, "cursor": cursor})
        assert refused(answer) == NONE, key


def test_the_default_order_by_its_name_is_the_default_order(ann, five):
    cursor = cursor_of(ann, {})
    named = {"sort": "-created_at", "limit": 9}
    assert ann.get(ann.tasks, query_string=named | {"cursor": cursor}).json["meta"]["count"] == 3


def test_a_cursor_that_is_damaged_is_named_beside_a_wrong_limit(ann):
    assert refused(ann.get(f"{ann.tasks}?sort=due&limit=0&cursor={'A' * 36}")) == {
        "limit": "must be a whole number from 1 to 1000",
        **NONE,
    }
    assert refused(ann.get(f"{ann.tasks}?sort=due&cursor={'A' * 36}")) == {
        "limit": "is required with a cursor",
        **NONE,
    }


def test_the_link_keeps_filters_and_order_whatever_is_in_them(ann):
    texts = "a&b=c #?%41+ \"<>\\/;,ä🥛'"
    for number in range(3):
        answer = ann.post(ann.tasks, json={"title": f"{texts} {number}", "tags": ["a&b=ä <>;"]})
        assert answer.status_code == 201
    query = {"sort": "title", "q": texts, "tag": "A&B=Ä <>;", "is_completed": "false", "limit": "2"}
    answer = ann.get(ann.tasks, query_string=query)
    link = answer.headers["Link"]
    assert link.startswith(f"<{ann.tasks}?")
    assert link.endswith('>; rel="next"')
    address = link.removeprefix("<").removesuffix('>; rel="next"')
    assert address.isascii()
    assert not set(address) & set(" <>\"\\'")
    cursor = {"cursor": answer.json["meta"]["next_cursor"]}
    assert dict(parse_qsl(urlsplit(address).query, strict_parsing=True)) == query | cursor
    [last] = ann.get(address).json["data"]
    assert last["title"] == f"{texts} 2"


@pytest.mark.parametrize("character", ["\U0001f95b", "\u5b57", "İ", "a"])
def test_a_walk_by_the_longest_titles_goes_on_even_after_the_last_one_is_deleted(ann, character):
    tasks = [ann.add(character * 499 + letter) for letter in "edcba"]
    query = {"sort": "title", "q": character * 100}
    answer = ann.get(ann.tasks, query_string=query | {"limit": 2})
    assert [task["id"] for task in answer.json["data"]] == [task["id"] for task in tasks[:2:-1]]
    ann.delete(ann.path_of(answer.json["data"][1]))
    link = answer.headers["Link"]
    assert (
        len(link) < 4200
    )  # of the 16 KiB that the server takes, and of the 8 KiB that most others take
    rest = ann.get(link.removeprefix("<").partition(">")[0]).json["data"]
    assert [task["id"] for task in rest] == [task["id"] for task in tasks[1::-1]] or len(rest) == 2
