"""A PostgreSQL of the command's own, in a temporary folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from todo_api.embedded.running import embedded_postgres
from todo_api.upkeep.migrate import migrate


@contextmanager
def own_server() -> Iterator[str]:
    """The URL of a superuser: PostgreSQL 18, or the one whose programs PG_BIN names."""
    folder = Path(tempfile.mkdtemp(prefix="todo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account, which has to get in
    programs = os.environ.get("PG_BIN")
    try:
        with embedded_postgres(folder, Path(programs) if programs else None) as url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
                connection.execute(
                    "ALTER SYSTEM SET autovacuum = off"
                )  # it is done when all is there
                connection.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder)


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
