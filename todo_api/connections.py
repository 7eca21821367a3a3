"""Connections to PostgreSQL as this service wants them: patient for a bounded time, lent out by a pool."""

import select
import time
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.generators import send
from psycopg_pool import ConnectionPool

from todo_api.loaders import read_as_text

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


class Connection(psycopg.Connection[Any]):
    """A connection that does not wait for ever for a server that froze or fell off the network."""

    on_citus = False

    def pipeline(self) -> AbstractContextManager[psycopg.Pipeline]:  # type: ignore[override]
        """Collect what is executed, and end it with one Sync."""
        self._pipeline = _Pipeline(self)
        return super().pipeline()

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Raise OperationalError after ANSWER_TIMEOUT_S of silence."""
        return super().wait(gen, interval, ANSWER_TIMEOUT_S if timeout is None else timeout)


class Connections:
    """A pool. Belongs to one process: open it after a fork."""

    def __init__(self, url: str, *, size: int, prepared_statements: bool, has_citus: str) -> None:
        """Open up to `size` connections; `has_citus` is what each one is asked when it is new."""
        self._has_citus = has_citus
        self._pool = ConnectionPool(
            make_conninfo("", **{**_GIVING_UP, **conninfo_to_dict(url)}),
            connection_class=Connection,
            kwargs={
                "autocommit": True,  # what is sent between two syncs is one implicit transaction
                "cursor_factory": psycopg.RawCursor,  # $1: the statements are compiled already
                # At first use or never. What psycopg prepares later, in a pipeline that an error ends
                # before, it takes for prepared all the same, and the connection is spoilt for good.
                "prepare_threshold": 0 if prepared_statements else None,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "fallback_application_name": "todo-api",
            },
            min_size=min(2, size),
            max_size=size,
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

    def take(self) -> Connection:
        """A connection for one request; give it back. Raises PoolTimeout after POOL_TIMEOUT_S."""
        # Not the pool's own `check`: that one sleeps a second after the second stale connection,
        # and gives up after the fourth.
        deadline = time.monotonic() + POOL_TIMEOUT_S
        while True:
            connection = self._pool.getconn(max(0.0, deadline - time.monotonic()))
            if not _is_stale(connection):
                return connection
            connection.close()
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        """Let the next one have it; a closed one is replaced."""
        self._pool.putconn(connection)

    def _configure(self, connection: Connection) -> None:
        """Prepare a new connection, before any request waits for it."""
        read_as_text(connection)
        [(connection.on_citus,)] = connection.execute(self._has_citus, prepare=False)


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
