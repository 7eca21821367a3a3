"""Which tokens are refused: 401 for everything that this service did not issue just so."""

import json
import time
import uuid
from collections import Counter

import jwt
import pytest

from support.credentials import SECRET
from support.handmade_tokens import mac, part, sign

pytestmark = pytest.mark.contract
DAY = 24 * 60 * 60
YEARS = 10 * 365 * DAY
answered = Counter()


@pytest.fixture(scope="module", autouse=True)
def counted(figure_of_file):
    yield
    refused = answered[401] + answered[403]
    what = "bad tokens of our own (algorithm, header, key, claim, session, user): accepted"
    figure_of_file(5, what, f"{refused}: 0")


@pytest.fixture
def claims(ann):
    return jwt.decode(ann.token, options={"verify_signature": False})


def status_of(client, ann, token, scheme="Bearer"):
    answer = client.get(ann.tasks, headers={"Authorization": f"{scheme} {token}".strip()})
    if answer.status_code == 401:
        assert answer.json["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    answered[answer.status_code] += 1
    return answer.status_code


def test_a_token_signed_again_as_it_was_is_accepted(client, ann, claims):
    assert status_of(client, ann, sign(claims)) == 200


@pytest.mark.parametrize("claim", ["user_id", "iat", "nbf", "exp", "jti", "type", "iss", "aud"])
@pytest.mark.parametrize(
    "value",
    ["absent", None, "", "x", 0, -1, 1.5, True, [], {}, ["todo-api"], 10**30, float("inf"), "refresh",
     str(uuid.UUID(int=0))],
    ids=str,
)  # fmt: skip
def test_each_claim_has_to_be_there_and_right(client, ann, claims, claim, value):
    changed = claims | {claim: value}
    if value == "absent":
        del changed[claim]
    if claim == "nbf" and value in (0, -1):
        assert status_of(client, ann, sign(changed)) == 200  # long ago is in order
        return
    assert status_of(client, ann, sign(changed)) in ((401, 403) if claim == "user_id" else (401,))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": -1, "iat": -DAY},
        {"exp": 0, "iat": -DAY},
        {"exp": DAY + 1, "iat": 0},
        {"exp": 10 * DAY, "iat": 0},
        {"exp": DAY, "iat": 300},  # issued in the future
        {"exp": YEARS + DAY, "iat": YEARS, "nbf": YEARS},
        {"exp": YEARS, "iat": 0},
        {"exp": 3600, "iat": 0, "nbf": 300},
        {"exp": -10, "iat": 0},
    ],
    ids=str,
)
def test_the_times_have_to_hold(client, ann, claims, change):
    now = int(time.time())
    shifted = claims | {name: now + seconds for name, seconds in change.items()}
    assert status_of(client, ann, sign(shifted)) == 401


@pytest.mark.parametrize("ahead_s", [1, 5])
def test_the_clock_of_the_machine_that_issued_a_token_may_be_ahead(client, ann, claims, ahead_s):
    soon = int(time.time()) + ahead_s
    early = claims | {"iat": soon, "nbf": soon, "exp": soon + DAY}
    assert status_of(client, ann, sign(early)) == 200


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
def test_a_time_is_a_whole_number(client, ann, claims, name):
    assert status_of(client, ann, sign(claims | {name: claims[name] - 0.5})) == 401
    assert status_of(client, ann, sign(claims | {name: float(claims[name])})) == 401


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_clock_may_not_be_a_minute_ahead(client, ann, claims, name):
    assert status_of(client, ann, sign(claims | {name: int(time.time()) + 60})) == 401


def test_an_expired_token_gets_no_time_for_clocks_that_differ(client, ann, claims):
    now = int(time.time())
    expired = claims | {"exp": now, "iat": now - DAY, "nbf": now - DAY}
    answer = client.get(ann.tasks, headers={"Authorization": f"Bearer {sign(expired)}"})
    assert (answer.status_code, answer.json["detail"]) == (401, "The token has expired.")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused(client, ann, claims, algorithm):
    assert status_of(client, ann, sign(claims, algorithm=algorithm)) == 401


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, "hs256", "RS256", 1, ["HS256"]]
)
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_a_token_without_a_good_signature_is_refused(client, ann, claims, algorithm, signature):
    token = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}.{signature}"
    assert status_of(client, ann, token) == 401


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "nOnE", "HS384", "HS512", "hs256", "RS256", "ES256", "PS256", "EdDSA", "dir",
     "A256KW", "HS256 ", "HS256\0", "", None, True, {}, ["HS256"]],
    ids=repr,
)  # fmt: skip
def test_another_name_of_the_algorithm_is_refused_although_the_signature_is_good(
    client, ann, claims, algorithm
):
    signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
    assert status_of(client, ann, f"{signed}.{mac(signed)}") == 401


@pytest.mark.parametrize("where", ["jwk", "x5c", "jku", "x5u", "kid"])
def test_a_token_that_brings_its_own_key_is_refused(client, ann, claims, where):
    """Signed with a key of the attacker's, to which its header points."""
    key = "a key that the attacker has made, 0123456789"
    headers = {
        "jwk": {"kty": "oct", "k": part(key.encode()), "alg": "HS256"},
        "x5c": [part(key.encode())],
        "jku": f"data:application/json,{key}",
        "x5u": f"data:,{key}",
        "kid": key,
    }
    assert status_of(client, ann, sign(claims, key, headers={where: headers[where]})) == 401


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "/dev/null", "' UNION SELECT ''; --", "", 0, None], ids=repr
)
@pytest.mark.parametrize("secret", ["", "\0", SECRET], ids=["empty", "a zero", "the right"])
def test_a_kid_chooses_no_key(client, ann, claims, kid, secret):
    assert status_of(client, ann, sign(claims, secret, headers={"kid": kid})) == 401


