"""Runs the scripts that lie beside the folders of sql/, as a DBA would."""

from pathlib import Path
from typing import Any

import psycopg

FOLDER = Path(__file__).parents[3] / "sql"


def partition(connection: psycopg.Connection[Any], partitions: int = 16) -> None:
    """Run sql/partition.sql; 0 is the way back."""
    script = (FOLDER / "partition.sql").read_text(encoding="utf-8")
    assert script.count("'16'") == 1
    try:
        connection.execute(script.replace("'16'", f"'{partitions}'").encode())
    except psycopg.Error:
        connection.execute("ROLLBACK")  # as the end of psql's connection would
        raise


def distribute(connection: psycopg.Connection[Any]) -> None:
    """Run sql/distribute.sql on a Citus coordinator."""
    try:
        connection.execute((FOLDER / "distribute.sql").read_bytes())
    except psycopg.Error:
        connection.execute("ROLLBACK")
        raise
