"""The pool of connections: how long a request waits for one, and how a lost database is found again."""

import time
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from todo_api.database.connection import Connection

# A client hears 503 within 2 s when no connection can be had, on a busy machine too. The pool's second
# attempt to connect comes after 1.1 s at the latest.
POOL_TIMEOUT_S = 1.2
CONNECT_TIMEOUT_S = 2  # for each host
# Longer than begin_request lets a statement take, so it only ends the wait for a silent server.
ANSWER_TIMEOUT_S = 8.0
# A machine that fell off the network sends nothing, not even a refusal. With these the kernel closes its
# connections within 6 s, idle ones too. Otherwise each would cost a request ANSWER_TIMEOUT_S after a
# failover.
_KEEPALIVES = {
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}


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
        """Open up to `size` connections; `has_citus` is what each one is asked when it is new."""
        self._prepares = prepared_statements
        self._has_citus = has_citus
        self._pool = ConnectionPool(
            make_conninfo("", **{**_KEEPALIVES, **conninfo_to_dict(url)}),
            connection_class=Connection,
            kwargs={
                "autocommit": True,  # what is sent between two syncs is one implicit transaction
                "client_encoding": "utf8",  # whatever the database's own is
                "prepare_threshold": None,  # the pipeline prepares, by the statement's name
                "connect_timeout": CONNECT_TIMEOUT_S,
                "fallback_application_name": "todo-api",
            },
            min_size=min(2, size),
            max_size=size,
            timeout=POOL_TIMEOUT_S,
            # Give up soon and try again (_ask_again), instead of backing off for minutes.
            reconnect_timeout=1,
            reconnect_failed=self._ask_again,
            configure=self._configure,
            open=False,
        )
        self._is_empty = False  # whether the last request that waited for a connection got none
        self._pool.open()

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    def take(self, made_since: float = 0.0) -> Connection:
        """A connection for one request; give it back. Raises PoolTimeout after POOL_TIMEOUT_S.

        After one request has waited and got none, no request waits until there is a connection again.
        Otherwise, while the database is away, every thread waits 1.2 s for each 503: 40 clients on
        8 threads take 7 s, and health checks stand in the same line.

        `made_since` (monotonic seconds) is for a request whose connection was lost: when the server ends
        all connections one by one, the older ones in the pool are the next to go.
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
                return connection
            connection.close()
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        """Let the next request have it; the pool replaces a closed one."""
        if not connection.closed:
            self._is_empty = False
        self._pool.putconn(connection)

    def load(self) -> PoolLoad:
        """What the pool has counted anyway."""
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
        """Have the pool try to connect once more: while no request waits, nothing else makes it try."""
        with suppress(PoolClosed):
            # The pool's size counts an attempt too. On a busy machine a wait can end before it begins.
            while not pool.get_stats()["pool_size"]:
                with suppress(PoolTimeout):
                    self.give_back(pool.getconn(0.1))

    def _configure(self, connection: Connection) -> None:
        """Prepare a new connection, before any request waits for it."""
        [(has_citus,)] = connection.execute(self._has_citus)
        connection.get_ready(prepares=self._prepares, on_citus=has_citus)
        self._is_empty = False


def why_unreachable(url: str) -> str | None:
    """What libpq says when no connection can be had: the pool tells only that there was none in time."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[0]
    return None
