"""API tokens: how one is made, and what one says before the database is asked.

A token is `todo_`, its scope (r or w), its user's id, 184 random bits, and a checksum: 65 characters. The
user's id says where to look, and the id of its row is made of the token's SHA-256. So the database finds it
in the request's own transaction. With another scope, user or letter it is another token, which has no row.
"""

import hashlib
import re
import secrets
import uuid
import zlib

from todo_api.database.calls import ApiClient

# todo_, scope, user, random, checksum. This is what scanners for leaked secrets look for.
PATTERN = r"todo_[rw][0-9A-Za-z]{59}"
_TOKEN = re.compile(PATTERN)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_ALPHABET)}
_USER = slice(6, 28)  # 22 digits hold 131 bits
_RANDOM_DIGITS = 31
_CHECKSUM_DIGITS = 6  # 35 bits, for 32


def make(user_id: str, *, may_write: bool) -> str:
    """A new token of this user."""
    user = _digits(uuid.UUID(user_id).int, _USER.stop - _USER.start)
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_DIGITS))
    body = f"todo_{'w' if may_write else 'r'}{user}{random}"
    return body + _checksum(body)


def client_of(token: str) -> ApiClient | None:
    """Whose token this is, by its own words; None if it is mistyped. The database knows if it is alive."""
    if not _TOKEN.fullmatch(token):
        return None
    body, checksum = token[:-_CHECKSUM_DIGITS], token[-_CHECKSUM_DIGITS:]
    if checksum != _checksum(body):
        return None
    user = 0
    for digit in token[_USER]:
        user = user * 62 + _VALUES[digit]
    if user >= 1 << 128:
        return None
    return ApiClient(str(uuid.UUID(int=user)), id_of(token), token[5] == "w")


def id_of(token: str) -> str:
    """The first 122 bits of the token's SHA-256, as a UUID of version 8 (RFC 9562, 5.8)."""
    number = int.from_bytes(hashlib.sha256(token.encode()).digest()[:16])
    number = number & ~(0xF << 76) | 8 << 76  # the version
    number = number & ~(0x3 << 62) | 2 << 62  # the variant
    return str(uuid.UUID(int=number))


def _checksum(body: str) -> str:
    return _digits(zlib.crc32(body.encode()), _CHECKSUM_DIGITS)


def _digits(number: int, length: int) -> str:
    """A number in so many digits of base 62."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
