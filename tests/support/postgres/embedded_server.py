"""A PostgreSQL server of one's own, in a temporary folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from support.folders import quick_folder
from todo_api.embedded.running import embedded_postgres


@contextmanager
def embedded_server(*, in_memory: bool = False, **settings: str) -> Iterator[str]:
    """The URL of a superuser: PostgreSQL 18, or the one whose programs PG_BIN names."""
    folder = quick_folder("todo-") if in_memory else Path(tempfile.mkdtemp(prefix="todo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account, which has to get in
    programs = os.environ.get("PG_BIN")
    try:
        with embedded_postgres(folder, Path(programs) if programs else None) as url:
            with psycopg.connect(url, autocommit=True) as connection:
                for name, value in settings.items():
                    connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
                connection.execute("SELECT pg_reload_conf()")
            yield url
    finally:
        shutil.rmtree(folder)
