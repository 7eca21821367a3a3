"""A new JWT_SECRET signs nobody out while JWT_SECRET_PREVIOUS holds the former one."""

import jwt
import pytest

from support.credentials import SECRET
from support.handmade_tokens import sign

pytestmark = pytest.mark.contract
NEWER = "the secret that came after it, 0123456789"
OLDER = "the secret that came before it, 0123456789"


@pytest.fixture
def claims(ann):
    """What is in a token of Ann's that SECRET has signed."""
    return jwt.decode(ann.token, SECRET, ["HS256"], audience="todo-api")


@pytest.fixture
def status_of(ann):
    """How an application answers a token of Ann's."""

    def status_of(app, token):
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().get(ann.tasks, headers=headers).status_code

    return status_of


def test_a_token_of_the_previous_secret_is_accepted(make_app, ann, status_of):
    app = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    for _ in range(2):  # verified, then remembered
        assert status_of(app, ann.token) == 200


def test_without_the_previous_secret_it_is_refused(make_app, ann, status_of):
    assert status_of(make_app(jwt_secret=NEWER), ann.token) == 401


def test_new_tokens_are_signed_with_the_new_secret_alone(make_app, ann, status_of):
    client = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET).test_client()
    account = {"email": ann.email, "password": ann.password}
    token = client.post("/api/auth/login", json=account).json["data"]["access_token"]
    jwt.decode(token, NEWER, ["HS256"], audience="todo-api")
    assert status_of(make_app(jwt_secret=NEWER), token) == 200
    assert status_of(make_app(jwt_secret=SECRET), token) == 401


def test_a_secret_from_before_the_previous_one_is_refused(make_app, claims, status_of, figure):
    app = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    assert status_of(app, sign(claims, SECRET)) == 200
    for former in (OLDER, "", SECRET + NEWER, SECRET[:-1]):
        assert status_of(app, sign(claims, former)) == 401
    figure(5, "a token of JWT_SECRET_PREVIOUS; of a secret before that", "accepted; refused")


@pytest.mark.parametrize(
    "change",
    [{"exp": 1}, {"nbf": 2**40}, {"iss": "someone else"}, {"aud": "someone else"}, {"type": "refresh"},
     {"jti": "x"}, {"exp": 2**40}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("secret", [SECRET, NEWER], ids=["previous", "current"])
def test_its_tokens_are_held_to_the_same_claims(make_app, claims, status_of, change, secret):
    app = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    assert status_of(app, sign(claims | change, secret)) == 401


def test_a_logout_ends_its_tokens_too(make_app, ann, status_of):
    app = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    headers = {"Authorization": f"Bearer {ann.token}"}
    assert app.test_client().post("/api/auth/logout", headers=headers).status_code == 204
    assert status_of(app, ann.token) == 401


def test_while_machines_change_over_each_accepts_the_tokens_of_the_other(make_app, ann, status_of):
    """Several machines: first the new secret verifies everywhere, then it signs."""
    account = {"email": ann.email, "password": ann.password}
    still = make_app(jwt_secret=SECRET, jwt_secret_previous=NEWER)
    already = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    for signing, verifying in ((still, already), (already, still)):
        answer = signing.test_client().post("/api/auth/login", json=account)
        assert status_of(verifying, answer.json["data"]["access_token"]) == 200


def test_one_refused_token_is_one_event(make_app, claims, status_of, superuser):
    app = make_app(jwt_secret=NEWER, jwt_secret_previous=SECRET)
    assert status_of(app, sign(claims, OLDER)) == 401
    rows = superuser.execute("SELECT reason FROM auth_events WHERE event = 'token_refused'")
    assert rows.fetchall() == [("invalid",)]
