"""What belongs to the current request's application."""

from flask import current_app

from todo_api.database.data import Database
from todo_api.web.unsent import Unsent


def database() -> Database:
    """The application's database."""
    return current_app.extensions["database"]  # type: ignore[no-any-return]


def unsent() -> Unsent:
    """What the application's process holds of large answers."""
    return current_app.extensions["unsent"]  # type: ignore[no-any-return]
