"""What psycopg's errors mean to a caller: one map, by SQLSTATE and by the constraint's name."""

from collections.abc import Sequence

import psycopg
from psycopg import errors

from todo_api.database.calls import (
    Call,
    SessionEnded,
    StatementFailed,
    Unavailable,
    UniqueViolated,
)

_SESSION_ENDED = "TD401"  # raised by begin_session
# Classes of SQLSTATE that mean "not now": connection, rollback, resources, intervention, system
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
# These need a new connection. After a switchover the server of an old one may have become read-only, and
# libpq chooses anew among the hosts. What an old one has prepared does not fit a table whose columns have
# changed their type since.
NEEDS_NEW_CONNECTION = (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)
_TRANSIENT = (
    *NEEDS_NEW_CONNECTION,
    errors.LockNotAvailable,
    errors.TransactionTimeout,  # the server's own, where a DBA has set it below ours
    errors.UndefinedTable,  # not migrated yet, or rolled back
    errors.UndefinedFunction,
)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the error ended the connection, so that nobody knows what the server has done."""
    silent = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return silent or isinstance(error, errors.AdminShutdown | errors.CrashShutdown)


def translated(error: psycopg.Error, calls: Sequence[Call]) -> Exception:
    """The exception of calls.py that `error` means to the caller."""
    if error.sqlstate == _SESSION_ENDED:
        return SessionEnded()
    if isinstance(error, errors.UniqueViolation):
        return UniqueViolated(error.diag.constraint_name)
    if (
        is_lost(error)
        or isinstance(error, _TRANSIENT)
        or (error.sqlstate or "").startswith(_TRANSIENT_CLASSES)
    ):
        return unavailable(error)
    reason = f"{type(error).__name__} {error.diag.constraint_name or ''}".rstrip()
    return StatementFailed(f"{reason} in {', '.join(call.name for call in calls)}")


def unavailable(error: psycopg.Error) -> Unavailable:
    """Named by its kind, such as LockNotAvailable (55P03): PostgreSQL's own words may quote a client's."""
    return Unavailable(type(error).__name__ + (f" ({error.sqlstate})" if error.sqlstate else ""))
