"""A new password by a code of the operator's: POST /api/auth/reset."""

import hashlib
import re

import pytest

from support.at_once import at_once
from support.codes import SPOILT, operate, reset_code
from support.postgres import citus_cluster
from todo_api.auth.codes import code_hash, new_code
from todo_api.auth.passwords import Hasher
from todo_api.operator import changes

pytestmark = pytest.mark.contract
NEW = "staple battery horse"
PATH = "/api/auth/reset"


@pytest.fixture
def reset(client):
    def reset(code, password=NEW):
        return client.post(PATH, json={"code": code, "new_password": password})

    return reset


@pytest.fixture
def log_in(client):
    def log_in(password, email="ann@example.com"):
        body = {"email": email, "password": password}
        return client.post("/api/auth/login", json=body).status_code

    return log_in


def is_refused(answer):
    code = answer.json["code"] if answer.data else None
    assert (answer.status_code, code) == (401, "invalid-credentials")
    assert answer.json["detail"] == "The code is wrong, was used or has expired."
    return True


def let_expire(superuser, table):
    superuser.execute(f"UPDATE {table} SET expires_at = '2000-01-01'")


def test_a_code_sets_a_new_password_once_and_ends_every_session(
    client, ann, bob, reset, log_in, database_url
):
    second = client.post(
        "/api/auth/login", json={"email": ann.email, "password": ann.password}
    ).json["data"]["access_token"]
    code = reset_code(database_url, ann.email)
    assert ann.get(ann.tasks).status_code == 200  # a code alone ends nothing
    answer = reset(code)
    assert (answer.status_code, answer.data) == (204, b"")
    for token in (ann.token, second):
        ann.token = token
        assert ann.get(ann.tasks).status_code == 401
    assert bob.get(bob.tasks).status_code == 200
    assert (log_in(ann.password), log_in(NEW)) == (401, 200)
    assert is_refused(reset(code, "another battery horse"))
    assert (log_in(NEW), log_in("another battery horse")) == (200, 401)


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_code_counts_exactly_as_it_was_given_out(ann, reset, log_in, database_url, spoil):
    code = reset_code(database_url, ann.email)
    assert is_refused(reset(spoil(code)))
    assert log_in(ann.password) == 200
    assert reset(code).status_code == 204  # a mistake uses up nothing


TOKENS = (
    "INSERT INTO api_tokens (user_id, id, name, scope)"
    " SELECT user_id, gen_random_uuid(), 'x', 'read' FROM users"
)


def test_a_reset_and_a_disabled_account_end_every_api_token_of_the_user_alone(
    ann, bob, reset, database_url, superuser
):
    for end in (
        lambda: reset(reset_code(database_url, ann.id)),
        lambda: operate(database_url, changes.disable, ann.id),
    ):
        superuser.execute("DELETE FROM api_tokens")
        superuser.execute(TOKENS)
        end()
        left = superuser.execute("SELECT user_id::text FROM api_tokens").fetchall()
        assert left == [(bob.id,)]


def test_an_unknown_code_is_refused(ann, reset):
    assert is_refused(reset(new_code()))


def test_an_expired_code_is_refused(ann, reset, log_in, database_url, superuser):
    code = reset_code(database_url, ann.email)
    let_expire(superuser, "reset_codes")
    assert is_refused(reset(code))
    assert log_in(ann.password) == 200


def test_a_code_is_good_for_an_hour_and_that_of_a_new_account_for_a_week(
    ann, database_url, superuser
):
    reset_code(database_url, ann.email)
    operate(database_url, changes.add, "new@example.com", 4)
    found = superuser.execute(
        "SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM reset_codes"
        " ORDER BY expires_at"
    ).fetchall()
    assert found == [(1,), (168,)]


def test_a_newer_code_voids_the_former_one(ann, reset, database_url):
    former, newer = reset_code(database_url, ann.email), reset_code(database_url, ann.email)
    assert is_refused(reset(former))
    assert reset(newer).status_code == 204


def test_a_code_is_its_accounts_alone(ann, bob, reset, log_in, database_url):
    code, of_bob = reset_code(database_url, ann.email), reset_code(database_url, bob.id)
    assert reset(of_bob).status_code == 204
    assert (log_in(ann.password), log_in(NEW, bob.email)) == (200, 200)
    assert bob.get(bob.tasks).status_code == 401
    assert ann.get(ann.tasks).status_code == 200
    assert reset(code).status_code == 204


def test_a_code_belongs_to_the_account_whatever_its_address(
    ann, reset, log_in, database_url, superuser
):
    code = reset_code(database_url, ann.email)
    superuser.execute("UPDATE users SET email = 'moved@example.com'")
    assert reset(code).status_code == 204
    assert log_in(NEW, "moved@example.com") == 200


def test_a_code_of_a_disabled_account_is_void_also_when_it_is_enabled_again(
    ann, reset, database_url, superuser
):
    code = reset_code(database_url, ann.email)
    operate(database_url, changes.disable, ann.email)
    assert is_refused(reset(code))
    operate(database_url, changes.enable, ann.email)
    assert is_refused(reset(code))
    # and if only the row were left
    code = reset_code(database_url, ann.email)
    superuser.execute("UPDATE users SET disabled_at = now()")
    assert is_refused(reset(code))


def test_a_code_of_an_account_that_was_deleted_and_made_again_is_refused(
    ann, sign_up, reset, log_in, database_url
):
    code = reset_code(database_url, ann.email)
    operate(database_url, changes.delete, ann.id)
    assert is_refused(reset(code))
    again = sign_up(ann.email, "quite another password")
    assert is_refused(reset(code))
    assert again.get(again.tasks).status_code == 200
    assert log_in("quite another password") == 200


