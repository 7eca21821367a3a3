"""Sign-up, login, logout: API.md, Accounts."""

import threading
import unicodedata
import uuid

import bcrypt
import jwt
import pytest

from todo_api.auth.passwords import Saturated

pytestmark = pytest.mark.contract
CREDENTIALS = {"email": "ann@example.com", "password": "correct horse battery"}


def test_signup_answers_201_with_the_account_and_a_token(client):
    answer = client.post("/api/auth/signup", json=CREDENTIALS)
    assert answer.status_code == 201
    assert answer.json.keys() == {"data", "meta"}
    data = answer.json["data"]
    assert data.keys() == {"user_id", "email", "access_token", "token_type", "expires_in"}
    assert str(uuid.UUID(data["user_id"])) == data["user_id"]
    assert (data["email"], data["token_type"], data["expires_in"]) == (
        "ann@example.com",
        "Bearer",
        86400,
    )
    assert (
        client.get(
            f"/api/{data['user_id']}/tasks",
            headers={"Authorization": f"Bearer {data['access_token']}"},
        ).json["data"]
        == []
    )


def test_login_answers_200_with_a_new_token_of_the_same_account(client, ann):
    answer = client.post("/api/auth/login", json=CREDENTIALS)
    assert answer.status_code == 200
    data = answer.json["data"]
    assert data.keys() == {"user_id", "email", "access_token", "token_type", "expires_in"}
    assert (data["user_id"], data["email"]) == (ann.id, "ann@example.com")
    assert data["access_token"] != ann.token


def test_a_token_holds_the_claims_of_the_contract_and_lasts_24_hours(ann):
    claims = jwt.decode(ann.token, options={"verify_signature": False})
    assert jwt.get_unverified_header(ann.token) == {"alg": "HS256", "typ": "JWT"}
    assert claims.keys() == {"user_id", "iat", "nbf", "exp", "jti", "type", "iss", "aud", "fresh"}
    assert claims["user_id"] == ann.id
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


def test_the_hmac_key_is_the_secrets_utf8_bytes(make_app):
    secret = "schlüssel-" * 4
    client = make_app(jwt_secret=secret).test_client()
    token = client.post("/api/auth/signup", json=CREDENTIALS).json["data"]["access_token"]
    jwt.decode(token, secret.encode("utf-8"), algorithms=["HS256"], audience="todo-api")


