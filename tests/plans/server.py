"""A PostgreSQL of the command's own, in a temporary folder."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from support.postgres.embedded_server import embedded_server
from todo_api.upkeep.migrate import migrate


def own_server() -> AbstractContextManager[str]:
    """The URL of a superuser on a server that is filled quickly: it is vacuumed when all is there."""
    return embedded_server(in_memory=True, fsync="off", max_wal_size="8GB", autovacuum="off")


@contextmanager
def migrated_database(server: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection, in autocommit, to a new database with the schema and no rows."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        url = make_conninfo(server, dbname=name)
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
