"""One connection to PostgreSQL, with the state that the pipeline needs."""

import select
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.types.string import TextLoader

CANCEL_TIMEOUT_S = 1.0


class Connection(psycopg.Connection[Any]):
    """A connection with a timeout for each wait, which notices when the server has closed it."""

    made_at = 0.0
    on_citus = False
    prepares = True
    is_silent = False  # whether a wait has timed out
    prepared: dict[bytes, bytes]  # of statements by their ids, the names
    reader: abc.Transformer
    _input: select.poll
    _both: select.poll

    def get_ready(self, *, on_citus: bool) -> None:
        """Prepare a new connection for the pipeline."""
        self.made_at = time.monotonic()
        self.on_citus = on_citus
        self.prepared = {}
        self._spent: Counter[bytes] = Counter()
        # Ids and times stay text as PostgreSQL sends it. A list of 1 000 tasks takes 0.7 ms, instead of 1.7
        # with binary values and 4.7 with a Python function for each value.
        for kind in ("uuid", "timestamptz", "date"):
            self.adapters.register_loader(kind, TextLoader)
        self.reader = Transformer(self)
        self._input, self._both = select.poll(), select.poll()
        self._input.register(self.fileno(), select.POLLIN)
        self._both.register(self.fileno(), select.POLLIN | select.POLLOUT)

    def new_name(self, statement: bytes) -> bytes:
        """The name to prepare a statement by: its id, or another one where that is spent."""
        spent = self._spent[statement]
        return b"%s %d" % (statement, spent + 1) if spent else statement

    def spend_names(self, statements: Iterable[bytes]) -> None:
        """Never prepare by the names again that these statements were sent with, and not prepared.

        The server skips what follows a failure. PgBouncer has then noted the names for this client all the
        same, and closes the connection when one of them comes again.
        """
        self._spent.update(statements)

    def wait_for_socket(self, deadline: float, *, to_write: bool = False) -> None:
        """Wait until the socket can be read (or written). Raises OperationalError after `deadline`."""
        left_ms = max(0.0, deadline - time.monotonic()) * 1000
        if not (self._both if to_write else self._input).poll(left_ms):
            self.is_silent = True
            raise psycopg.OperationalError("the server is silent")

    def give_up(self) -> None:
        """Close the connection. What a slow server still does for it is cancelled first, and undone.

        Otherwise it would go on with the statements of a batch until it wants to send something.
        """
        if self.is_silent and not self.closed:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_TIMEOUT_S)
        self.close()

    def is_stale(self) -> bool:
        """Whether the server has closed the connection: an idle connection gets no other input.

        One poll of the socket takes 2 µs, much less than a round trip. After a restart of the database no
        request fails on a connection that is already closed.
        """
        return bool(self._input.poll(0))
