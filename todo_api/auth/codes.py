"""Codes that an operator gives out: readable, random enough that nobody guesses one, and stored as a hash."""

import hashlib
import re
import secrets

# Without i, l, o and u, which are taken for others or make words.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUPS, _LETTERS = 7, 4  # 28 characters of 5 bits: 140 bits
_GROUP = f"[{_ALPHABET}]{{{_LETTERS}}}"
_CODE = re.compile(rf"{_GROUP}(?:-{_GROUP}){{{_GROUPS - 1}}}")


def new_code() -> str:
    """A code that was never given out before."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(_GROUPS))
    return "-".join(groups)


def code_hash(code: str) -> str | None:
    """SHA-256 of a code, in hex; None for what can't be a code, which needs no query to be refused.

    The code counts exactly as it was printed. It is random, so no slow hash is needed.
    """
    return hashlib.sha256(code.encode("ascii")).hexdigest() if _CODE.fullmatch(code) else None
