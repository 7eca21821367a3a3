"""Tokens made by hand: a library would refuse to make the bad ones."""

import base64
import hashlib
import hmac
import json

from support.credentials import SECRET

DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def sign(claims, secret=SECRET, algorithm="HS256", headers=None):
    """A token with a good signature."""
    header = part({"alg": algorithm, "typ": "JWT"} | (headers or {}))
    signed = f"{header}.{part(claims)}"
    return f"{signed}.{mac(signed, secret, algorithm)}"


def mac(signed, secret=SECRET, algorithm="HS256"):
    """The third part of a token, for its first two; of another algorithm than HMAC's it is HS256."""
    digest = DIGESTS.get(algorithm, hashlib.sha256)
    key = secret if isinstance(secret, bytes) else secret.encode()
    return part(hmac.digest(key, signed.encode(), digest))


def part(value):
    """One part of a token, from its bytes or from what they tell in JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
