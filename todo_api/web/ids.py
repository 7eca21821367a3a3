"""Ids in paths: UUIDs in any letter case."""

import re

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_id(text: str) -> bool:
    """Whether a text can be an id; PostgreSQL would take other spellings of a UUID too."""
    return _UUID.fullmatch(text) is not None
