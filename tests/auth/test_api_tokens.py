"""What an API token is made of, which ones are refused, and in which line the others wait."""

import hashlib
import re
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask

from support.accounts import Account
from todo_api.app import entrance_of
from todo_api.auth import api_tokens, tokens
from todo_api.settings.config import Config

USER = "0b9f3c2e-7d14-4c8a-9a55-2f6de1b7c301"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EDGES = (USER, str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1)))


def with_checksum(body: str) -> str:
    """As anybody can make one: the checksum is no secret."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return body + digits


# --- what it is made of ---


@pytest.mark.parametrize("user", EDGES)
@pytest.mark.parametrize("may_write", [True, False])
def test_a_token_names_its_user_and_scope(user: str, may_write: bool) -> None:
    token = api_tokens.make(user, may_write=may_write)
    assert re.fullmatch(r"todo_[rw][0-9A-Za-z]{59}", token)
    client = api_tokens.client_of(token)
    assert client
    assert (client.user_id, client.may_write) == (user, may_write)


def test_an_id_is_made_of_the_sha_256_and_is_a_uuid_of_version_8() -> None:
    token = api_tokens.make(USER, may_write=True)
    made = uuid.UUID(api_tokens.id_of(token))
    digest = uuid.UUID(bytes=hashlib.sha256(token.encode()).digest()[:16])
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    fixed = 0xF << 76 | 0x3 << 62
    assert made.int & ~fixed == digest.int & ~fixed


def test_no_two_tokens_are_the_same() -> None:
    assert len({api_tokens.make(USER, may_write=True) for _ in range(100)}) == 100


def test_the_checksum_is_crc_32_in_base_62() -> None:
    token = api_tokens.make(USER, may_write=False)
    assert with_checksum(token[:-6]) == token


def test_every_single_mistyped_character_is_noticed() -> None:
    token = api_tokens.make(USER, may_write=True)
    for place in range(len(token)):
        for other in set(ALPHABET + "_") - {token[place]}:
            assert api_tokens.client_of(token[:place] + other + token[place + 1 :]) is None


def test_a_token_in_another_spelling_is_none() -> None:
    token = api_tokens.make(USER, may_write=True)
    swapped = [token[:n] + token[n + 1] + token[n] + token[n + 2 :] for n in range(len(token) - 1)]
    for other in (
        "", token[:-1], token[1:], token + token[-1], token.lower(), token.upper(), token.swapcase(),
        f" {token}", f"{token}\n", token * 2, token.replace("todo_", "TODO_"), f"{token}=", "x" * 100_000,
        token[:-1] + "é", token[:-1] + "\udcff", token[:-1] + "٣", *(one for one in swapped if one != token),
    ):  # fmt: skip
        assert api_tokens.client_of(other) is None, other[:80]


def test_a_user_beyond_128_bits_is_none() -> None:
    for digits in ("z" * 22, "8" + "0" * 21):
        assert api_tokens.client_of(with_checksum(f"todo_r{digits}{'0' * 31}")) is None


# --- in a request ---


def asked(app: Flask, user: Account, header: str, path: str = "") -> Any:
    return app.test_client().get(path or user.tasks, headers={"Authorization": header})


def make(user: Account, scope: str = "read") -> str:
    body = {"name": "x", "scope": scope}
    return str(user.post(f"/api/{user.id}/tokens", json=body).json["data"]["token"])


@pytest.mark.contract
def test_what_is_mistyped_cut_or_in_another_case_is_401(app: Flask, ann: Account) -> None:
    token = make(ann)
    other = with_checksum(token[:30] + ("0" if token[30] != "0" else "1") + token[31:-6])
    for header in (
        f"Bearer {token[:-1]}", f"Bearer {token}0", f"Bearer {token.swapcase()}", f"Bearer {token},{token}",
        f"Bearer{token}", token, f"Basic {token}", f"Token {token}", f"Bearer {token} x",
        f"Bearer {token}\xa0", f"Bearer {other}", f"Bearer {with_checksum('todo_w' + token[6:-6])}",
    ):  # fmt: skip
        answer = asked(app, ann, header)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized"), header
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for header in (f"Bearer {token}", f"bearer {token}", f"BEARER   {token}"):
        assert asked(app, ann, header).status_code == 200
    assert asked(app, ann, "", f"{ann.tasks}?access_token={token}").status_code == 401


@pytest.mark.contract
def test_a_token_of_another_user_s_text_is_nobody_s(app: Flask, ann: Account, bob: Account) -> None:
    """The user's id in it is part of what the id of the row is made of."""
    token = make(ann)
    of_bob = api_tokens.make(bob.id, may_write=False)
    forged = with_checksum(token[:6] + of_bob[6:28] + token[28:-6])
    for user in (ann, bob):
        assert asked(app, user, f"Bearer {forged}").status_code == 401


