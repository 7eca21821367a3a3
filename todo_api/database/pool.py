"""The connection pool: how long a request waits for a connection, and how the pool reconnects."""

import logging
import time
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from todo_api.database.connection import Connection

# Without a connection a client gets 503 within 2 s, also on a busy machine. The pool's second attempt to
# connect comes after 1.1 s at the latest.
POOL_TIMEOUT_S = 1.2
CONNECT_TIMEOUT_S = 2  # for each host
# Longer than begin_request's statement_timeout, so it only ends the wait for a silent server.
ANSWER_TIMEOUT_S = 8.0
# A server that is cut off from the network sends nothing, not even a reset. With these settings the kernel
# closes the connections to it within 6 s, idle ones too. Otherwise each of them would make a request wait for
# ANSWER_TIMEOUT_S after a failover.
_KEEPALIVES = {
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
_DEFAULTS = {**_KEEPALIVES, "connect_timeout": str(CONNECT_TIMEOUT_S)}  # a URL may have others


logger = logging.getLogger("todo_api.database")


class PoolLoad(NamedTuple):
    """How busy the pool is, and how often and how long requests have waited for it since it was opened."""

    in_use: int  # or being opened
    idle: int
    limit: int
    waiting: int
    waits: int
    waited_s: float


class Pool:
    """Connections for one process: open the pool after a fork."""

    def __init__(self, url: str, *, size: int, prepared_statements: bool, has_citus: str) -> None:
        """Open up to `size` connections; each new one runs the query `has_citus`."""
        self._prepares = prepared_statements
        self._has_citus = has_citus
        self._pool = ConnectionPool(
            make_conninfo("", **{**_DEFAULTS, **conninfo_to_dict(url)}),
            connection_class=Connection,
            kwargs={
                "autocommit": True,  # what is sent between two syncs is one implicit transaction
                "client_encoding": "utf8",  # whatever the database's encoding is
                "prepare_threshold": None,  # the pipeline itself prepares statements, by name
                "fallback_application_name": "todo-api",
            },
            min_size=min(2, size),
            max_size=size,
            timeout=POOL_TIMEOUT_S,
            # Give up soon and retry (_ask_again), instead of backing off for minutes.
            reconnect_timeout=1,
            reconnect_failed=self._ask_again,
            configure=self._configure,
            open=False,
        )
        self._is_empty = False  # whether the last request that waited for a connection got none
        self._pool.open()

    def wait(self, seconds: float) -> None:
        """Wait until there is a first connection, or so long."""
        with suppress(PoolTimeout):
            self._pool.wait(seconds)

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    def take(self, made_since: float = 0.0) -> Connection:
        """A connection for one request, to be given back. Raises PoolTimeout after POOL_TIMEOUT_S.

        After one request's wait has timed out, later requests fail at once until there is a connection
        again. Otherwise, while the database is down, every thread would wait 1.2 s for each 503: 40 clients
        on 8 threads would take 7 s, and health checks would wait in the same queue.

        `made_since` (monotonic seconds) is for a retry after a lost connection. A server that closes all
        connections one by one will soon close the older ones in the pool too.
        """
        if self._is_empty and not self._pool.get_stats()["pool_available"]:
            raise PoolTimeout("there is no connection")
        # Not the pool's own `check`: it sleeps for a second after the second stale connection, and
        # gives up after the fourth.
        deadline = time.monotonic() + POOL_TIMEOUT_S
        while True:
            try:
                connection = self._pool.getconn(max(0.0, deadline - time.monotonic()))
            except PoolTimeout:
                self._is_empty = True
                raise
            if connection.made_at >= made_since and not connection.is_stale():
                connection.prepares = self._prepares
                return connection
            connection.close()
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        """Return a connection to the pool, which replaces a closed one."""
        if not connection.closed:
            self._is_empty = False
        self._pool.putconn(connection)

    def stop_preparing(self) -> None:
        """From now on, send each statement with its text."""
        if self._prepares:
            self._prepares = False
            logger.warning(
                "a pooler mixes up the prepared statements of its clients: going on without any. Set "
                "PREPARED_STATEMENTS=false, or max_prepared_statements in PgBouncer 1.21 or newer"
            )

    def load(self) -> PoolLoad:
        """The pool's own statistics."""
        stats = self._pool.get_stats()
        return PoolLoad(
            in_use=stats["pool_size"] - stats["pool_available"],
            idle=stats["pool_available"],
            limit=stats["pool_max"],
            waiting=stats["requests_waiting"],
            waits=stats.get("requests_queued", 0),
            waited_s=stats.get("requests_wait_ms", 0) / 1000,
        )

    def _ask_again(self, pool: ConnectionPool[Connection]) -> None:
        """Make the pool connect again: while no request waits, nothing else does."""
        with suppress(PoolClosed):
            # pool_size also counts an attempt to connect. On a busy machine getconn can time out before it
            # starts such an attempt.
            while not pool.get_stats()["pool_size"]:
                with suppress(PoolTimeout):
                    self.give_back(pool.getconn(0.1))

    def _configure(self, connection: Connection) -> None:
        """Set up a new connection before a request can get it."""
        [(has_citus,)] = connection.execute(self._has_citus)
        connection.get_ready(on_citus=has_citus)
        self._is_empty = False


def why_unreachable(url: str) -> str | None:
    """libpq's reason why it can't connect: the pool reports only a timeout."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[0]
    return None
