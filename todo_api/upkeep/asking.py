"""A connection for one check or command: where it leads, and how it runs statements of sql/before_sign_in."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from todo_api.database.data import Database
from todo_api.database.statements import Statement, load_statements

# For a command, or before the first request. A connection with TLS takes seven round trips.
FIRST_CONNECTION_S = 5

# Runs a statement of sql/before_sign_in, by its name and parameters.
Ask = Callable[..., list[tuple[Any, ...]]]


@contextmanager
def asking(url: str) -> Iterator[tuple[psycopg.Connection[Any], Ask]]:
    """One connection, and one transaction that is committed at the end of the block. Raises psycopg.Error."""
    with psycopg.connect(
        url,
        client_encoding="utf8",
        prepare_threshold=None,  # each statement runs once, maybe through a pooler
        connect_timeout=FIRST_CONNECTION_S,
        fallback_application_name="todo-api",
    ) as connection:
        yield connection, partial(ask, connection, load_statements())


@contextmanager
def working(url: str) -> Iterator[Database]:
    """The data module on one connection, for a command that runs statements as requests do."""
    # Not prepared: an old pooler may not support preparing.
    with closing(Database(url, connections=1, prepared_statements=False)) as database:
        database.wait(FIRST_CONNECTION_S)
        yield database


def ask(
    connection: psycopg.Connection[Any],
    statements: dict[str, Statement],
    name: str,
    **parameters: str | int | bool | None,
) -> list[tuple[Any, ...]]:
    """Run a statement of sql/before_sign_in; returns its rows."""
    statement = statements[f"before_sign_in/{name}"]
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(statement.text, statement.bind(None, parameters))
        return cursor.fetchall() if cursor.description else []


def shares_its_process(connection: psycopg.Connection[Any], ask: Ask, url: str) -> bool:
    """Whether a pooler lends the server's process to other clients after each transaction."""
    [(process,)] = ask("server_process")
    if process == connection.info.backend_pid:  # what the server itself told libpq
        return False
    with asking(url) as (_, other):
        return other("server_process") == [(process,)]


def login_of(url: str) -> str | None:
    """The login in a URL; None if the URL has none."""
    user = conninfo_to_dict(url).get("user")
    return str(user) if user else None


def place_of(url: str) -> str:
    """The database and the server that a connection reaches, of several hosts the one that is used.

    Where none can be had now, what the URL says: what a command has done has to be told all the same.
    """
    try:
        with psycopg.connect(url, connect_timeout=FIRST_CONNECTION_S) as connection:
            return place(connection)
    except psycopg.Error:
        said = conninfo_to_dict(url)
        return (
            f"{said.get('dbname', '(default)')} at host {said.get('host', '(default)')},"
            f" port {said.get('port', '5432')}"
        )


def place(connection: psycopg.Connection[Any]) -> str:
    """The database and the server of a connection."""
    info = connection.info
    return f"{info.dbname} at host {info.host}, port {info.port}"
