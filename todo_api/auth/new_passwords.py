"""Refuses new passwords that are guessed first: common ones, and those that the e-mail address gives away."""

import gzip
import hashlib
from array import array
from bisect import bisect_left
from functools import cache
from importlib.resources import files

from todo_api.auth.schemas import PASSWORD_MIN
from todo_api.web.problems import Problem
from todo_api.web.schemas import FieldError
from todo_api.web.text import nfc


def refuse_weak(password: str, email: str, field: str = "password") -> None:
    """Raise a Problem that names `field`, if the password, in any letter case, is too easily guessed."""
    folded, address = _folded(password), _folded(email)
    if folded in (address, address.partition("@")[0]):
        _refuse(field, "must not be the e-mail address, nor the part before its @")
    refuse_common(password, field)


def refuse_common(password: str, field: str) -> None:
    """Raise a Problem that names `field`, if the password, in any letter case, is a common one."""
    if is_common(_folded(password)):
        _refuse(field, "is one of the most common passwords: choose another")


def is_common(folded: str) -> bool:
    """Whether a password, in NFC and without letter case, is on the list."""
    hashes, wanted = _hashes(), _hash(folded)
    place = bisect_left(hashes, wanted)
    return place < len(hashes) and hashes[place] == wanted


@cache
def _hashes() -> "array[int]":
    """Of the passwords that are long enough: 64 bits of a hash each, sorted.

    67 KB; a frozenset of them takes 1 MB. Read at the first new password, which takes 17 ms: less than its
    hash, and no start has to wait. Shared by forked workers it would save each of them 67 KB.
    """
    packed = files("todo_api.auth") / "common_passwords" / "common-passwords.txt.gz"
    passwords = map(_folded, gzip.decompress(packed.read_bytes()).decode().splitlines())
    return array("Q", sorted({_hash(one) for one in passwords if len(one) >= PASSWORD_MIN}))


def _hash(folded: str) -> int:
    return int.from_bytes(hashlib.sha256(folded.encode()).digest()[:8])


def _folded(text: str) -> str:
    return nfc(text).casefold()


def _refuse(field: str, message: str) -> None:
    raise Problem(
        "validation-error",
        "The new password is too easily guessed.",
        errors=[FieldError(field=field, message=message)],
    )
