"""The way to the data: statements of sql/ on pooled connections, one request in one round trip."""

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.generators import send
from psycopg.pq import Format
from psycopg.rows import class_row, tuple_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from todo_api.statements import Statement, load_statements

POOL_TIMEOUT_S = 1.5  # a client hears 503 within 2 s when no connection can be had
CONNECT_TIMEOUT_S = 2  # for each host
# Longer than begin_request lets a statement take, so it ends only the wait for a server that is silent.
ANSWER_TIMEOUT_S = 8.0
# A machine that fell off the network sends nothing, not even a refusal. The kernel gives it up within
# 6 s, on idle connections too, or each of them would cost a request ANSWER_TIMEOUT_S after a failover.
_GIVING_UP = {
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SESSION_ENDED = "TD401"  # raised by begin_session
# Classes of SQLSTATE that mean "not now": connection, rollback, resources, intervention, system
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
_PASSING = (
    errors.LockNotAvailable,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,  # not migrated yet, or rolled back
    errors.UndefinedFunction,
)


class Unavailable(Exception):
    """The database can't answer now; nothing was stored, or it can't be told whether it was."""


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
    """A statement of sql/ with its named parameters; `row` makes the rows, which are tuples otherwise."""

    name: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    row: type | None = None


class _Pipeline(psycopg.Pipeline):
    """A pipeline that ends with its Sync.

    psycopg's own sends a Flush after it. A pooler may have got the answer to the Sync by then, and
    given the server to the next client; the Flush takes one again, and keeps it until this client's
    next request: with every server taken so, all wait. (8 s each time, seen within 300 requests.)
    """

    def _exit_gen(self) -> PQGen[None]:
        try:
            self._enqueue_sync()
            yield from self._communicate_gen()
        finally:
            yield from send(self.pgconn)  # what did not fit into the socket's buffer
            yield from self._fetch_gen(flush=False)


class _Connection(psycopg.Connection[Any]):
    """A connection that does not wait for ever for a server that froze or fell off the network."""

    on_citus = False

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        """Collect what is executed, and end it with one Sync."""
        self._pipeline = _Pipeline(self)
        with super().pipeline() as pipeline:
            yield pipeline

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Raise OperationalError after ANSWER_TIMEOUT_S of silence."""
        return super().wait(gen, interval, ANSWER_TIMEOUT_S if timeout is None else timeout)


class Database:
    """A pool of connections to one PostgreSQL. Belongs to one process: open it after a fork."""

    def __init__(self, url: str, *, connections: int, prepared_statements: bool = True) -> None:
        self._statements = load_statements()
        self._pool = ConnectionPool(
            make_conninfo("", **{**_GIVING_UP, **conninfo_to_dict(url)}),
            connection_class=_Connection,
            kwargs={
                "autocommit": True,  # what is sent between two syncs is one implicit transaction
                "cursor_factory": psycopg.RawCursor,  # $1: the statements are compiled already
                # At first use or never. What psycopg prepares later, in a pipeline that an error ends
                # before, it takes for prepared all the same, and the connection is spoilt for good.
                "prepare_threshold": 0 if prepared_statements else None,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "fallback_application_name": "todo-api",
            },
            min_size=min(2, connections),
            max_size=connections,
            timeout=POOL_TIMEOUT_S,
            # Gives up soon and is tried again by the next request, instead of backing off for minutes.
            reconnect_timeout=1,
            configure=self._configure,
            open=False,
        )
        self._pool.open()

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

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
        bound = [
            (statement, statement.bind(user_id, call.parameters), call.row)
            for call in (opening, *calls)
            for statement in (self._statements[call.name],)
        ]
        # A read that lost its connection is asked again, once. A write is not: it may have happened.
        # Nor is a read whose connection was given up because of its silence: one wait is enough.
        began = time.monotonic()
        attempts = 2 if all(statement.reads_only for statement, _, _ in bound) else 1
        while True:
            attempts -= 1
            try:
                return self._send(bound)[1:]
            except (PoolTimeout, PoolClosed) as error:
                raise Unavailable from error
            except psycopg.Error as error:
                if error.sqlstate == _SESSION_ENDED:
                    raise SessionEnded from error
                if isinstance(error, errors.UniqueViolation):
                    raise Taken(error.diag.constraint_name) from error
                lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
                lost = lost or isinstance(error, errors.AdminShutdown | errors.CrashShutdown)
                if lost and attempts and time.monotonic() - began < ANSWER_TIMEOUT_S:
                    continue
                if (
                    lost
                    or isinstance(error, _PASSING)
                    or (error.sqlstate or "")[:2] in _PASSING_CLASSES
                ):
                    raise Unavailable from error
                reason = f"{type(error).__name__} {error.diag.constraint_name or ''}".rstrip()
                names = ", ".join(call.name for call in calls)
                raise StatementFailed(f"{reason} in {names}") from None

    def _send(self, bound: list[tuple[Statement, list[Any], type | None]]) -> list[list[Any]]:
        connection = self._connection()
        try:
            cursors = []
            with connection.pipeline():  # its end sends one sync: one round trip, one transaction
                if connection.on_citus:
                    connection.execute(self._text("before_sign_in/begin_on_citus"))
                for statement, values, row in bound:
                    factory: Any = class_row(row) if row else tuple_row
                    cursor = connection.cursor(binary=True, row_factory=factory)
                    cursors.append(cursor.execute(statement.text, values))
                if connection.on_citus:
                    connection.execute(self._text("before_sign_in/commit_on_citus"))
            return [cursor.fetchall() if cursor.description else [] for cursor in cursors]
        except errors.ReadOnlySqlTransaction:
            # After a switchover a connection can outlive the server's time as primary. A new one
            # lets libpq choose again among the hosts.
            connection.close()
            raise
        except psycopg.Error:
            if connection.on_citus and not connection.closed:
                connection.rollback()  # what skipped the statements skipped the commit too
            raise
        finally:
            self._pool.putconn(connection)

    def _text(self, name: str) -> str:
        return self._statements[name].text

    def _configure(self, connection: _Connection) -> None:
        """Prepare a new connection, before any request waits for it."""
        connection.adapters.register_loader("uuid", _UuidAsText)
        connection.adapters.register_loader("timestamptz", _TimeAsText)
        [(connection.on_citus,)] = connection.execute(
            self._text("before_sign_in/has_citus"), prepare=False
        )

    def _connection(self) -> _Connection:
        # Not the pool's own `check`: that one sleeps a second after the second stale connection,
        # and gives up after the fourth.
        deadline = time.monotonic() + POOL_TIMEOUT_S
        while True:
            connection = self._pool.getconn(max(0.0, deadline - time.monotonic()))
            if not _is_stale(connection):
                return connection
            connection.close()
            self._pool.putconn(connection)  # replaces it


def why_unreachable(url: str) -> str | None:
    """What libpq says when no connection can be had: the pool tells only that there was none in time."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[0]
    return None


def _is_stale(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has hung up; to an idle connection it has nothing else to say.

    A look at the socket (2 µs) instead of a round trip: after a restart of the database no request
    is spent on finding out.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    return bool(poll.poll(0))


class _UuidAsText(Loader):
    """Ids stay text on their way to JSON."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        digits = bytes(data).hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class _TimeAsText(Loader):
    """Times are RFC 3339 in UTC with all six digits, whatever the session's time zone."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        # 1.0 µs against 2.4 µs by isoformat(): a list of 1 000 tasks has at least 2 000 times
        minute, rest = divmod(int.from_bytes(data, "big", signed=True), 60_000_000)
        second, microsecond = divmod(rest, 1_000_000)
        return f"{_minute(minute)}{second:02d}.{microsecond:06d}Z"


@lru_cache(4096)
def _minute(number: int) -> str:
    """The text of a minute, counted from PostgreSQL's epoch."""
    return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:")
