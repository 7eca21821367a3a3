"""Project Wycheproof's HS256 vectors: as they are, and what they do to a token done to one of ours."""

import base64
import json
from collections import Counter
from pathlib import Path

import jwt
import pytest

from support.handmade_tokens import mac, part, sign

pytestmark = pytest.mark.contract
FILE = Path(__file__).parents[1] / "data" / "wycheproof" / "hs256.json"
VECTORS = [
    (f"{vector['tcId']} {vector['comment']}", group["private"]["k"], vector["jws"])
    for group in json.loads(FILE.read_text())["testGroups"]
    for vector in group["tests"]
]

refused = Counter()


@pytest.fixture(scope="module", autouse=True)
def counted(figure_of_file):
    yield
    what = "Project Wycheproof's HS256 vectors; what they do, done to a token of ours: accepted"
    figure_of_file(5, what, f"{refused['as it is']} and {refused['its like']}: 0")


@pytest.fixture
def claims(ann):
    return jwt.decode(ann.token, options={"verify_signature": False})


def status_of(client, ann, token):
    headers = {"Authorization": f"Bearer {token}"}
    return client.get(ann.tasks, headers=headers).status_code


def test_there_are_40_of_them():
    assert len(VECTORS) == 40


@pytest.mark.parametrize(
    "key", sorted({key for _, key, _ in VECTORS}), ids=lambda key: key[:8].strip("-")
)
def test_signed_with_their_key_none_is_a_token_of_this_service(make_app, ann, claims, key):
    """Those that verify have no claims of ours; a token that has them is accepted under the same key."""
    secret = base64.urlsafe_b64decode(key + "=")
    app = make_app()
    app.config["JWT_SECRET_KEY"] = secret  # some are no text, as a setting has to be
    app.extensions["verifying_secrets"] = [secret]
    client = app.test_client()
    assert status_of(client, ann, sign(claims, secret)) == 200
    accepted = []
    for name, of, token in VECTORS:
        spelled = token if isinstance(token, str) else json.dumps(token)
        if of != key:
            continue
        if status_of(client, ann, spelled) == 401:
            refused["as it is"] += 1
        else:
            accepted.append(name)
    assert accepted == []


def signed(header, payload):
    """Two parts and their right signature, however they are spelled."""
    return f"{header}.{payload}.{mac(f'{header}.{payload}')}"


def other(character):
    return "X" if character != "X" else "Y"


def unused_bits(encoded):
    """Another spelling of the same bytes; a payload of 3n bytes has none, so it gets one byte less."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(encoded) % 4 in (2, 3)
    return encoded[:-1] + alphabet[alphabet.index(encoded[-1]) + 1]


# From the parts of a good token to one that is none.
TWISTS = {
    "rejectsModifiedSignature": lambda h, p, m: f"{h}.{p}.{other(m[0])}{m[1:]}",
    "rejectsMissingSignature": lambda h, p, m: f"{h}.{p}.",
    "rejectsMissingSignatureAndSeparator": lambda h, p, m: f"{h}.{p}",
    "rejectsModifiedPayload": lambda h, p, m: f"{h}.{other(p[0])}{p[1:]}.{m}",
    "rejectsMissingPayload": lambda h, p, m: f"{h}..{m}",
    "rejectsMissingPayloadAndSeparator": lambda h, p, m: f"{h}.{m}",
    "rejectsModifiedHeader": lambda h, p, m: f"{part({'typ': 'JWT', 'alg': 'HS256'})}.{p}.{m}",
    "rejectsMissingHeader": lambda h, p, m: f".{p}.{m}",
    "rejectsMissingHeaderAndSeparator": lambda h, p, m: f"{p}.{m}",
    "rejectsMissingHeaderAndSignature": lambda h, p, m: f".{p}.",
    "rejectsMissingHeaderSignatureAndSeparators": lambda h, p, m: p,
    "rejectsEmptyString": lambda h, p, m: "",
    "rejectsExtraEmptyComponent": lambda h, p, m: f"{h}.{p}.{m}.",
    "rejectsExtraComponent": lambda h, p, m: f"{h}.{p}.{m}.foo",
    "rejectsNoneAlgorithmAndMissingSignature": lambda h, p, m: (
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{p}."
    ),
    "rejectsValidJsonSerialization": lambda h, p, m: json.dumps(
        {"payload": p, "signatures": [{"protected": h, "signature": m}]}
    ),
    "rejectsSpacesInMac": lambda h, p, m: f"{h}.{p}.    {m}",
    "rejectsInvalidCharacterInsertedInMac": lambda h, p, m: f"{h}.{p}.{m[:9]}?{m[9:]}",
    "rejects0ReplacedbyInvalidCharacter": lambda h, p, m: f"{h}.{p}.?{m[1:]}",
    "rejectsInvalidCharacters": lambda h, p, m: f"{h}.{p}.????{m[4:]}",
    "spacesInHeader": lambda h, p, m: signed(f"{h}    ", p),
    "invalidCharactersInHeader": lambda h, p, m: signed(f"{h}####", p),
    "invalidBase64Padding": lambda h, p, m: f"{h}.{p}.{m}=",
    "spacesInPayload": lambda h, p, m: signed(h, f"    {p}"),
    "invalidCharactersInPayload": lambda h, p, m: signed(h, f"####{p}"),
    "invalidBase64PaddingInPayload": lambda h, p, m: signed(h, f"{p}="),
    "InvalidCharacterInPayload": lambda h, p, m: signed(h, f"?{p}"),
    "InvalidCharacterInsertedInHeader": lambda h, p, m: f"{h[:-1]}?{h[-1]}.{p}.{m}",
    "InvalidCharacterInsertedInPayload": lambda h, p, m: f"{h}.{p}?.{m}",
    "ModifiedUnusedBitsInPayload": lambda h, p, m: f"{h}.{unused_bits(p)}.{m}",
    "MacOfIncorrectlyEncodedMessage": lambda h, p, m: signed(h, f"{p}?"),
}
# What a vector shows to be good and what is left to say about it here: the spelling of the JSON is free.
GOOD = {
    "acceptsValid": lambda h, p, m: f"{h}.{p}.{m}",
    "ValidSpacesInJsonHeader": lambda h, p, m: signed(
        part(b'{ "alg" : "HS256", "typ" : "JWT" }'), p
    ),
    "ValidWhiteSpaceInJsonHeader": lambda h, p, m: signed(
        part(b'{"alg":\n\t"HS256","typ":"JWT"}'), p
    ),
}
OTHERS = {"Figure35", "ValidMac", "ValidEdgeCaseMac"}  # other texts, and nothing else about them


def test_every_vector_has_its_like_below():
    comments = {name.partition(" ")[2] for name, _, _ in VECTORS}
    assert comments == TWISTS.keys() | GOOD.keys() | OTHERS


@pytest.fixture
def parts(claims):
    """A good token's three parts; the second has a last character with unused bits."""
    padded = json.dumps(claims).encode()
    padded += b" " * ((1 - len(padded)) % 3)
    return signed(part({"alg": "HS256", "typ": "JWT"}), part(padded)).split(".")


@pytest.mark.parametrize("twist", TWISTS.values(), ids=TWISTS)
def test_what_a_vector_does_makes_a_token_of_ours_none(client, ann, parts, twist):
    assert status_of(client, ann, twist(*parts)) == 401
    refused["its like"] += 1
    assert status_of(client, ann, ".".join(parts)) == 200


@pytest.mark.parametrize("spelling", GOOD.values(), ids=GOOD)
def test_a_good_one_stays_good(client, ann, parts, spelling):
    assert status_of(client, ann, spelling(*parts)) == 200
