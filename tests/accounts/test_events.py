"""What happened at the door of an account, in pages: API.md, Accounts."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from support.accounts import Account

pytestmark = pytest.mark.contract
MEMBERS = ["occurred_at", "event", "reason", "address", "user_agent", "request_id"]
LINK = re.compile(r'<(/api/[0-9a-f-]{36}/events\?limit=(\d+)&cursor=([\w-]{28}))>; rel="next"')
Fill = Callable[..., None]


def path(account: Account, query: str = "") -> str:
    return f"/api/{account.id}/events{query}"


def refused(answer: Any) -> dict[str, str]:
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error"), answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def walk(account: Account, limit: int) -> list[dict[str, Any]]:
    """All events, page by page."""
    found, where = [], path(account, f"?limit={limit}")
    while where:
        answer = account.get(where)
        assert answer.status_code == 200, answer.text
        data, meta = answer.json["data"], answer.json["meta"]
        assert meta["count"] == len(data) <= limit
        found += data
        link = LINK.fullmatch(answer.headers.get("Link", ""))
        assert (link and link[3]) == meta["next_cursor"]
        where = link[1] if link else ""
    return found


@pytest.fixture
def fill(superuser: psycopg.Connection[Any]) -> Fill:
    """Adds events of a user: several of each moment."""

    def fill(account: Account, count: int) -> None:
        superuser.execute(
            "INSERT INTO auth_events (occurred_at, event, user_id, address, request_id)"
            " SELECT now() - interval '1 day' + number / 3 * interval '1 s', 'login', %s, '192.0.2.1',"
            " 'r' || number FROM generate_series(1, %s) AS number",
            [account.id, count],
        )

    return fill


def test_a_user_sees_what_was_done_and_refused_newest_first(
    client: FlaskClient, ann: Account, bob: Account
) -> None:
    headers = {"X-Request-ID": "the-request", "User-Agent": "curl/8"}
    wrong = {"email": ann.email, "password": "wrong password"}
    client.post(
        "/api/auth/login", json=wrong, headers=headers, environ_base={"REMOTE_ADDR": "2001:db8::1"}
    )
    bob.get(ann.tasks)
    ann.post("/api/auth/renew")
    answer = ann.get(path(ann))
    assert (answer.status_code, answer.json.keys()) == (200, {"data", "meta"})
    meta = answer.json["meta"]
    assert meta.keys() == {"timestamp", "request_id", "count", "next_cursor"}
    assert (meta["count"], meta["next_cursor"]) == (3, None)
    renewal, login, signup = answer.json["data"]
    assert [*renewal] == [*login] == [*signup] == MEMBERS
    assert [one["event"] for one in (renewal, login, signup)] == [
        "renewal",
        "login_refused",
        "signup",
    ]
    assert {name: login[name] for name in MEMBERS[2:]} == {
        "reason": "wrong password",
        "address": "2001:db8::1",
        "user_agent": "curl/8",
        "request_id": "the-request",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", login["occurred_at"])
    assert renewal["occurred_at"] > login["occurred_at"] > signup["occurred_at"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Link" not in answer.headers


def test_a_page_has_50_unless_a_limit_says_otherwise(ann: Account, fill: Fill) -> None:
    fill(ann, 120)
    answer = ann.get(path(ann))
    assert answer.json["meta"]["count"] == 50
    cursor = answer.json["meta"]["next_cursor"]
    # The limit need not be repeated.
    rest = ann.get(path(ann, f"?cursor={cursor}"))
    assert rest.json["meta"]["count"] == 50
    assert ann.get(path(ann, "?limit=100")).json["meta"]["count"] == 100
    assert ann.get(path(ann, "?limit=1")).json["meta"]["count"] == 1


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_the_pages_together_have_each_event_once_in_order(
    ann: Account, bob: Account, fill: Fill, superuser: psycopg.Connection[Any], limit: int
) -> None:
    fill(ann, 20)
    fill(bob, 20)
    rows = superuser.execute(
        "SELECT request_id FROM auth_events WHERE user_id = %s ORDER BY occurred_at DESC, id DESC",
        [ann.id],
    ).fetchall()
    assert [one["request_id"] for one in walk(ann, limit)] == [name for (name,) in rows]


def test_events_that_come_and_go_meanwhile_move_no_page(
    ann: Account, fill: Fill, superuser: psycopg.Connection[Any]
) -> None:
    fill(ann, 12)
    first = ann.get(path(ann, "?limit=6")).json
    ann.post("/api/auth/renew")
    last = first["data"][-1]["request_id"]
    superuser.execute("DELETE FROM auth_events WHERE request_id = %s", [last])
    second = ann.get(path(ann, f"?limit=100&cursor={first['meta']['next_cursor']}")).json
    # the sign-up and twelve more
    assert [one["request_id"] for one in second["data"]] == [
        f"r{number}" for number in range(7, 0, -1)
    ]


def test_a_cursor_of_another_user_is_422(ann: Account, bob: Account, fill: Fill) -> None:
    for user in (ann, bob):
        fill(user, 3)
    cursor = bob.get(path(bob, "?limit=2")).json["meta"]["next_cursor"]
    assert bob.get(path(bob, f"?cursor={cursor}")).status_code == 200
    assert refused(ann.get(path(ann, f"?cursor={cursor}"))).keys() == {"cursor"}
    assert refused(ann.get(path(ann, f"?cursor={cursor}&limit=0"))).keys() == {"cursor", "limit"}


def test_the_link_to_the_next_page_has_the_id_in_lower_case(ann: Account, fill: Fill) -> None:
    fill(ann, 3)
    answer = ann.get(path(ann, "?limit=2").replace(ann.id, ann.id.upper()))
    assert LINK.fullmatch(answer.headers["Link"])


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "101", "1000", "1.0", "+5", "05", "5 ", "five", "%00", "\u0665", "9" * 5000],
)
def test_a_limit_that_is_none_is_422(ann: Account, limit: str) -> None:
    message = "must be a whole number from 1 to 100"
    assert refused(ann.get(path(ann, f"?limit={limit}"))) == {"limit": message}


def test_a_cursor_that_was_cut_changed_or_made_up_is_422(ann: Account, fill: Fill) -> None:
    fill(ann, 5)
    cursor = ann.get(path(ann, "?limit=2")).json["meta"]["next_cursor"]
    task_cursor = "AAZg8uenZYBaC3pSnIRPDo88bx8cDZ8Q1lDw"
    changed = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        for place in range(len(cursor))
    ]
    for bad in ("x", "A" * 28, "_" * 28, cursor[:-1], cursor[:-4], cursor + "A", cursor + "=",
                task_cursor, "%00", "\u0665" * 28, *changed):  # fmt: skip
        assert refused(ann.get(path(ann, f"?cursor={bad}"))) == {
            "cursor": "must be a next_cursor of this list"
        }


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("colour=blue", {"colour": "is not a known parameter"}),
        ("Limit=1&limit=2", {"Limit": "is not a known parameter"}),
        ("limit=1&limit=1", {"limit": "must be given once"}),
        ("limit=1&limit=", {"limit": "must be given once"}),
        ("cursor=x&cursor=x", {"cursor": "must be given once"}),
        ("limit=", {"limit": "must not be empty"}),
        ("limit", {"limit": "must not be empty"}),
        ("cursor=", {"cursor": "must not be empty"}),
        ("=x", {"": "is not a known parameter"}),
        ("sort=", {"sort": "is not a known parameter"}),
        (
            "limit=0&cursor=x&a=1&b",
            {
                "limit": "must be a whole number from 1 to 100",
                "cursor": "must be a next_cursor of this list",
                "a": "is not a known parameter",
                "b": "is not a known parameter",
            },
        ),
    ],
)
def test_unknown_doubled_empty_and_wrong_parameters_are_422_and_all_named(
    ann: Account, query: str, fields: dict[str, str]
) -> None:
    assert refused(ann.get(path(ann, f"?{query}"))) == fields


def test_401_and_403_come_before_422(client: FlaskClient, ann: Account, bob: Account) -> None:
    bad = "?limit=0&colour=blue"
    assert client.get(path(ann, bad)).status_code == 401
    assert ann.get(path(bob, bad)).status_code == 403
    ann.post("/api/auth/logout")
    assert ann.get(path(ann, bad)).status_code == 401


def test_a_refusal_of_nobody_known_is_in_nobodys_events(client: FlaskClient, ann: Account) -> None:
    client.post("/api/auth/login", json={"email": "x@example.com", "password": "wrong password"})
    client.get(ann.tasks, headers={"Authorization": "Bearer junk"})
    assert [one["event"] for one in ann.get(path(ann)).json["data"]] == ["signup"]
