"""The Citus cluster of CITUS_URL: migrated and distributed for a run, and afterwards as it was."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.postgres.dba_scripts import distribute
from todo_api.upkeep.migrate import migrate, rollback

URL = os.environ.get("CITUS_URL", "")
# Ours to empty: a run that was killed leaves it behind, and nobody else makes it.
_MARK = "todo_api_tests"


@contextmanager
def distributed() -> Iterator[str]:
    """The URL, once its database has the schema, distributed.

    What is missing is made: the extension, workers (those that another database of the coordinator knows),
    the coordinator's own address, and its being free of shards.
    """
    with closing(psycopg.connect(URL, autocommit=True)) as coordinator:
        _refuse_what_is_not_ours(coordinator)
        coordinator.execute("CREATE EXTENSION IF NOT EXISTS citus")
        _find_workers(coordinator)
        coordinator.execute(f"CREATE SCHEMA IF NOT EXISTS {_MARK}".encode())
        rollback(URL)
        added = _introduce(coordinator)
        held = coordinator.execute(
            "SELECT citus_set_node_property(nodename, nodeport, 'shouldhaveshards', false)"
            " FROM pg_dist_node WHERE groupid = 0 AND shouldhaveshards"
        ).fetchall()
        migrate(URL)
        distribute(coordinator)
        try:
            yield URL
        finally:
            rollback(URL)
            coordinator.execute("DROP TABLE _yoyo_log, _yoyo_migration, _yoyo_version")
            coordinator.execute(f"DROP SCHEMA {_MARK}".encode())
            if held:
                coordinator.execute(
                    "SELECT citus_set_node_property(nodename, nodeport, 'shouldhaveshards', true)"
                    " FROM pg_dist_node WHERE groupid = 0"
                )
            if added:
                coordinator.execute("SELECT citus_remove_node(%s, %s)", added)


def _refuse_what_is_not_ours(coordinator: psycopg.Connection[Any]) -> None:
    ours = "SELECT FROM pg_namespace WHERE nspname = %s"
    if coordinator.execute(ours, (_MARK,)).fetchone() is not None:
        return
    there = coordinator.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND relname !~ '^_yoyo'"
    ).fetchall()
    if there:
        pytest.exit(
            f"CITUS_URL names a database that is in use: it has {there[0][0]}", returncode=4
        )


def _find_workers(coordinator: psycopg.Connection[Any]) -> None:
    """Register the workers of another database, if this one has none."""
    workers = (
        "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND noderole = 'primary'"
    )
    if coordinator.execute(workers.encode()).fetchone():
        return
    databases = coordinator.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    for (name,) in databases:
        with closing(psycopg.connect(make_conninfo(URL, dbname=name), autocommit=True)) as other:
            known = other.execute(
                "SELECT to_regclass('pg_catalog.pg_dist_node') IS NOT NULL"
            ).fetchone()
            found = other.execute(workers.encode()).fetchall() if known == (True,) else []
        for host, port in found:
            _prepare_worker(make_conninfo(URL, host=host, hostaddr="", port=port), name)
            coordinator.execute("SELECT citus_add_node(%s, %s)", (host, port))
        if found:
            return
    pytest.exit(
        "no database of CITUS_URL's server has a worker: SELECT citus_add_node(…)", returncode=4
    )


def _prepare_worker(url: str, known: str) -> None:
    """Make the database and the extension on a worker, by way of a database that is there."""
    name = str(conninfo_to_dict(url)["dbname"])
    with closing(psycopg.connect(make_conninfo(url, dbname=known), autocommit=True)) as worker:
        if not worker.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone():
            worker.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with closing(psycopg.connect(url, autocommit=True)) as worker:
        worker.execute("CREATE EXTENSION IF NOT EXISTS citus")


def _introduce(coordinator: psycopg.Connection[Any]) -> tuple[str, int] | None:
    """Tell the coordinator its own address, if it does not know it; what was added."""
    nodes = coordinator.execute("SELECT groupid, nodename FROM pg_dist_node").fetchall()
    if any(group == 0 for group, _ in nodes):
        return None
    # as the workers see it: the address of the URL, unless that is a socket or this machine's own
    host = str(conninfo_to_dict(URL).get("host") or "")
    loopback = [name for _, name in nodes if name.startswith("127.") or name == "localhost"]
    if host.startswith("/") or not host or loopback:
        host = loopback[0] if loopback else "localhost"
    coordinator.execute("SELECT citus_set_coordinator_host(%s, %s)", (host, coordinator.info.port))
    return host, coordinator.info.port
