"""What the running application owns, for those who answer its requests."""

import flask
from flask import current_app

from todo_api.auth.passwords import Hasher
from todo_api.database.data import Database
from todo_api.web.request import Request


def request() -> Request:
    """The request itself: whoever asks Flask's stand-in for it six times has paid 2 µs."""
    return flask.request._get_current_object()  # type: ignore[attr-defined,no-any-return]


def database() -> Database:
    """The way to the data."""
    return current_app.extensions["database"]  # type: ignore[no-any-return]


def hasher() -> Hasher:
    """The way to password hashes."""
    return current_app.extensions["hasher"]  # type: ignore[no-any-return]
