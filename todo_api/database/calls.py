"""All that callers of the data module need: who is signed in, what to run, and how it can fail."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class SignedIn(NamedTuple):
    """A verified token's user and session; both are UUIDs in lower case."""

    user_id: str
    session_id: str


class ApiClient(NamedTuple):
    """A program with an API token, as the token itself says; both ids are UUIDs in lower case."""

    user_id: str
    token_id: str
    may_write: bool


Caller = SignedIn | ApiClient


class Taker(Protocol):
    """Takes the rows of a large result while they arrive."""

    def take(self, rows: list[tuple[Any, ...]]) -> None:
        """Take some hundred rows.

        What this raises ends the call, and the connection: to read the rest only to drop it would keep
        PostgreSQL and the connection busy.
        """


class Call(NamedTuple):
    """A statement of sql/ with its named parameters; `row` converts each row, which is a tuple without it.

    With `taker`, the rows are not collected. The call's result is the Taker that got them; `taker` makes a
    new one for each attempt.
    """

    name: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    row: Callable[..., Any] | None = None
    taker: Callable[[], Taker] | None = None


class Unavailable(Exception):
    """The database can't answer now. Nothing was stored, or it is unknown whether something was.

    The message is the kind of error, with its SQLSTATE if it has one.
    """


class SessionEnded(Exception):
    """The token's session, or the API token, is not alive: ended, expired, or its user is gone."""


class ReadOnly(Exception):
    """A write in the transaction of an API token that may only read."""


class PasswordChanged(Exception):
    """The account has another password than the one that was checked."""


class UniqueViolated(Exception):
    """The value exists already; the message is the name of the unique constraint."""


class CodeSpent(Exception):
    """The code of a transaction is not good, or no longer: nothing of the transaction was stored."""


class StatementFailed(Exception):
    """A bug: PostgreSQL refused a statement. The message has its name and the reason, no value or SQL."""