@pytest.mark.contract
def test_a_forged_token_leaves_no_trace_of_the_user_it_names(
    app: Flask, ann: Account, superuser: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    forged = api_tokens.make(ann.id, may_write=True)
    with caplog.at_level("INFO", "todo_api.access"):
        assert asked(app, ann, f"Bearer {forged}").status_code == 401
    events = superuser.execute(
        "SELECT reason, user_id FROM auth_events WHERE event = 'token_refused'"
    )
    assert events.fetchall() == [("API token unknown or ended", None)]
    [line] = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert (line["user_id"], line.get("token")) == (None, None)


@pytest.mark.contract
def test_a_log_line_says_by_which_kind_of_token_a_request_came(
    app: Flask, ann: Account, caplog: pytest.LogCaptureFixture
) -> None:
    read, write = make(ann), make(ann, "write")
    with caplog.at_level("INFO", "todo_api.access"):
        for token in (ann.token, read, write):
            asked(app, ann, f"Bearer {token}")
        app.test_client().get("/health/live")
    lines = [record.fields.get("token") for record in caplog.records if hasattr(record, "fields")]
    ids = [api_tokens.id_of(token) for token in (read, write)]
    assert lines[-4:] == ["session", f"read {ids[0]}", f"write {ids[1]}", None]
    assert not any(token[6:] in caplog.text for token in (read, write))


# --- the line in which a request waits ---


@pytest.mark.contract
def test_only_a_token_that_the_database_has_accepted_waits_in_its_user_s_line(
    app: Flask, ann: Account, bob: Account
) -> None:
    token, forged = make(ann), api_tokens.make(ann.id, may_write=True)
    header, forgery = f"Bearer {token}", f"Bearer {forged}"
    assert tokens.sender(app, header) is None
    asked(app, ann, forgery)
    asked(app, ann, header, bob.tasks)  # refused, if not by the database
    assert (tokens.sender(app, header), tokens.sender(app, forgery)) == (None, None)
    asked(app, ann, header)
    assert tokens.sender(app, header) == (ann.id, api_tokens.id_of(token))
    ann.delete(f"/api/{ann.id}/tokens/{api_tokens.id_of(token)}")
    assert asked(app, ann, header).status_code == 401
    assert tokens.sender(app, header) is None


@pytest.mark.contract
def test_the_entrance_takes_such_a_token_for_its_user_s(
    app: Flask, config: Config, ann: Account
) -> None:
    token = make(ann)
    asked(app, ann, f"Bearer {token}")
    assert entrance_of(app, config).sender(f"Bearer {token}") == (ann.id, api_tokens.id_of(token))


@pytest.mark.contract
def test_a_forger_never_takes_the_turn_to_make_a_user_s_list(
    app: Flask, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody makes a large list of a user, further requests for it wait."""
    taken: list[str] = []
    makers = app.extensions["makers"]
    turn = makers.turn
    monkeypatch.setattr(makers, "turn", lambda owner: (taken.append(owner), turn(owner))[1])
    assert asked(app, ann, f"Bearer {api_tokens.make(ann.id, may_write=False)}").status_code == 401
    assert taken == []
    assert asked(app, ann, f"Bearer {make(ann)}").status_code == 200
    assert taken == [ann.id]


# --- what it may do ---


def test_a_view_that_writes_for_a_read_token_is_answered_403(
    make_app: Callable[..., Flask], sign_up: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's refusal, when the application's own has been forgotten."""
    app, ann = make_app(), sign_up()
    token = make(ann)
    monkeypatch.setattr("todo_api.auth.admission._is_in_scope", lambda *_: True)
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        answer = app.test_client().post(ann.tasks, json={"title": "x"}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, "insufficient-scope")
    assert asked(app, ann, f"Bearer {token}").json["data"] == []
