"""What the running application owns, for those who answer its requests."""

from flask import current_app

from todo_api.data import Database
from todo_api.passwords import Hasher


def database() -> Database:
    """The way to the data."""
    return current_app.extensions["database"]  # type: ignore[no-any-return]


def hasher() -> Hasher:
    """The way to password hashes."""
    return current_app.extensions["hasher"]  # type: ignore[no-any-return]
