"""Who may sign up: SIGNUP=open, invite or closed."""

import pytest

from support.at_once import at_once
from support.codes import SPOILT, invite, reset_code
from todo_api.auth.codes import new_code
from todo_api.auth.passwords import Hasher

pytestmark = pytest.mark.contract
PATH = "/api/auth/signup"
BODY = {"email": "ann@example.com", "password": "correct horse battery"}


@pytest.fixture
def invited(shared_app):
    """A client of a service that lets in who is invited."""
    return shared_app(signup="invite").test_client()


def sign_up(client, code=None, **changes):
    body = BODY | changes | ({} if code is None else {"invite": code})
    return client.post(PATH, json=body)


def is_closed(answer):
    code = answer.json["code"]
    assert (answer.status_code, code) == (403, "signup-closed"), answer.text
    return True


def accounts(superuser):
    return superuser.execute("SELECT count(*) FROM users").fetchall()[0][0]


def shown(answer):
    """What a client sees, less what is another each time."""
    volatile = ("X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {name: value for name, value in answer.headers if name not in volatile}
    body = {name: value for name, value in answer.json.items() if name != "request_id"}
    return answer.status_code, headers, body


def test_an_invite_lets_one_in(invited, database_url, superuser):
    code = invite(database_url)
    answer = sign_up(invited, code)
    assert answer.status_code == 201
    assert set(answer.json["data"]) == {
        "user_id", "email", "access_token", "token_type", "expires_in",
    }  # fmt: skip
    assert is_closed(sign_up(invited, code, email="bob@example.com"))
    assert accounts(superuser) == 1


def test_without_an_invite_nobody_gets_in(invited, superuser):
    assert is_closed(sign_up(invited))
    assert is_closed(sign_up(invited, new_code()))
    assert accounts(superuser) == 0


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_an_invite_counts_exactly_as_it_was_given_out(invited, database_url, spoil):
    code = invite(database_url)
    assert is_closed(sign_up(invited, spoil(code)))
    assert sign_up(invited, code).status_code == 201


def test_an_invite_is_good_for_7_days(invited, database_url, superuser):
    code = invite(database_url)
    left = "SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM invites"
    assert superuser.execute(left).fetchall() == [(168,)]
    superuser.execute("UPDATE invites SET expires_at = '2000-01-01'")
    assert is_closed(sign_up(invited, code))


def test_an_invite_for_an_address_is_good_for_no_other(invited, database_url):
    code = invite(database_url, "Ann@Example.com")
    assert is_closed(sign_up(invited, code, email="bob@example.com"))
    assert sign_up(invited, code, email="ANN@example.com").status_code == 201


def test_what_is_refused_uses_up_no_invite(invited, bob, database_url):
    code = invite(database_url)
    assert sign_up(invited, code, email=bob.email).status_code == 409
    assert sign_up(invited, code, password="short").status_code == 422
    assert sign_up(invited, code, email="no address").status_code == 422
    assert sign_up(invited, code, more="x").status_code == 422
    assert sign_up(invited, code).status_code == 201


def test_of_fifty_uses_of_one_invite_at_once_one_is_good(make_app, database_url, superuser):
    app = make_app(signup="invite", threads=16)
    code = invite(database_url)
    statuses = at_once(
        50,
        lambda number: (
            sign_up(app.test_client(), code, email=f"user{number}@example.com").status_code
        ),
    )
    assert sorted(statuses) == [201] + [403] * 49
    assert accounts(superuser) == 1
    # nothing is left of the others: no session, no event of a sign-up
    assert superuser.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    signed_up = "SELECT count(*) FROM auth_events WHERE event = 'signup'"
    assert superuser.execute(signed_up).fetchall() == [(1,)]


def test_fifty_uses_of_one_invite_for_one_address_give_one_account(
    make_app, database_url, superuser
):
    app = make_app(signup="invite", threads=16)
    code = invite(database_url, "ann@example.com")
    statuses = at_once(50, lambda number: sign_up(app.test_client(), code).status_code)
    assert sorted(statuses) == [201] + [403] * 49
    assert accounts(superuser) == 1


def test_an_invite_that_is_used_while_the_password_is_hashed_lets_nobody_else_in(
    invited, database_url, superuser, monkeypatch
):
    code = invite(database_url)
    real = Hasher.hash

    def slow(hasher, password):
        superuser.execute("DELETE FROM invites")
        return real(hasher, password)

    monkeypatch.setattr(Hasher, "hash", slow)
    assert is_closed(sign_up(invited, code))
    assert accounts(superuser) == 0


def test_a_reset_code_is_no_invite_and_an_invite_no_reset_code(
    invited, ann, database_url, superuser
):
    code, of_ann = invite(database_url), reset_code(database_url, ann.email)
    assert is_closed(sign_up(invited, of_ann, email="bob@example.com"))
    body = {"code": code, "new_password": "staple battery horse"}
    assert invited.post("/api/auth/reset", json=body).status_code == 401


# --- nobody learns who has an account ---


@pytest.mark.parametrize("mode", ["closed", "invite"])
def test_a_taken_address_is_answered_like_a_free_one_and_costs_no_hash(
    shared_app, bob, monkeypatch, mode
):
    client = shared_app(signup=mode).test_client()
    monkeypatch.setattr(Hasher, "_run", None)
    for code in (None, new_code()):
        free, taken = sign_up(client, code), sign_up(client, code, email=bob.email)
        assert is_closed(free)
        assert shown(free) == shown(taken)


def test_closed_takes_no_invite_either(shared_app, database_url, superuser):
    client = shared_app(signup="closed").test_client()
    code = invite(database_url)
    assert is_closed(sign_up(client, code))
    assert superuser.execute("SELECT count(*) FROM invites").fetchall() == [(1,)]


def test_a_body_of_the_wrong_shape_is_422_whoever_may_sign_up(shared_app):
    for mode in ("open", "invite", "closed"):
        client = shared_app(signup=mode).test_client()
        for code in (7, None, ["x"], "x" * 101, "lone \ud800"):
            body = BODY | {"invite": code}
            answer = client.post(PATH, json=body)
            assert answer.status_code == 422, (mode, code)
            assert [error["field"] for error in answer.json["errors"]] == ["invite"]


def test_who_has_an_account_can_log_in_whoever_may_sign_up(shared_app, ann):
    client = shared_app(signup="closed").test_client()
    assert client.post("/api/auth/login", json=BODY).status_code == 200


def test_open_lets_anybody_in_and_looks_at_no_invite(client, database_url, superuser):
    code = invite(database_url)
    assert sign_up(client, code).status_code == 201
    assert sign_up(client, "anything", email="bob@example.com").status_code == 201
    assert sign_up(client, email="eve@example.com").status_code == 201
    assert superuser.execute("SELECT count(*) FROM invites").fetchall() == [(1,)]


def test_refusals_are_recorded_with_their_reason(shared_app, superuser):
    sign_up(shared_app(signup="closed").test_client())
    sign_up(shared_app(signup="invite").test_client())
    sign_up(shared_app(signup="invite").test_client(), new_code())
    found = superuser.execute(
        "SELECT event, reason, user_id FROM auth_events ORDER BY id"
    ).fetchall()
    assert found == [
        ("signup_refused", "closed", None),
        ("signup_refused", "no invite", None),
        ("signup_refused", "no good invite", None),
    ]
