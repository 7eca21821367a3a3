"""The way to the data: statements of sql/ on pooled connections, one request in one round trip."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from todo_api.database import pool as connections
from todo_api.database.pipeline import Bound, round_trip
from todo_api.database.pool import Connections, PoolLoad
from todo_api.database.statements import load_statements

_SESSION_ENDED = "TD401"  # raised by begin_session
# Classes of SQLSTATE that mean "not now": connection, rollback, resources, intervention, system
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
# What a new connection may be spared: after a switchover one can outlive the server's time as primary
# (anew, libpq chooses again among the hosts), and what it has prepared does not fit a table whose columns
# have changed their type since.
_OF_THE_CONNECTION = (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)
_PASSING = (
    *_OF_THE_CONNECTION,
    errors.LockNotAvailable,
    errors.TransactionTimeout,  # the server's own, where a DBA has set it below ours
    errors.UndefinedTable,  # not migrated yet, or rolled back
    errors.UndefinedFunction,
)


class Unavailable(Exception):
    """The database can't answer now; nothing was stored, or it can't be told whether it was.

    Its text is the kind of error, with its SQLSTATE if it has one.
    """


class SessionEnded(Exception):
    """The token's session is not alive: logged out, expired, or its user is gone."""


class Taken(Exception):
    """A unique constraint, named by the message, holds the value already."""


class StatementFailed(Exception):
    """A bug: PostgreSQL refused a statement. Names it and the reason, never a value or the SQL."""


class SignedIn(NamedTuple):
    """A verified token's user and session; both are UUIDs in lower case."""

    user_id: str
    session_id: str


class Call(NamedTuple):
    """A statement of sql/ with its named parameters; `row` makes something of each row, otherwise a tuple."""

    name: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    row: Callable[..., Any] | None = None


class Load(NamedTuple):
    """How busy the way to the data is; `errors` counts what raised Unavailable, by its text."""

    pool: PoolLoad
    errors: dict[str, int]


class Database:
    """A pool of connections to one PostgreSQL. Belongs to one process: open it after a fork."""

    def __init__(self, url: str, *, connections: int, prepared_statements: bool = True) -> None:
        self._statements = load_statements()
        self._connections = Connections(
            url,
            size=connections,
            prepared_statements=prepared_statements,
            has_citus=self._statements["before_sign_in/has_citus"].text,
        )
        self._lock = threading.Lock()
        self._errors: Counter[str] = Counter()
        self._begin = Bound(self._statements["before_sign_in/begin_on_citus"], ())
        self._commit = Bound(self._statements["before_sign_in/commit_on_citus"], ())

    def close(self) -> None:
        """End every connection."""
        self._connections.close()

    def load(self) -> Load:
        """How busy it is at this moment."""
        with self._lock:
            return Load(self._connections.load(), dict(self._errors))

    def as_user(self, who: SignedIn, *calls: Call) -> list[list[Any]]:
        """Run `calls` as one transaction of the signed-in user; the rows of each.

        Raises SessionEnded (then nothing has run), Unavailable or Taken.
        """
        opening = {"user_id": who.user_id, "session_id": who.session_id}
        return self._run(who.user_id, Call("before_sign_in/begin_session", opening), calls)

    def before_sign_in(self, *calls: Call, user_id: str | None = None) -> list[list[Any]]:
        """Run `calls` as one transaction of nobody or, once the password was proven, of `user_id`.

        Raises Unavailable or Taken.
        """
        opening = Call("before_sign_in/begin_request", {"user_id": user_id})
        return self._run(user_id, opening, calls)

    def _run(self, user_id: str | None, opening: Call, calls: Sequence[Call]) -> list[list[Any]]:
        bound = []
        for call in (opening, *calls):
            statement = self._statements[call.name]
            bound.append(Bound(statement, statement.bind(user_id, call.parameters)))
        # A read that lost its connection is asked again, once. A write is not: it may have happened.
        # Nor is a read whose connection was given up because of its silence: one wait is enough.
        began = time.monotonic()
        attempts = 2 if all(statement.reads_only for statement, _ in bound) else 1
        lost_at = 0.0
        while True:
            attempts -= 1
            try:
                _, *found = self._send(bound, lost_at)
                return [
                    [call.row(*row) for row in rows] if call.row else rows
                    for call, rows in zip(calls, found, strict=True)
                ]
            except (PoolTimeout, PoolClosed) as error:
                raise self._unavailable(error) from error
            except psycopg.Error as error:
                if error.sqlstate == _SESSION_ENDED:
                    raise SessionEnded from error
                if isinstance(error, errors.UniqueViolation):
                    raise Taken(error.diag.constraint_name) from error
                lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
                lost = lost or isinstance(error, errors.AdminShutdown | errors.CrashShutdown)
                if lost and attempts and time.monotonic() - began < connections.ANSWER_TIMEOUT_S:
                    lost_at = time.monotonic()
                    continue
                if (
                    lost
                    or isinstance(error, _PASSING)
                    or (error.sqlstate or "")[:2] in _PASSING_CLASSES
                ):
                    raise self._unavailable(error) from error
                reason = f"{type(error).__name__} {error.diag.constraint_name or ''}".rstrip()
                names = ", ".join(call.name for call in calls)
                raise StatementFailed(f"{reason} in {names}") from None

    def _unavailable(self, error: psycopg.Error) -> Unavailable:
        # By name, not in PostgreSQL's words, which may hold a client's: LockNotAvailable (55P03)
        reason = type(error).__name__ + (f" ({error.sqlstate})" if error.sqlstate else "")
        with self._lock:
            self._errors[reason] += 1
        return Unavailable(reason)

    def _send(self, bound: list[Bound], made_since: float) -> list[list[Any]]:
        connection = self._connections.take(made_since)
        try:
            if not connection.on_citus:
                return round_trip(connection, *bound)
            return round_trip(connection, self._begin, *bound, self._commit)[1:-1]
        except _OF_THE_CONNECTION:
            connection.close()
            raise
        except psycopg.Error:
            if connection.on_citus and not connection.closed:
                connection.rollback()  # what skipped the statements skipped the commit too
            raise
        finally:
            self._connections.give_back(connection)
