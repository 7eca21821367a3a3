"""The login that serves from the embedded PostgreSQL: it may work as todo_app, and nothing else."""

import psycopg
from psycopg import errors

from todo_api.database.statements import load_statements
from todo_api.upkeep.asking import FIRST_CONNECTION_S
from todo_api.upkeep.migration_files import MigrationError

_LOGIN = load_statements()["before_sign_in/narrow_login"].text
# Another service that starts on the same folder makes the login at the same moment.
_AT_ONCE = (errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_)
_TRIES = 5


def make_narrow_login(url: str) -> None:
    """Make todo_serve in the database of `url`, a superuser's, or complete it. Raises MigrationError."""
    try:
        with psycopg.connect(
            url, autocommit=True, connect_timeout=FIRST_CONNECTION_S
        ) as connection:
            for tries_left in reversed(range(_TRIES)):
                try:
                    for (command,) in connection.execute(_LOGIN.encode()).fetchall():
                        connection.execute(command.encode())
                    return
                except _AT_ONCE:
                    if not tries_left:
                        raise
    except psycopg.Error as error:
        reason = (error.diag.message_primary or str(error)).splitlines()[0]
        raise MigrationError(f"the login that serves could not be made: {reason}") from error
