"""The data-access module: statements of sql/ on pooled connections, one round trip per request."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from todo_api.database import pool
from todo_api.database.calls import ApiClient, Call, Caller, SignedIn, Unavailable
from todo_api.database.failures import (
    forgets_prepared,
    is_lost,
    lacks_settings,
    needs_new_connection,
    translated,
)
from todo_api.database.pipeline import Bound, round_trip
from todo_api.database.pool import Pool, PoolLoad
from todo_api.database.statements import load_statements


class Load(NamedTuple):
    """How busy the database's connections are; `errors` counts Unavailable by its message."""

    pool: PoolLoad
    errors: dict[str, int]


class Database:
    """A pool of connections to one PostgreSQL. Belongs to one process: open it after a fork."""

    def __init__(self, url: str, *, connections: int, prepared_statements: bool = True) -> None:
        self._statements = load_statements()
        self._pool = Pool(
            url,
            size=connections,
            prepared_statements=prepared_statements,
            has_citus=self._statements["before_sign_in/has_citus"].text,
        )
        self._lock = threading.Lock()
        self._errors: Counter[str] = Counter()
        self._begin = self._bound("before_sign_in/begin_on_citus")
        self._commit = self._bound("before_sign_in/commit_on_citus")
        # What a transaction has to be, where it is not by default; sent once a database has asked for it.
        self._mode: tuple[Bound, ...] = ()

    def _bound(self, name: str) -> Bound:
        return Bound(self._statements[name], ())

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def wait(self, seconds: float) -> None:
        """Wait until there is a first connection, or so long: a distant server takes its time."""
        self._pool.wait(seconds)

    def load(self) -> Load:
        """How busy the connections are now."""
        with self._lock:
            return Load(self._pool.load(), dict(self._errors))

    def as_user(self, who: Caller, *calls: Call) -> list[Any]:
        """Run `calls` as one transaction of the signed-in user; returns the rows (or the Taker) of each call.

        Raises SessionEnded, ReadOnly, PasswordChanged, Unavailable or UniqueViolated; then no call has taken
        effect.
        """
        if isinstance(who, ApiClient):
            return self._as_client(who, calls)
        session = {"user_id": who.user_id, "session_id": who.session_id}
        return self._run(who.user_id, Call("before_sign_in/begin_session", session), calls)

    def in_turn(self, who: SignedIn, *calls: Call) -> list[Any]:
        """As as_user, but `calls` wait until no other transaction of the user ends or counts rows.

        Raises SessionEnded also when the session has ended during that wait.
        """
        session = {"user_id": who.user_id, "session_id": who.session_id}
        again = Call("before_sign_in/begin_session", session)
        return self.as_user(who, Call("users/take_turn"), again, *calls)[2:]

    def _as_client(self, who: ApiClient, calls: Sequence[Call]) -> list[Any]:
        scope = "write" if who.may_write else "read"
        token = {"user_id": who.user_id, "token_id": who.token_id, "scope": scope}
        opening = Call("before_sign_in/begin_token", token)
        return self._run(who.user_id, opening, calls, read_only=not who.may_write)

    def before_sign_in(self, *calls: Call, user_id: str | None = None) -> list[Any]:
        """Run `calls` as one transaction without a user or, after the password check, of `user_id`.

        Raises CodeSpent, Unavailable, UniqueViolated, PasswordChanged or, if the user is gone, SessionEnded.
        """
        opening = Call("before_sign_in/begin_request", {"user_id": user_id})
        return self._run(user_id, opening, calls)

    def _run(
        self,
        user_id: str | None,
        opening: Call,
        calls: Sequence[Call],
        *,
        read_only: bool = False,
    ) -> list[Any]:
        bound = []
        for call in (opening, *calls):
            statement = self._statements[call.name]
            values = statement.bind(user_id, call.parameters)
            bound.append(Bound(statement, values, call.taker))
        # A read that lost its connection is retried once. A write is not: it may have been committed.
        # Nor is a read that has already waited ANSWER_TIMEOUT_S for a silent server.
        began = time.monotonic()
        may_repeat = all(one.statement.reads_only for one in bound)
        lost_at = 0.0
        adapted: set[str] = set()  # to each only once
        while True:
            try:
                _, *found = self._send(bound, lost_at, read_only)
                return [
                    [call.row(*row) for row in rows] if call.row else rows
                    for call, rows in zip(calls, found, strict=True)
                ]
            except psycopg.Error as error:
                waited_s = time.monotonic() - began
                if may_repeat and is_lost(error) and waited_s < pool.ANSWER_TIMEOUT_S:
                    may_repeat = False
                    lost_at = time.monotonic()
                    continue
                if self._adapts(error, adapted):
                    continue
                # No local variable for it: with one, exception and frame would keep each other alive.
                raise self._counted(translated(error, calls, read_only=read_only))  # noqa: B904 (its cause is set)

    def _adapts(self, error: psycopg.Error, adapted: set[str]) -> bool:
        """Whether statements are sent otherwise from now on: nothing of the failed request took effect."""
        sqlstate = error.sqlstate or ""
        if sqlstate in adapted:
            return False
        if lacks_settings(error):
            self._mode = (
                self._bound("before_sign_in/set_isolation"),
                self._bound("before_sign_in/set_read_write"),
            )
        elif forgets_prepared(error):
            self._pool.stop_preparing()
        else:
            return False
        adapted.add(sqlstate)
        return True

    def _counted(self, failure: Exception) -> Exception:
        if isinstance(failure, Unavailable):
            with self._lock:
                self._errors[str(failure)] += 1
        return failure

    def _send(self, bound: list[Bound], made_since: float, read_only: bool) -> list[Any]:
        connection = self._pool.take(made_since)
        try:
            opening = self._mode
            if not connection.on_citus:
                return round_trip(connection, *opening, *bound)[len(opening) :]
            opening = (self._begin, *opening)
            return round_trip(connection, *opening, *bound, self._commit)[len(opening) : -1]
        except psycopg.Error as error:
            if needs_new_connection(error, read_only=read_only):
                connection.close()
            elif connection.on_citus and not connection.closed:
                connection.rollback()  # the failed pipeline has skipped the COMMIT too
            raise
        finally:
            self._pool.give_back(connection)
