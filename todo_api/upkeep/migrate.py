"""Brings the schema up to date: plain SQL files, applied by yoyo, one process at a time."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import errors
from yoyo.migrations import Migration, MigrationList

from todo_api.database.statements import load_statements
from todo_api.upkeep.asking import shares_its_process
from todo_api.upkeep.closing import close_to_others, is_open
from todo_api.upkeep.database_check import (
    UnfitDatabaseError,
    require_fit,
    require_migratable,
)
from todo_api.upkeep.made_objects import names_made
from todo_api.upkeep.migration_files import (
    Differences,
    MigrationError,
    checksums_of,
    compare,
    migration_files,
)
from todo_api.upkeep.yoyo_backend import Backend

LOCK_WAIT_S = 60.0
_POLL_S = 0.05
# A migration is retried: its lock_timeout is short, because requests queue behind its wait for a table.
_TRIES = 8
_PAUSE_S = 1.0

logger = logging.getLogger("todo_api.migrate")


def migrate(url: str, folder: Path | None = None, login: str | None = None) -> list[str]:
    """Apply the missing migrations in order; returns their ids. Raises MigrationError.

    A migration that fails leaves the database as it was before that migration. At the end nobody but the
    service may reach what the migrations have made; `login` serves, if it is not the login that migrates.
    """
    with _connected(url) as backend, migration_files(folder) as migrations:
        names = names_made(migrations)
        fresh = not backend.ask("has_applied_migrations")[0][0]
        if not _differences(backend, migrations).missing and not is_open(
            backend, names, login, fresh=fresh
        ):
            return []  # without the lock, which a newer version may hold while it builds an index
        facts = require_fit(backend.connection, backend.ask, until_commit=False)
        require_migratable(backend.ask, facts)
        _lock(backend)
        unknown = _differences(backend, migrations).unknown
        # Look for missing migrations under the lock: without it two starts would both apply them.
        missing = backend.to_apply(migrations)
        if missing and unknown:
            raise MigrationError(
                f"the database has {', '.join(unknown)}, which this version does not know, but lacks "
                f"{', '.join(migration.id for migration in missing)}: it belongs to another version"
            )
        for migration in missing:
            logger.info("applying migration %s", migration.id)
            _with_retries(backend.apply_one, migration)
        close_to_others(backend, names, login, fresh=fresh)
        return [migration.id for migration in missing]


def rollback(url: str, count: int | None = None, folder: Path | None = None) -> list[str]:
    """Roll back the newest `count` migrations, or all; returns their ids. Raises MigrationError."""
    with _connected(url) as backend, migration_files(folder) as migrations:
        _lock(backend)
        applied = _to_roll_back(backend, migrations)[:count]
        for migration in applied:
            logger.info("rolling back migration %s", migration.id)
            _with_retries(backend.rollback_one, migration)
        return [migration.id for migration in applied]


def newest(url: str, count: int) -> list[str]:
    """The newest `count` applied migrations, newest first. Writes nothing. Raises MigrationError."""
    with _connected(url) as backend, migration_files() as migrations:
        _lock(backend)
        return [migration.id for migration in _to_roll_back(backend, migrations)[:count]]


@contextmanager
def _connected(url: str) -> Iterator[Backend]:
    try:
        backend = Backend(url, load_statements())
    except psycopg.ProgrammingError:
        # libpq's message repeats the URL with the password
        raise MigrationError("the database's URL is not one that PostgreSQL understands") from None
    except psycopg.Error as error:
        raise MigrationError(f"the database can't be reached: {_one_line(error)}") from None
    try:
        if shares_its_process(backend.connection, backend.ask, url):
            raise MigrationError(
                "migrating needs a direct connection, but this one leads to a pooler in "
                "transaction mode: set MIGRATE_URL to a direct one"
            )
        require_fit(backend.connection, backend.ask, until_commit=False)
        with suppress(errors.InvalidParameterValue):  # not every platform of the server supports it
            backend.ask("end_with_client")
        backend.ask("one_shard_at_a_time")
        yield backend
    except UnfitDatabaseError as error:
        raise MigrationError(str(error)) from None
    except errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"the database refused to be migrated: {_one_line(error)}. It needs the login that owns the "
            "tables (MIGRATE_URL)"
        ) from error
    except psycopg.Error as error:
        raise MigrationError(f"the database refused to be migrated: {_one_line(error)}") from error
    finally:
        backend.connection.close()


def _lock(backend: Backend) -> None:
    """Become the only process that migrates, until the connection ends."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while not backend.ask("try_migration_lock")[0][0]:
        if time.monotonic() > deadline:
            raise MigrationError(f"another process has been migrating for {LOCK_WAIT_S:.0f} s")
        time.sleep(_POLL_S)


def _with_retries(work: Callable[[Migration], None], migration: Migration) -> None:
    """Do the work. While a table is in use, retry after a pause in which waiting requests can run."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with _explained(migration.id):
                work(migration)
            return
        except MigrationError as error:
            in_use = isinstance(error.__cause__, (errors.LockNotAvailable, errors.DeadlockDetected))
            if not (in_use and tries_left and migration.use_transactions):
                raise
            logger.warning("migration %s: a table is in use, trying again", migration.id)
            _pause()


def _pause() -> None:
    time.sleep(_PAUSE_S)


@contextmanager
def _explained(migration_id: str) -> Iterator[None]:
    try:
        yield
    except errors.LockNotAvailable as error:
        raise MigrationError(
            f"migration {migration_id}: a table is in use and could not be locked; try again later"
        ) from error
    except psycopg.Error as error:
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        raise MigrationError(
            f"migration {migration_id} failed: {_one_line(error)}{hint}"
        ) from error


def _differences(backend: Backend, migrations: MigrationList) -> Differences:
    """How the database differs from the files. Raises MigrationError for an edited file."""
    begun = backend.ask("has_applied_migrations")[0][0]
    applied = dict(backend.ask("applied_migrations")) if begun else {}
    differences = compare(applied, checksums_of(migrations))
    if differences.edited:
        raise MigrationError(differences.complaint.line)
    return differences


def _to_roll_back(backend: Backend, migrations: MigrationList) -> MigrationList:
    if unknown := _differences(backend, migrations).unknown:
        raise MigrationError(
            f"the database is newer than this version: it has {', '.join(unknown)}; "
            "roll back with the version that brought them"
        )
    if not backend.ask("has_applied_migrations")[0][0]:
        return MigrationList()  # yoyo would make its own tables before it looks
    return backend.to_rollback(migrations)


def _one_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