@pytest.mark.parametrize(
    "again",
    ["ann@example.com", "ANN@EXAMPLE.COM", "  Ann@Example.com\n", "ann@example.com\u2003"],
)
def test_an_address_in_use_is_409_in_any_letter_case(client, ann, again):
    answer = client.post("/api/auth/signup", json={"email": again, "password": "another password"})
    assert (answer.status_code, answer.json["code"]) == (409, "email-taken")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("\u00a0ann@example.com\t", "ann@example.com"),
        ("JOSE\u0301@example.com", "jos\u00e9@example.com"),  # NFC
        ("J\u030c@example.com", "\u01f0@example.com"),  # only the small letter can be composed
        ("a@b.c", "a@b.c"),
        ("a" * 242 + "@example.com", "a" * 242 + "@example.com"),  # 254 characters
        ("用户@例子.公司", "用户@例子.公司"),
        ("o'brien+list@example.com", "o'brien+list@example.com"),
    ],
)
def test_an_address_is_trimmed_normalised_and_lower_cased(client, sent, kept):
    body = {"email": sent, "password": "correct horse battery"}
    assert client.post("/api/auth/signup", json=body).json["data"]["email"] == kept
    assert client.post("/api/auth/login", json={**body, "email": kept}).status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "ann", "ann@", "@example.com", "ann@example", "ann@@example.com", "a@b@example.com",
        "an n@example.com", "ann@exam ple.com", "ann@.com", "ann@example.", "ann@a..b", "ann@example.com\x00",
        "an\nn@example.com", "ann\u2003x@example.com", "a" * 243 + "@example.com", "ann\ud800@example.com",
    ],
)  # fmt: skip
def test_an_implausible_address_is_422(client, email):
    answer = client.post("/api/auth/signup", json={"email": email, "password": "correct horse"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["email"]


# Each of these shows as ann@example.com.
INVISIBLE = {
    "soft hyphen": "\u00ad", "grapheme joiner": "\u034f", "arabic letter mark": "\u061c",
    "hangul filler": "\u115f",
    "khmer vowel": "\u17b4", "mongolian selector": "\u180b", "mongolian separator": "\u180e",
    "zero-width space": "\u200b", "zero-width joiner": "\u200d", "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e", "word joiner": "\u2060", "isolate": "\u2066",
    "deprecated control": "\u206f",
    "blank braille": "\u2800", "another hangul filler": "\u3164", "variation selector": "\ufe0f",
    "byte-order mark": "\ufeff", "halfwidth hangul filler": "\uffa0", "interlinear anchor": "\ufff9",
    "hieroglyph joiner": "\U00013430", "khitan filler": "\U00016fe4", "shorthand control": "\U0001bca0",
    "null notehead": "\U0001d159", "musical control": "\U0001d173", "language tag": "\U000e0001",
    "tag": "\U000e0061", "late variation selector": "\U000e0100",
}  # fmt: skip


@pytest.mark.parametrize("character", INVISIBLE.values(), ids=INVISIBLE)
def test_a_new_address_shows_all_its_characters(client, ann, character):
    for email in (f"an{character}n@example.com", f"{character}ann@example.com",
                  f"ann@exam{character}ple.com", f"ann@example.com{character}"):  # fmt: skip
        credentials = {"email": email, "password": "correct horse battery"}
        answer = client.post("/api/auth/signup", json=credentials)
        assert answer.status_code == 422
        [error] = answer.json["errors"]
        assert error["field"] == "email"
        assert error["message"].startswith("must not contain invisible characters")


def test_an_account_of_an_address_with_invisible_characters_can_still_log_in(
    client, ann, superuser
):
    superuser.execute("UPDATE users SET email = %s", ["an\u200bn@example.com"])
    credentials = {"email": "An\u200bn@example.com", "password": "correct horse battery"}
    answer = client.post("/api/auth/login", json=credentials)
    assert (answer.status_code, answer.json["data"]["user_id"]) == (200, ann.id)


@pytest.mark.parametrize(
    "email",
    [
        "用户@例え.jp", "josé@exämple.com", "иван@пример.рф", "משה@דוגמה.com", "علي@مثال.com",
        "राम@उदाहरण.भारत",
        "홍길동@예시.한국", "😀@example.com", "nguyễn@vídụ.vn",
    ],
)  # fmt: skip
def test_international_addresses_are_taken(client, email):
    credentials = {"email": email, "password": "correct horse battery"}
    assert client.post("/api/auth/signup", json=credentials).status_code == 201
    assert client.post("/api/auth/login", json=credentials).json["data"]["email"] == email


def test_an_address_is_measured_after_it_is_composed(client):
    for letter, sent, kept in (("\u1f82", "\u03b1\u0313\u0300\u0345", 254), ("a", "a", 254)):
        local = kept - len("@example.com")
        credentials = {"email": sent * local + "@example.com", "password": "correct horse"}
        answer = client.post("/api/auth/signup", json=credentials)
        assert answer.json["data"]["email"] == letter * local + "@example.com"
        longer = credentials | {"email": sent + credentials["email"]}
        assert client.post("/api/auth/signup", json=longer).status_code == 422


@pytest.mark.parametrize("path", ["/api/auth/signup", "/api/auth/login"])
def test_no_long_text_is_normalised(client, monkeypatch, path):
    seen = []

    def normalize(form, text):
        seen.append(len(text))
        return unicodedata.normalize(form, text)

    monkeypatch.setattr("todo_api.web.text.normalize", normalize)
    for email in (
        "a" + "\u0344" * 15980 + "\u0316" * 15980 + "@example.com",
        "\u2003" * 20000 + "ä@example.com" + "\u2003",
        "ä" * 30000,
        "\u0f73" * 508 + "\u0f71" * 508,
    ):
        client.post(path, json={"email": email, "password": "correct horse battery"})
    assert seen
    assert max(seen) <= 4 * 254 * 2  # what of it is a mark that decomposes has two characters then


@pytest.mark.parametrize(
    "password",
    ["12345670", " " * 8, "x" * 1024, "\u0000\n\t\u202e\U0001f600abc", "päßwörter", "é" * 1024],
)
def test_a_password_of_8_to_1024_characters_is_used_exactly_as_sent(client, password):
    body = {"email": "ann@example.com", "password": password}
    assert client.post("/api/auth/signup", json=body).status_code == 201
    assert client.post("/api/auth/login", json=body).status_code == 200
    for other in ("!" + password[1:], password[:-1] + "!", password[1:] + "!"):
        wrong = client.post("/api/auth/login", json={**body, "password": other})
        assert wrong.status_code == 401, other


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025, "lone \ud83d surrogate"])
def test_a_password_outside_the_limits_is_422(client, password):
    answer = client.post(
        "/api/auth/signup", json={"email": "ann@example.com", "password": password}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["password"]


def test_every_character_of_a_long_password_counts(client):
    body = {"email": "ann@example.com", "password": "x" * 100 + "a"}
    client.post("/api/auth/signup", json=body)
    answer = client.post("/api/auth/login", json={**body, "password": "x" * 100 + "b"})
    assert answer.status_code == 401


def test_only_a_bcrypt_hash_of_the_set_cost_is_stored(client, ann, superuser):
    [(stored,)] = superuser.execute("SELECT password_hash FROM users").fetchall()
    assert stored.startswith("$2b$04$")
    assert len(stored) == 60
    assert not bcrypt.checkpw(CREDENTIALS["password"].encode(), stored.encode())  # never bare


def test_the_default_cost_is_12(make_app):
    from todo_api.settings.config import Config

    assert Config().bcrypt_rounds == 12


def test_unknown_address_and_wrong_password_look_alike(client, ann):
    def refused(**change):
        answer = client.post("/api/auth/login", json={**CREDENTIALS, **change})
        volatile = ("X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Content-Length")
        headers = {name: value for name, value in answer.headers if name not in volatile}
        body = {name: value for name, value in answer.json.items() if name != "request_id"}
        return answer.status_code, headers, body

    unknown, wrong = refused(email="nobody@example.com"), refused(password="wrong password")
    assert unknown == wrong
    assert unknown[0] == 401
    assert unknown[2]["code"] == "invalid-credentials"


def test_an_unknown_address_costs_one_bcrypt_check_like_a_known_one(client, ann, monkeypatch):
    checked = []
    real = bcrypt.checkpw

    def counting(password, target):
        checked.append(target)
        return real(password, target)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    for email in ("nobody@example.com", "ann@example.com"):
        client.post("/api/auth/login", json={"email": email, "password": "wrong password"})
    unknown, known = checked
    assert unknown[:7] == known[:7] == b"$2b$04$"
    assert len(unknown) == len(known) == 60


def test_the_check_for_an_unknown_address_has_the_set_cost(make_app, monkeypatch):
    checked = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda _, target: checked.append(target[:7]))
    login = {"email": "nobody@example.com", "password": "wrong password"}
    for rounds in (5, 11):
        make_app(bcrypt_rounds=rounds).test_client().post("/api/auth/login", json=login)
    assert checked == [b"$2b$05$", b"$2b$11$"]


