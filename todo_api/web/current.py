"""What the application that answers the current request owns."""

from flask import current_app

from todo_api.database.data import Database


def database() -> Database:
    """The application's database."""
    return current_app.extensions["database"]  # type: ignore[no-any-return]
