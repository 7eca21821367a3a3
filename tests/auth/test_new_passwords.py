"""New passwords that are guessed first: API.md, Accounts."""

import gzip
import hashlib
import json
import re
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from todo_api.auth import new_passwords
from todo_api.auth.new_passwords import refuse_weak
from todo_api.web.problems import Problem

pytestmark = pytest.mark.contract
CHECKOUT = Path(__file__).parents[2]
FOLDER = files("todo_api.auth") / "common_passwords"
LISTED = gzip.decompress((FOLDER / "common-passwords.txt.gz").read_bytes()).decode().splitlines()
COMMON = [one for one in LISTED if len(one) >= 8]


def sign_up(client, password, email="ann.example@mail.example"):
    return client.post("/api/auth/signup", json={"email": email, "password": password})


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PASSWORD",
        "PassWord1",
        "12345678",
        "qwertyuiop",
        "iloveyou",
        "Trustno1",
        "baseball",
    ],
)
def test_a_common_password_is_refused_in_any_letter_case(client, superuser, password):
    answer = sign_up(client, password)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    [error] = answer.json["errors"]
    assert error["field"] == "password"
    assert "common" in error["message"]
    assert superuser.execute("SELECT FROM users").fetchall() == []


@pytest.mark.parametrize(
    "password",
    [
        "ann.example@mail.example",
        "ANN.Example@Mail.example",
        "ann.example",
        "Ann.EXAMPLE",
    ],
)
def test_the_email_and_its_local_part_are_refused_in_any_letter_case(client, password):
    for email in ("ann.example@mail.example", " ANN.Example@Mail.Example "):
        answer = sign_up(client, password, email)
        assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
        assert [error["field"] for error in answer.json["errors"]] == ["password"]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("straße.fünf@mail.example", "STRASSE.FÜNF"),
        ("çelik.öz@mail.example", "c\u0327elik.o\u0308z"),
        ("ange\u0301line@mail.example", "ANG\u00c9LINE"),
    ],
)
def test_letter_case_and_composition_are_those_of_unicode(client, email, password):
    assert sign_up(client, password, email).status_code == 422


@pytest.mark.parametrize(
    "password",
    [
        " password", "password ", "pass word!", "drowssap drowssap", "mail.example", "@mail.example",
        "ann.example1", "ann.example@", "xann.example@mail.example", "пароль-длинный",
    ],
)  # fmt: skip
def test_others_are_taken_as_they_are(client, password):
    assert sign_up(client, password).status_code == 201
    login = {"email": "ann.example@mail.example", "password": password}
    assert client.post("/api/auth/login", json=login).status_code == 200


def test_a_body_of_the_wrong_shape_is_told_first(client):
    answer = client.post("/api/auth/signup", json={"email": "ann", "password": "password"})
    assert [error["field"] for error in answer.json["errors"]] == ["email"]


def test_a_common_password_that_an_account_has_still_logs_in(client, superuser, app):
    sign_up(client, "something else entirely")
    hashed = app.extensions["hasher"].hash("password")
    superuser.execute("UPDATE users SET password_hash = %s", [hashed])
    login = {"email": "ann.example@mail.example", "password": "password"}
    assert client.post("/api/auth/login", json=login).status_code == 200


def test_every_listed_password_is_refused_and_there_are_enough_of_them():
    assert len({one.casefold() for one in COMMON}) >= 8000
    for password in COMMON:
        with pytest.raises(Problem) as refused:
            refuse_weak(password.upper(), "ann@example.com", field="new_password")
        [error] = refused.value.errors
        assert error.field == "new_password"


def test_of_a_hundred_thousand_others_none_is_refused():
    for number in range(100_000):
        assert not new_passwords.is_common(f"{number:x} and a word")


def test_the_list_is_the_one_of_its_source():
    source = json.loads((FOLDER / "SOURCE.json").read_text())
    shipped = {file.name for file in FOLDER.iterdir()} - {"SOURCE.json"}
    assert {one["file"] for one in source["files"]} == shipped
    for one in source["files"]:
        assert hashlib.sha256((FOLDER / one["file"]).read_bytes()).hexdigest() == one["sha256"]
    assert "Redistributions in binary form must reproduce" in (FOLDER / "LICENSE").read_text()


def test_it_takes_little_memory_and_time():
    hashes = new_passwords._hashes()
    assert sys.getsizeof(hashes) < 100_000
    assert new_passwords._hashes() is hashes
    text = "correct horse battery" * 40
    began = time.perf_counter()
    for _ in range(1000):
        hashlib.pbkdf2_hmac("sha256", text.encode(), b"", 100)
    beside = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(1000):
        refuse_weak(text, "ann@example.com")
    assert time.perf_counter() - began < beside  # 100 rounds of PBKDF2 take 50 µs


def test_no_password_of_the_documents_is_on_the_list():
    """What a reader copies from the documents, and a test from another, has to be taken."""
    texts = [
        CHECKOUT / "README.md",
        *CHECKOUT.glob("tests/**/*.py"),
        *CHECKOUT.glob("todo_api/**/*.py"),
    ]
    found = {
        password
        for file in texts
        if file != Path(__file__)
        for password in re.findall(
            r"\"password\\?\"\s*:\s*f?\\?\"([^\"\\{}]{8,})\\?\"", file.read_text(encoding="utf-8")
        )
    }
    assert "correct horse battery" in found
    assert [one for one in found if new_passwords.is_common(one.casefold())] == []