def test_an_account_that_is_deleted_while_its_password_is_hashed_has_no_session(
    client, ann, superuser, monkeypatch
):
    real = bcrypt.checkpw

    def slow(password, target):
        superuser.execute("DELETE FROM users")
        return real(password, target)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    answer = client.post("/api/auth/login", json=CREDENTIALS)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid-credentials")


def test_logout_answers_204_and_the_token_is_dead_at_once_on_every_process(client, ann, make_app):
    another_process = make_app().test_client()
    headers = {"Authorization": f"Bearer {ann.token}"}
    assert another_process.get(ann.tasks, headers=headers).status_code == 200
    answer = ann.post("/api/auth/logout")
    assert (answer.status_code, answer.data) == (204, b"")
    for process in (client, another_process):
        refused = process.get(ann.tasks, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (401, "unauthorized")
    assert ann.post("/api/auth/logout").status_code == 401


def test_logout_leaves_the_users_other_sessions_alive(client, ann):
    other = client.post("/api/auth/login", json=CREDENTIALS).json["data"]["access_token"]
    ann.post("/api/auth/logout")
    ann.token = other
    assert ann.get(ann.tasks).status_code == 200


def test_logout_ignores_a_body(ann):
    assert ann.post("/api/auth/logout", data=b"\xff{", content_type="text/plain").status_code == 204


def test_a_deleted_users_tokens_die_with_the_account(ann, superuser):
    superuser.execute("DELETE FROM users")
    assert ann.get(ann.tasks).status_code == 401


def test_an_expired_session_is_refused_and_removed_by_the_next_login(client, ann, superuser):
    superuser.execute(
        "UPDATE sessions SET created_at = now() - interval '2 days', expires_at = now() - interval '1 s'"
    )
    assert ann.get(ann.tasks).status_code == 401
    client.post("/api/auth/login", json=CREDENTIALS)
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]


