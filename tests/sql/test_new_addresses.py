"""The database refuses a new account whose address has characters that do not show, as the service does."""

import sys
import uuid
from typing import Any

import psycopg
import pytest

from todo_api.database.calls import Call, StatementFailed
from todo_api.database.data import Database
from todo_api.web.text import INVISIBLE_CHARACTER

HASH = "$2b$04$" + "a" * 53


def sign_up(database: Database, email: str) -> None:
    user_id = str(uuid.uuid4())
    values = {"user_id": user_id, "email": email, "password_hash": HASH}
    database.before_sign_in(Call("before_sign_in/create_user", values), user_id=user_id)


@pytest.fixture
def database(database_url: str) -> Any:
    database = Database(database_url, connections=2)
    yield database
    database.close()


def test_an_account_can_not_be_made_past_the_service(database: Database) -> None:
    for character in ("\u200b", "\u202e", "\u3164", "\U000e0061"):
        with pytest.raises(StatementFailed, match="InsufficientPrivilege"):
            sign_up(database, f"an{character}n@example.com")
    for email in ("ann@example.com", "用户@例え.jp", "josé@exämple.com", "😀@example.com"):
        sign_up(database, email)


def test_it_refuses_just_the_characters_that_the_service_refuses(
    superuser: psycopg.Connection[Any],
) -> None:
    [(check,)] = superuser.execute(
        "SELECT with_check FROM pg_policies WHERE policyname = 'users_email_shows_itself'"
    ).fetchall()
    refused = superuser.execute(
        "SELECT chr(code) FROM generate_series(1, 1114111) AS code"
        " CROSS JOIN LATERAL (SELECT 'a' || CASE WHEN code BETWEEN 55296 AND 57343 THEN '' ELSE chr(code) END"
        f" AS email) AS users WHERE code NOT BETWEEN 55296 AND 57343 AND NOT ({check})"
    ).fetchall()
    expected = {
        one for one in map(chr, range(sys.maxunicode + 1)) if INVISIBLE_CHARACTER.match(one)
    }
    assert {character for (character,) in refused} == expected
