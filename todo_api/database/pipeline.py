"""One request's statements, sent and answered in one network round trip, as one transaction.

In libpq's pipeline mode, all statements between two syncs are one implicit transaction. psycopg's own
pipeline needs a cursor and several generators for each statement. Through psycopg.pq, its layer on libpq, a
request takes a quarter of the CPU (a get: 0.10 ms instead of 0.40) and releases the GIL 7 times instead of
25. After each release another thread may take the GIL, and this thread has to wait.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from psycopg import DataError, NotSupportedError, OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from todo_api.database import pool
from todo_api.database.calls import Taker
from todo_api.database.connection import Connection
from todo_api.database.statements import Statement

_HAVE_ROWS = (ExecStatus.TUPLES_CHUNK, ExecStatus.TUPLES_OK)
_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)
# Of the longest titles, 250 rows are half a MB. In libpq, as Python's objects and as JSON they are there at
# the same time.
PART_ROWS = 250


class Bound(NamedTuple):
    """A statement with its values, in the order of its placeholders, and what makes the taker of its rows."""

    statement: Statement
    values: Sequence[Any]
    taker: Callable[[], Taker] | None = None


def round_trip(connection: Connection, *statements: Bound) -> list[Any]:
    """Run the statements as one transaction; returns the rows (or the Taker) of each. Ids and times are text.

    Raises the psycopg.Error of the first statement that failed; then no statement has taken effect. The
    connection is closed when it is unknown what the server will send on it next.
    """
    values = [[_text(value) for value in bound.values] for bound in statements]
    pgconn = connection.pgconn
    try:
        pgconn.enter_pipeline_mode()
        prepared = []  # for each result the statement that it prepares, or "" if it has rows
        takers: dict[int, Taker] = {}  # by the number of the result
        for (statement, _, taker), texts in zip(statements, values, strict=True):
            if not connection.prepares:
                pgconn.send_query_params(statement.query, texts)
            elif statement.id in connection.prepared:
                pgconn.send_query_prepared(connection.prepared[statement.id], texts)
            else:
                name = connection.new_name(statement.id)
                if statement.id not in prepared:
                    pgconn.send_prepare(name, statement.query)
                    prepared.append(statement.id)
                pgconn.send_query_prepared(name, texts)
            if taker:
                takers[len(prepared)] = taker()
            prepared.append(b"")
        # Send nothing after the sync: by then a pooler may have given the server connection to another
        # client. psycopg's own pipeline ends with a Flush. For it the pooler took a server connection and
        # never released it: every client waited 8 s.
        pgconn.pipeline_sync()
        results = _results(connection, takers)
        pgconn.exit_pipeline_mode()
    except BaseException:
        connection.give_up()
        raise
    rows: list[Any] = []
    for number, (statement_id, result) in enumerate(zip(prepared, results, strict=False)):
        if result.status == ExecStatus.FATAL_ERROR:
            connection.spend_names(filter(None, prepared[number:]))
            raise error_from_result(result)
        if statement_id:
            connection.prepared[statement_id] = connection.new_name(statement_id)
        elif number in takers:
            rows.append(takers[number])
        else:
            rows.append(_rows(connection, result, 0, result.ntuples))
    # What fails only when the transaction commits (a deferred constraint, a serialization failure) is the
    # result of the sync, after those of all statements.
    for result in results[len(prepared) :]:
        raise error_from_result(result)
    return rows


def _rows(
    connection: Connection, result: PGresult, start: int, number: int
) -> list[tuple[Any, ...]]:
    connection.reader.set_pgresult(result)
    return connection.reader.load_rows(start, min(start + number, result.ntuples), tuple)


def _results(connection: Connection, takers: dict[int, Taker]) -> list[PGresult]:
    """The server's results up to the sync, without the rows that takers got."""
    pgconn = connection.pgconn
    deadline = time.monotonic() + pool.ANSWER_TIMEOUT_S
    results: list[PGresult] = []
    try:
        while pgconn.flush():  # the socket could not take everything at once
            connection.wait_for_socket(deadline, to_write=True)
            pgconn.consume_input()
        while True:
            # Before each wait: libpq may have read the whole answer while it sent the end of the statements.
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None or result.status == ExecStatus.PIPELINE_SYNC:
                    return results
                taker = takers.get(len(results)) if takers else None
                if taker is not None and result.status in _HAVE_ROWS and result.ntuples:
                    for start in range(0, result.ntuples, PART_ROWS):
                        taker.take(_rows(connection, result, start, PART_ROWS))
                    if result.status == ExecStatus.TUPLES_CHUNK:
                        continue
                results.append(result)
                pgconn.get_result()  # the None after each statement's results; never waits
                if len(results) in takers and result.status not in _FAILED:  # else it has no rows
                    with suppress(NotSupportedError):  # libpq before 17: all rows at once
                        pgconn.set_chunked_rows_mode(PART_ROWS)
            connection.wait_for_socket(deadline)
            pgconn.consume_input()
    except OperationalError:
        # The server's last error explains more than "the connection is gone".
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result) from None
        raise


def _text(value: Any) -> bytes | None:
    """A value as text; the statement casts each placeholder to its type."""
    if value is None:
        return None
    text = str(value).encode()
    if b"\0" in text:  # libpq would end the value there
        raise DataError("PostgreSQL text cannot contain NUL")
    return text
