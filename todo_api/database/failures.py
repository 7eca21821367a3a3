"""Translates psycopg's errors into the exceptions of calls.py, by their class and SQLSTATE."""

from collections.abc import Sequence

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from todo_api.database.calls import (
    Call,
    CodeSpent,
    PasswordChanged,
    ReadOnly,
    SessionEnded,
    StatementFailed,
    Unavailable,
    UniqueViolated,
)

_SESSION_ENDED = "TD401"  # raised by begin_session, begin_token and take_turn_with_password
_PASSWORD_CHANGED = "TD403"  # noqa: S105 (raised by take_turn_with_password)
_CODE_SPENT = "TD410"  # raised by use_reset_code and use_invite
# In the name of each foreign key to users. A partition's may have a number behind it, and so has a shard's.
_OF_ITS_USER = "_user_id_fkey"
# Raised by begin_request in a transaction that is not READ COMMITTED, READ WRITE.
_INHERITED = "57TD1"
# A pooler in transaction mode that does not keep track of each client's prepared statements.
_FORGETS = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)
# Classes of SQLSTATE that mean "not now": connection, rollback, resources, intervention, system
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
# These errors need a new connection. After a switchover the server of an old connection may be read-only; for
# a new one libpq chooses among the hosts again. A statement that was prepared before a column changed its
# type fails until it is prepared on a new connection.
_NEEDS_NEW_CONNECTION = (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)
_NO_CONNECTION = (PoolTimeout, PoolClosed)
_TRANSIENT = (
    *_NEEDS_NEW_CONNECTION,
    *_NO_CONNECTION,
    *_FORGETS,
    errors.LockNotAvailable,
    errors.TransactionTimeout,  # transaction_timeout passed before begin_request could lift it
    errors.UndefinedTable,  # not migrated yet, or rolled back
    errors.UndefinedFunction,
    errors.InvalidSchemaName,  # statements name the schema public
)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the error ended the connection, so that it is unknown what the server has done."""
    if isinstance(error, _NO_CONNECTION):
        return False
    silent = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return silent or isinstance(error, errors.AdminShutdown | errors.CrashShutdown)


def needs_new_connection(error: psycopg.Error, *, read_only: bool) -> bool:
    """Whether the connection is of no use any more, after a transaction that was to be read-only or not."""
    return isinstance(error, _NEEDS_NEW_CONNECTION) and not _breaks_scope(error, read_only)


def lacks_settings(error: psycopg.Error) -> bool:
    """Whether the transaction has inherited an isolation or a mode that the service can't work in."""
    return error.sqlstate == _INHERITED


def forgets_prepared(error: psycopg.Error) -> bool:
    """Whether a prepared statement was not there, or was there already: another client's."""
    return isinstance(error, _FORGETS)


def translated(error: psycopg.Error, calls: Sequence[Call], *, read_only: bool) -> Exception:
    """The exception of calls.py that `error` means to the caller, with its cause.

    A StatementFailed has none: its traceback is logged, and PostgreSQL's words may quote a client's.
    """
    failure = ReadOnly() if _breaks_scope(error, read_only) else _meaning(error, calls)
    failure.__cause__ = None if isinstance(failure, StatementFailed) else error
    return failure


def _breaks_scope(error: psycopg.Error, read_only: bool) -> bool:
    """Whether this is a write in a transaction that begin_token has made read-only. Not a failover then."""
    return read_only and isinstance(error, errors.ReadOnlySqlTransaction)


def _meaning(error: psycopg.Error, calls: Sequence[Call]) -> Exception:
    if error.sqlstate == _SESSION_ENDED:
        return SessionEnded()
    if error.sqlstate == _PASSWORD_CHANGED:
        return PasswordChanged()
    # what Citus passes on from a worker has the constraint in its message only
    if isinstance(error, errors.ForeignKeyViolation) and _OF_ITS_USER in (
        error.diag.constraint_name or error.diag.message_primary or ""
    ):
        return SessionEnded()  # the user was deleted while the statement ran
    if error.sqlstate == _CODE_SPENT:
        return CodeSpent()
    if isinstance(error, errors.UniqueViolation):
        return UniqueViolated(error.diag.constraint_name)
    if (
        is_lost(error)
        or isinstance(error, _TRANSIENT)
        or (error.sqlstate or "").startswith(_TRANSIENT_CLASSES)
    ):
        # By its kind, as in LockNotAvailable (55P03): PostgreSQL's own words may quote a client's.
        code = f" ({error.sqlstate})" if error.sqlstate else ""
        return Unavailable(type(error).__name__ + code)
    reason = f"{type(error).__name__} {error.diag.constraint_name or ''}".rstrip()
    return StatementFailed(f"{reason} in {', '.join(call.name for call in calls)}")
