"""The operator's way to the accounts: the owner's login, in transactions that work as todo_auth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel, errors

from todo_api.database.statements import load_statements
from todo_api.upkeep.asking import FIRST_CONNECTION_S, Ask, ask, place

# Somebody's request and a command may each wait for the other; PostgreSQL then ends one of the two.
_TRIES = 5
_IN_EACH_OTHERS_WAY = (errors.DeadlockDetected, errors.SerializationFailure)
_NOT_MIGRATED = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)
_NO_SUCH_ROLE = (errors.InvalidParameterValue, errors.UndefinedObject)

Result = TypeVar("Result")


class OperatorError(Exception):
    """The command can't be done; the message is one line for the operator."""


class AsOperator:
    """A connection on which each piece of work is a transaction of todo_auth, as long as it may take."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._statements = load_statements()
        self.place = place(connection)

    def run(self, work: Callable[[Ask], Result]) -> Result:
        """What `work` returns, in a transaction of its own. It is done again after a deadlock."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._connection.transaction():
                    asks = partial(ask, self._connection, self._statements)
                    asks("pin_settings", until_commit=True)
                    asks("become_todo_auth")
                    return work(asks)
            except _IN_EACH_OTHERS_WAY:
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")


@contextmanager
def as_operator(url: str) -> Iterator[AsOperator]:
    """A connection with the login in `url`, which has to be the owner's. Raises OperatorError."""
    try:
        with psycopg.connect(
            url,
            autocommit=True,  # each piece of work opens a transaction
            client_encoding="utf8",
            prepare_threshold=None,  # maybe through a pooler
            connect_timeout=FIRST_CONNECTION_S,
            fallback_application_name="todo-api",
        ) as connection:
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            connection.read_only = False
            yield AsOperator(connection)
    except (errors.InsufficientPrivilege, *_NO_SUCH_ROLE) as error:
        raise OperatorError(
            f"the database refused: {error.diag.message_primary}. It needs the login that migrates "
            "(MIGRATE_URL), after `todo-api migrate`"
        ) from error
    except _NOT_MIGRATED as error:
        raise OperatorError(
            f"the database has another schema than this version: {error.diag.message_primary}. "
            "Run `todo-api migrate`"
        ) from error
    except psycopg.Error as error:
        reason = (error.diag.message_primary or str(error)).splitlines()[0]
        what = "can't be reached" if error.sqlstate is None else "can't be used"
        raise OperatorError(f"the database {what}: {reason}") from error
