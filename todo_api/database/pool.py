"""Connections to PostgreSQL as this service wants them: patient for a bounded time, lent out by a pool."""

import select
import time
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import TextLoader
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

# A client hears 503 within 2 s when no connection can be had, on a busy machine too. The pool's second
# attempt to connect comes after 1.1 s at the latest.
POOL_TIMEOUT_S = 1.2
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


class Connection(psycopg.Connection[Any]):
    """A connection, with what round_trip keeps beside it."""

    made_at = 0.0
    on_citus = False
    prepares = True
    prepared: set[bytes]
    reader: abc.Transformer
    _input: select.poll
    _both: select.poll

    def get_ready(self, *, prepares: bool, on_citus: bool) -> None:
        """Make a new connection fit for round_trip."""
        self.made_at = time.monotonic()
        self.prepares = prepares
        self.on_citus = on_citus
        self.prepared = set()
        # Ids and times stay PostgreSQL's text: a list of 1 000 tasks takes 0.7 ms instead of 1.7 from
        # binary values, and 4.7 with a Python function for each value.
        for kind in ("uuid", "timestamptz"):
            self.adapters.register_loader(kind, TextLoader)
        self.reader = Transformer(self)
        self._input, self._both = select.poll(), select.poll()
        self._input.register(self.fileno(), select.POLLIN)
        self._both.register(self.fileno(), select.POLLIN | select.POLLOUT)

    def wait_for_socket(self, deadline: float, *, to_write: bool = False) -> None:
        """Wait until the server says something, or takes more; OperationalError when it is silent."""
        left_ms = max(0.0, deadline - time.monotonic()) * 1000
        if not (self._both if to_write else self._input).poll(left_ms):
            raise psycopg.OperationalError("the server is silent")

    def is_stale(self) -> bool:
        """Whether the server has hung up; to an idle connection it has nothing else to say.

        A look at the socket (2 µs) instead of a round trip: after a restart of the database no request
        is spent on finding out.
        """
        return bool(self._input.poll(0))


class PoolLoad(NamedTuple):
    """How busy a pool is, and how often and how long requests have waited since it was opened."""

    in_use: int  # or being opened
    idle: int
    limit: int
    waiting: int
    waits: int
    waited_s: float


class Connections:
    """A pool. Belongs to one process: open it after a fork."""

    def __init__(self, url: str, *, size: int, prepared_statements: bool, has_citus: str) -> None:
        """Open up to `size` connections; `has_citus` is what each one is asked when it is new."""
        self._prepares = prepared_statements
        self._has_citus = has_citus
        self._pool = ConnectionPool(
            make_conninfo("", **{**_GIVING_UP, **conninfo_to_dict(url)}),
            connection_class=Connection,
            kwargs={
                "autocommit": True,  # what is sent between two syncs is one implicit transaction
                "client_encoding": "utf8",  # whatever the database's own is
                "prepare_threshold": None,  # round_trip prepares, by the statement's name
                "connect_timeout": CONNECT_TIMEOUT_S,
                "fallback_application_name": "todo-api",
            },
            min_size=min(2, size),
            max_size=size,
            timeout=POOL_TIMEOUT_S,
            # Gives up soon and is asked again, instead of backing off for minutes.
            reconnect_timeout=1,
            reconnect_failed=self._ask_again,
            configure=self._configure,
            open=False,
        )
        self._in_vain = False  # whether the last one who waited got nothing
        self._pool.open()

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    def take(self, made_since: float = 0.0) -> Connection:
        """A connection for one request; give it back. Raises PoolTimeout after POOL_TIMEOUT_S.

        Once somebody has waited in vain, nobody waits until there is a connection again. Else, with the
        database away, clients would hear 503 at the pace of 1.2 s for as many as there are threads:
        40 on 8 threads after 7 s, and health checks in between.

        One that was `made_since` a moment is for a request that has lost one: when the server ends all
        connections, one after the other, those from before are the next to go.
        """
        if self._in_vain and not self._pool.get_stats()["pool_available"]:
            raise PoolTimeout("there is no connection")
        # Not the pool's own `check`: that one sleeps a second after the second stale connection,
        # and gives up after the fourth.
        deadline = time.monotonic() + POOL_TIMEOUT_S
        while True:
            try:
                connection = self._pool.getconn(max(0.0, deadline - time.monotonic()))
            except PoolTimeout:
                self._in_vain = True
                raise
            if connection.made_at >= made_since and not connection.is_stale():
                return connection
            connection.close()
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        """Let the next one have it; a closed one is replaced."""
        if not connection.closed:
            self._in_vain = False
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
        """Have the pool try to connect once more: where nobody waits, nobody else asks it to."""
        with suppress(PoolClosed):
            # Its size counts an attempt too. On a busy machine a wait can be over before it began.
            while not pool.get_stats()["pool_size"]:
                with suppress(PoolTimeout):
                    self.give_back(pool.getconn(0.1))

    def _configure(self, connection: Connection) -> None:
        """Prepare a new connection, before any request waits for it."""
        [(has_citus,)] = connection.execute(self._has_citus)
        connection.get_ready(prepares=self._prepares, on_citus=has_citus)
        self._in_vain = False


def why_unreachable(url: str) -> str | None:
    """What libpq says when no connection can be had: the pool tells only that there was none in time."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[0]
    return None