@pytest.mark.slow
def test_of_fifty_uses_of_one_code_at_once_one_is_good(make_app, ann, database_url):
    app = make_app(threads=16)
    code = reset_code(database_url, ann.email)

    def use(number):
        body = {"code": code, "new_password": f"password number {number}"}
        return app.test_client().post(PATH, json=body).status_code

    statuses = at_once(50, use)
    refused = {401, 503} if citus_cluster.URL else {401}  # there every worker looks for each code
    assert statuses.count(204) == 1
    assert set(statuses) <= {204} | refused
    good = [
        app.test_client()
        .post("/api/auth/login", json={"email": ann.email, "password": f"password number {number}"})
        .status_code
        for number in range(50)
    ]
    assert good == [200 if status == 204 else 401 for status in statuses]


@pytest.mark.parametrize("meanwhile", [changes.disable, changes.delete, changes.reset_password])
def test_what_an_operator_does_while_the_password_is_hashed_counts(
    ann, reset, database_url, superuser, monkeypatch, meanwhile
):
    code = reset_code(database_url, ann.email)
    real = Hasher.hash

    def slow(hasher, password):
        operate(database_url, meanwhile, ann.id)
        return real(hasher, password)

    before = superuser.execute("SELECT password_hash FROM users").fetchall()
    monkeypatch.setattr(Hasher, "hash", slow)
    assert is_refused(reset(code))
    after = superuser.execute("SELECT password_hash FROM users").fetchall()
    assert after == ([] if meanwhile is changes.delete else before)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["code", "new_password"]),
        ({"code": None, "new_password": None}, ["code", "new_password"]),
        ({"code": 7, "new_password": ["x"]}, ["code", "new_password"]),
        ({"code": "x" * 101, "new_password": "short"}, ["code", "new_password"]),
        ({"code": "lone \ud800", "new_password": NEW}, ["code"]),
        ({"code": "x", "new_password": NEW, "email": "ann@example.com"}, ["email"]),
    ],
)
def test_a_body_of_the_wrong_shape_is_422_and_names_each_field(client, body, fields):
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert sorted(error["field"] for error in answer.json["errors"]) == fields


@pytest.mark.parametrize("password", ["1234567", "x" * 1025, "ann@example.com", "Ann@Example.COM"])
def test_a_password_that_is_refused_uses_up_no_code(ann, reset, database_url, password):
    code = reset_code(database_url, ann.email)
    answer = reset(code, password)
    assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert [error["field"] for error in answer.json["errors"]] == ["new_password"]
    assert ann.get(ann.tasks).status_code == 200
    assert reset(code).status_code == 204


def test_a_common_password_is_422_whatever_the_code_is(reset, superuser):
    for code in (new_code(), "no code at all"):
        answer = reset(code, "password123")
        assert (answer.status_code, answer.json["code"]) == (422, "validation-error")
    assert superuser.execute("SELECT count(*) FROM auth_events").fetchone() == (0,)


def test_an_unknown_code_costs_no_hash(ann, reset, monkeypatch):
    monkeypatch.setattr(Hasher, "_run", None)
    assert is_refused(reset(new_code()))
    assert is_refused(reset("no code at all"))


def test_a_reset_has_five_attempts_of_its_own(make_app, database_url):
    client = make_app(auth_rate_limit="5 per minute").test_client()
    for path in ("/api/auth/login", "/api/auth/signup"):
        assert [client.post(path, json={}).status_code for _ in range(6)] == [422] * 5 + [429]
    body = {"code": new_code(), "new_password": NEW}
    not_json = client.post(PATH, data=b"{}", content_type="text/plain")
    assert not_json.status_code == 415
    assert [client.post(PATH, json=body).status_code for _ in range(6)] == [401] * 5 + [429]
    client.environ_base["REMOTE_ADDR"] = "192.0.2.1"
    assert client.post(PATH, json=body).status_code == 401


def test_a_reset_and_its_refusal_are_recorded_without_the_code(ann, reset, database_url, superuser):
    code = reset_code(database_url, ann.email)
    superuser.execute("DELETE FROM auth_events")
    reset(code)
    reset(code)
    found = superuser.execute(
        "SELECT event, reason, user_id::text FROM auth_events ORDER BY id"
    ).fetchall()
    assert found == [("password_reset", None, ann.id), ("reset_refused", "no good code", None)]


def test_the_new_password_has_a_version_of_its_own(ann, reset, database_url, superuser):
    reset(reset_code(database_url, ann.email))
    assert superuser.execute("SELECT password_version FROM users").fetchall() == [(2,)]


def test_only_the_hash_of_a_code_is_stored(ann, database_url, superuser):
    code = reset_code(database_url, ann.email)
    [(row,)] = superuser.execute("SELECT t::text FROM reset_codes AS t").fetchall()
    assert code not in row
    assert hashlib.sha256(code.encode()).hexdigest() in row


def test_a_code_is_28_readable_characters_that_nobody_guesses():
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    for code in codes:
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){6}", code)
        assert code_hash(code) == hashlib.sha256(code.encode()).hexdigest()
    # each of the 32 letters comes at each place: 28 times 5 bits
    assert {len({code[place] for code in codes}) for place in range(34) if place % 5 != 4} == {32}


def test_an_added_account_can_be_entered_by_its_code_only(client, reset, log_in, database_url):
    account, code = operate(database_url, changes.add, "Ann@Example.com", 4)
    assert account.email == "ann@example.com"
    assert log_in("any password") == 401
    assert reset(code.code).status_code == 204
    assert log_in(NEW) == 200