def test_an_account_holds_50_sessions_and_a_login_beyond_ends_the_oldest(
    client, ann, bob, superuser
):
    superuser.execute("UPDATE sessions SET created_at = now() - interval '2 hours'")
    superuser.execute(
        "INSERT INTO sessions (user_id, id, created_at, expires_at) SELECT user_id, gen_random_uuid(),"
        " now() - interval '1 hour', now() + interval '1 hour' FROM users, generate_series(1, 48)"
        " WHERE user_id = %s",
        [ann.id],
    )

    def sessions(who):
        query = "SELECT count(*) FROM sessions WHERE user_id = %s"
        return superuser.execute(query, [who.id]).fetchall()[0][0]

    def log_in():
        answer = client.post("/api/auth/login", json=CREDENTIALS)
        assert answer.status_code == 200
        return answer.json["data"]["access_token"]

    fiftieth = log_in()
    assert sessions(ann) == 50
    assert ann.get(ann.tasks).status_code == 200
    log_in()
    assert sessions(ann) == 50
    assert ann.get(ann.tasks).status_code == 401
    ann.token = fiftieth
    assert ann.get(ann.tasks).status_code == 200
    assert (sessions(bob), bob.get(bob.tasks).status_code) == (1, 200)


def test_expired_sessions_don_t_push_living_ones_out(client, ann, superuser):
    superuser.execute("UPDATE sessions SET created_at = now() - interval '2 hours'")
    superuser.execute(
        "INSERT INTO sessions (user_id, id, created_at, expires_at) SELECT user_id, gen_random_uuid(),"
        " now() - interval '1 hour', now() - interval '1 s' FROM users, generate_series(1, 60)"
    )
    assert client.post("/api/auth/login", json=CREDENTIALS).status_code == 200
    assert ann.get(ann.tasks).status_code == 200
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(2,)]


def test_of_parallel_signups_with_one_address_one_wins(app):
    statuses = []

    def sign_up():
        statuses.append(app.test_client().post("/api/auth/signup", json=CREDENTIALS).status_code)

    threads = [threading.Thread(target=sign_up) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 11


@pytest.mark.parametrize("path", ["/api/auth/signup", "/api/auth/login"])
def test_what_can_not_be_hashed_in_time_is_503_with_retry_after(app, client, monkeypatch, path):
    def saturated(*_):
        raise Saturated

    monkeypatch.setattr(app.extensions["hasher"], "_run", saturated)
    answer = client.post(path, json=CREDENTIALS)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_parallel_signups_at_a_cheap_cost_all_get_their_answer(make_app):
    app = make_app(threads=16)  # the default
    statuses = []

    def sign_up(number):
        body = {"email": f"user{number}@example.com", "password": "correct horse battery"}
        statuses.append(app.test_client().post("/api/auth/signup", json=body).status_code)

    threads = [threading.Thread(target=sign_up, args=[number]) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 50