def test_what_comes_twice_counts_once_for_every_check(client, ann, bob, claims):
    twice = json.dumps(claims)[:-1] + f', "user_id": "{bob.id}"}}'
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(twice.encode())}"
    for whose in (ann, bob):  # bob's id with ann's session
        assert status_of(client, whose, f"{signed}.{mac(signed)}") in (401, 403)
    header = b'{"alg": "HS256", "typ": "JWT", "alg": "none"}'
    signed = f"{part(header)}.{part(claims)}"
    assert status_of(client, ann, f"{signed}.{mac(signed)}") == 401


def test_a_token_of_a_deleted_user_is_refused(client, ann, claims, superuser):
    assert status_of(client, ann, ann.token) == 200
    superuser.execute("DELETE FROM auth_events")
    superuser.execute("DELETE FROM users WHERE user_id = %s", [ann.id])
    assert status_of(client, ann, ann.token) == 401
    assert status_of(client, ann, sign(claims)) == 401


@pytest.mark.parametrize(
    "header",
    [{"kid": "../../dev/null"}, {"jku": "https://evil.example"}, {"jwk": {"kty": "oct", "k": ""}},
     {"x5u": "https://evil.example"}, {"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}, {"zip": "DEF"},
     {"typ": "at+jwt"}, {"cty": "JWT"}],
    ids=str,
)  # fmt: skip
def test_headers_that_this_service_never_sets_are_refused(client, ann, claims, header):
    assert status_of(client, ann, sign(claims, headers=header)) == 401


@pytest.mark.parametrize("secret", ["", "x", SECRET.upper(), SECRET + " ", SECRET[:-1]])
def test_another_secret_is_refused(client, ann, claims, secret):
    assert status_of(client, ann, sign(claims, secret)) == 401


def test_a_tampered_token_is_refused(client, ann, bob, claims):
    header, payload, signature = ann.token.split(".")
    assert (
        status_of(client, bob, f"{header}.{part(claims | {'user_id': bob.id})}.{signature}") == 401
    )
    assert status_of(client, ann, f"{header}.{payload}.{signature[:-2]}AA") == 401
    assert status_of(client, ann, f"{header}.{payload}.{signature}.{signature}") == 401
    assert status_of(client, ann, f"{header}.{payload}") == 401


@pytest.mark.parametrize(
    "token",
    ["", "x", "x.y.z", "..", "...", "\xff.\xff.\xff", "a" * 5000, f"{part([])}.{part([])}.{part(b'')}",
     f"{part(b'{')}.{part(b'{')}.x", f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(b'[' * 20000)}.x",
     f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(b'1')}.x", f"{part(b'null')}.{part(b'null')}.x"],
)  # fmt: skip
def test_junk_is_refused(client, ann, token):
    assert status_of(client, ann, token) == 401


def test_a_signature_has_one_spelling(client, ann):
    *rest, last = ann.token
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for other in set(alphabet) - {last}:
        assert status_of(client, ann, "".join(rest) + other) == 401
    for end in ("=", "==", "A", "-", ".", "\xb5"):
        assert status_of(client, ann, ann.token + end) == 401


@pytest.mark.parametrize(
    "credentials",
    ["{}, Basic x", "Basic x, {}", "{},", ", {}", "{},{}", ", ,{}", ", ,x", " , , ", "x, \xa0,{}", "\xa0, x"],
)  # fmt: skip
def test_a_token_stands_alone(client, ann, credentials):
    header = credentials.replace("{}", f"Bearer {ann.token}")
    for _ in range(2):
        answer = client.get(ann.tasks, headers={"Authorization": header})
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("scheme", ["", "Basic", "Token", "JWT", "Bearer Bearer", "Bearer,"])
def test_another_scheme_is_refused(client, ann, scheme):
    assert status_of(client, ann, ann.token, scheme) == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR", "bearer  "])
def test_the_scheme_may_be_in_any_letter_case(client, ann, scheme):
    for _ in range(2):  # verified, and from the cache
        assert status_of(client, ann, ann.token, scheme) == 200


def test_a_refusal_tells_a_bad_token_from_a_missing_one_in_any_letter_case(client, ann):
    for scheme in ("Bearer", "bearer"):
        answer = client.get(ann.tasks, headers={"Authorization": f"{scheme} x"})
        assert answer.json["detail"] == "The token is not valid."


def test_a_token_counts_in_the_header_only(client, ann):
    client.set_cookie("access_token_cookie", ann.token)
    for answer in (
        client.get(f"{ann.tasks}?jwt={ann.token}&access_token={ann.token}"),
        client.post(ann.tasks, json={"access_token": ann.token, "title": "x"}),
        client.get(ann.tasks, headers={"X-Access-Token": ann.token}),
    ):
        assert answer.status_code == 401


def test_a_session_of_another_user_is_refused(client, ann, bob, claims):
    of_bob = jwt.decode(bob.token, options={"verify_signature": False})
    assert status_of(client, bob, sign(of_bob | {"jti": claims["jti"]})) == 401


def test_a_session_that_never_was_is_refused(client, ann, claims):
    assert status_of(client, ann, sign(claims | {"jti": str(uuid.uuid4())})) == 401


def test_a_refused_token_is_refused_each_time_and_a_good_one_never_spoils(client, ann, claims):
    bad = sign(claims | {"iss": "someone else"})
    for _ in range(3):
        assert status_of(client, ann, bad) == 401
        assert status_of(client, ann, ann.token) == 200
    ann.post("/api/auth/logout")
    assert status_of(client, ann, ann.token) == 401
