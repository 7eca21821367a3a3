"""Where a user is signed in, and the end of sign-ins: API.md, Accounts."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from support.accounts import Account
from todo_api.database.calls import Call, SignedIn

pytestmark = pytest.mark.contract
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
OTHER = "192.0.2.7"


class Device(Account):
    """The same user, logged in once more from another address."""

    def __init__(self, account: Account, address: str = OTHER, agent: str = "phone") -> None:
        self.client, self.email, self.password = account.client, account.email, account.password
        answer = account.client.post(
            "/api/auth/login",
            json={"email": account.email, "password": account.password},
            environ_base={"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent},
        )
        assert answer.status_code == 200, answer.text
        self.id, self.tasks = account.id, account.tasks
        self.token = answer.json["data"]["access_token"]


def path(account: Account, session_id: str = "") -> str:
    return f"/api/{account.id}/sessions" + (f"/{session_id}" if session_id else "")


def listed(account: Account) -> list[dict[str, Any]]:
    answer = account.get(path(account))
    assert answer.status_code == 200, answer.text
    assert answer.json["meta"]["count"] == len(answer.json["data"])
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def is_alive(account: Account) -> bool:
    return account.get(account.tasks).status_code == 200


@pytest.fixture
def names(superuser: psycopg.Connection[Any]) -> Callable[[], list[str]]:
    """The ends of sessions that were recorded, oldest first."""

    def names() -> list[str]:
        rows = superuser.execute("SELECT event FROM auth_events ORDER BY id").fetchall()
        return [name for (name,) in rows if name not in ("signup", "login")]

    return names


def test_the_list_has_each_sign_in_newest_first_and_marks_this_one(
    ann: Account, bob: Account
) -> None:
    phone = Device(ann)
    answer = ann.get(path(ann))
    assert (answer.status_code, answer.json.keys()) == (200, {"data", "meta"})
    assert answer.json["meta"].keys() == {"timestamp", "request_id", "count"}
    assert answer.json["meta"]["count"] == 2
    newest, oldest = answer.json["data"]
    members = ["id", "created_at", "expires_at", "address", "user_agent", "is_current"]
    assert [*newest] == [*oldest] == members
    assert (newest["id"], oldest["id"]) == (phone.session_id, ann.session_id)
    assert (newest["is_current"], oldest["is_current"]) == (False, True)
    assert (newest["address"], newest["user_agent"]) == (OTHER, "phone")
    assert oldest["address"] == "127.0.0.1"
    for entry in (newest, oldest):
        assert MOMENT.fullmatch(entry["created_at"])
        assert MOMENT.fullmatch(entry["expires_at"])
        assert entry["created_at"] < entry["expires_at"]
    assert newest["created_at"] > oldest["created_at"]
    assert [one["is_current"] for one in listed(phone)] == [True, False]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("x" * 5000, "x" * 256), ("", None), ("a\0b", "ab"), ("\xff\xfe", "\xff\xfe")],
)
def test_of_a_user_agent_256_characters_are_kept(ann: Account, sent: str, kept: str | None) -> None:
    phone = Device(ann, agent=sent)
    assert listed(phone)[0]["user_agent"] == kept


def test_what_has_expired_is_not_listed(ann: Account, superuser: psycopg.Connection[Any]) -> None:
    phone = Device(ann)
    superuser.execute(
        "UPDATE sessions SET created_at = now() - interval '2 days', expires_at = now() - interval '1 s'"
        " WHERE id = %s",
        [phone.session_id],
    )
    assert [one["id"] for one in listed(ann)] == [ann.session_id]
    assert ann.delete(path(ann, phone.session_id)).status_code == 404


def test_the_list_ignores_a_query(ann: Account) -> None:
    assert len(ann.get(f"{path(ann)}?limit=0&colour=&limit=1").json["data"]) == 1


def test_one_sign_in_is_ended_and_a_second_call_finds_nothing(
    ann: Account, names: Callable[[], list[str]]
) -> None:
    phone, tablet = Device(ann), Device(ann)
    answer = ann.delete(path(ann, phone.session_id.upper()))
    assert (answer.status_code, answer.data) == (204, b"")
    assert [is_alive(one) for one in (ann, phone, tablet)] == [True, False, True]
    assert [one["id"] for one in listed(ann)] == [tablet.session_id, ann.session_id]
    again = ann.delete(path(ann, phone.session_id))
    assert (again.status_code, again.json["code"]) == (404, "not-found")
    assert names() == ["session_ended", "token_refused"]


@pytest.mark.parametrize("which", [0, 1], ids=["the renewed token's", "the newest token's"])
def test_a_renewed_sign_in_is_ended_by_the_id_of_any_of_its_living_tokens(
    ann: Account, which: int
) -> None:
    phone, renewed = Device(ann), Device(ann)
    renewed.token = phone.post("/api/auth/renew").json["data"]["access_token"]
    assert ann.delete(path(ann, [phone, renewed][which].session_id)).status_code == 204
    assert [is_alive(one) for one in (ann, phone, renewed)] == [True, False, False]


def test_a_user_can_end_the_sign_in_of_the_request(ann: Account) -> None:
    assert ann.delete(path(ann, ann.session_id)).status_code == 204
    assert ann.get(path(ann)).status_code == 401


SOME_ID = "3d0a9f4e-52c1-4f0b-9a61-7a3f5f0c2d11"


@pytest.mark.parametrize(
    "session_id", ["x", "", "0", "%00", SOME_ID, f"{{{SOME_ID}}}", SOME_ID.replace("-", "")]
)
def test_what_is_nobodys_session_is_404(
    ann: Account, names: Callable[[], list[str]], session_id: str
) -> None:
    answer = ann.delete(f"{path(ann)}/{session_id}")
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert is_alive(ann)
    assert names() == []


def test_another_user_s_session_looks_like_nobodys(
    ann: Account, bob: Account, names: Callable[[], list[str]]
) -> None:
    foreign = ann.delete(path(ann, bob.session_id))
    missing = ann.delete(path(ann, str(uuid.uuid4())))
    assert foreign.status_code == missing.status_code == 404
    alike = [
        {
            name: value
            for name, value in answer.json.items()
            if name not in ("request_id", "instance")
        }
        for answer in (foreign, missing)
    ]
    assert alike[0] == alike[1]
    assert is_alive(bob)
    assert names() == []
    assert ann.delete(path(bob, bob.session_id)).status_code == 403
    assert ann.delete(path(bob)).status_code == 403
    assert ann.get(path(bob)).status_code == 403
    assert [one["id"] for one in listed(bob)] == [bob.session_id]


def test_all_others_end_and_this_one_lives_on(
    ann: Account, bob: Account, names: Callable[[], list[str]]
) -> None:
    devices, renewed = [Device(ann) for _ in range(3)], Device(ann)
    renewed.token = devices[0].post("/api/auth/renew").json["data"]["access_token"]
    answer = ann.delete(path(ann))
    assert (answer.status_code, answer.data) == (204, b"")
    assert not any(is_alive(one) for one in [*devices, renewed])
    assert is_alive(ann)
    assert is_alive(bob)
    assert len(listed(ann)) == 1
    assert [name for name in names() if name != "token_refused"] == ["renewal", "sessions_ended"]


def test_the_own_sign_in_lives_on_with_all_its_tokens(ann: Account) -> None:
    phone, renewed = Device(ann), Device(ann)
    renewed.token = ann.post("/api/auth/renew").json["data"]["access_token"]
    assert ann.delete(path(ann)).status_code == 204  # by the renewed token
    assert [is_alive(one) for one in (phone, ann, renewed)] == [False, True, True]


def test_without_others_nothing_ends_and_nothing_is_recorded(
    ann: Account, names: Callable[[], list[str]]
) -> None:
    ann.post("/api/auth/renew")
    assert [ann.delete(path(ann)).status_code for _ in range(2)] == [204, 204]
    assert names() == ["renewal"]
    assert is_alive(ann)


def test_without_a_living_session_it_is_401_whatever_the_id(
    client: FlaskClient, ann: Account
) -> None:
    for where in (path(ann), path(ann, "x"), path(ann, ann.session_id)):
        assert client.delete(where).status_code == 401
    ann.post("/api/auth/logout")
    for where in (path(ann), path(ann, "x"), path(ann, ann.session_id)):
        assert ann.delete(where).status_code == 401
    assert ann.get(path(ann)).status_code == 401


def test_where_the_session_that_stays_is_gone_none_stays(ann: Account, app: Flask) -> None:
    who = SignedIn(ann.id, ann.session_id)
    gone = Call("sessions/end_others", {"session_id": str(uuid.uuid4())})
    app.extensions["database"].as_user(who, gone)
    assert ann.get(ann.tasks).status_code == 401
