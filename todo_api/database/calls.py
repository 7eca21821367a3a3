"""What is asked of the database, for whom, and how it can fail: all that the data module's callers need."""

from collections.abc import Callable
from typing import Any, NamedTuple


class SignedIn(NamedTuple):
    """A verified token's user and session; both are UUIDs in lower case."""

    user_id: str
    session_id: str


class Call(NamedTuple):
    """A statement of sql/ with its named parameters; `row` makes something of each row, otherwise a tuple."""

    name: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    row: Callable[..., Any] | None = None


class Unavailable(Exception):
    """The database can't answer now. Nothing was stored, or nobody can tell whether it was.

    The text is the kind of error, with its SQLSTATE if it has one.
    """


class SessionEnded(Exception):
    """The token's session is not alive: logged out, expired, or its user is gone."""


class UniqueViolated(Exception):
    """A unique constraint, named by the message, holds the value already."""


class StatementFailed(Exception):
    """A bug: PostgreSQL refused a statement. Names it and the reason, never a value or the SQL."""
