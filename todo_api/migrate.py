"""Brings the schema up to date: plain SQL files, applied by yoyo, one process at a time."""

import hashlib
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList

from todo_api.shipped import shipped
from todo_api.statements import Statement, load_statements

LOCK_WAIT_S = 60.0
_POLL_S = 0.05

logger = logging.getLogger(__name__)


class MigrationError(Exception):
    """The schema could not be brought up to date; the message is for the operator."""


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo is untyped
    """yoyo on one direct connection: a migration, its checksum and its mark commit together.

    yoyo itself marks a migration in a transaction of its own, so a process killed between the two
    would leave one that is applied, and for ever applied again.
    """

    def __init__(self, url: str, statements: dict[str, Statement]) -> None:
        # yoyo's own parser of URLs knows neither sockets nor several hosts, libpq does
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, "", {"conninfo": url})
        super().__init__(uri, "_yoyo_migration")
        self._statements = statements

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Connect as libpq would."""
        return psycopg.connect(
            dburi.args["conninfo"],
            autocommit=True,
            connect_timeout=5,
            fallback_application_name="todo-api migrate",
        )

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Do without yoyo's lock row, which a killed process leaves for good: the advisory lock is held."""
        yield

    def copy(self) -> "Backend":
        """Stay on the connection that holds the lock and the transaction."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Keep the connection: `connected` closes it."""

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        """Apply one migration, all or nothing."""
        with self.transaction():
            super().apply_one(migration, force, mark)
            checksum = checksum_of(Path(migration.path))
            self.ask("record_migration", id=migration.id, checksum=checksum)

    def rollback_one(self, migration: Migration, force: bool = False) -> None:
        """Roll one migration back, all or nothing."""
        with self.transaction():
            self.ask("forget_migration", id=migration.id)
            super().rollback_one(migration, force)

    def get_log_data(
        self, migration: Migration | None = None, operation: str = "apply"
    ) -> dict[str, Any]:
        """Write no account or host into yoyo's log: a container's account often has no name, which raises."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": None,
            "hostname": None,
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def ask(self, name: str, **parameters: str) -> list[tuple[Any, ...]]:
        """Run a statement of sql/before_sign_in on the migrating connection."""
        statement = self._statements[f"before_sign_in/{name}"]
        with psycopg.RawCursor(self.connection) as cursor:
            cursor.execute(statement.text, statement.bind(None, parameters))
            return cursor.fetchall() if cursor.description else []


def checksum_of(path: Path) -> str:
    """SHA-256 of a migration file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def migration_files(folder: Path | None = None) -> Iterator[MigrationList]:
    """The migrations that ship with the service, or those of `folder`; MigrationError for a lone one."""
    with ExitStack() as stack:
        source = folder or stack.enter_context(as_file(shipped("migrations")))
        migrations = read_migrations(str(source))
        for migration in migrations:
            if not Path(migration.path).with_suffix(".rollback.sql").exists():
                raise MigrationError(f"migration {migration.id} has no rollback file")
        yield migrations


@cache
def shipped_ids() -> frozenset[str]:
    """The ids of the migrations that ship with the service."""
    with migration_files() as migrations:
        return frozenset(migration.id for migration in migrations)


def migrate(url: str, folder: Path | None = None) -> list[str]:
    """Apply what is missing, in order; the ids of what was applied. Raises MigrationError.

    A migration that fails leaves the database as it was before that migration.
    """
    with _locked(url) as backend, migration_files(folder) as migrations:
        _refuse_edited(backend, migrations)
        # What is missing is computed inside the lock: outside it two starters would both apply it.
        missing = backend.to_apply(migrations)
        for migration in missing:
            logger.info("applying migration %s", migration.id)
            with _explained(migration.id):
                backend.apply_one(migration)
        return [migration.id for migration in missing]


def rollback(url: str, count: int | None = None, folder: Path | None = None) -> list[str]:
    """Roll back the newest `count` migrations, or all; their ids. Raises MigrationError."""
    with _locked(url) as backend, migration_files(folder) as migrations:
        _refuse_edited(backend, migrations)
        applied = backend.to_rollback(migrations)[:count]
        for migration in applied:
            logger.info("rolling back migration %s", migration.id)
            with _explained(migration.id):
                backend.rollback_one(migration)
        return [migration.id for migration in applied]


def newest(url: str, count: int) -> list[str]:
    """The ids of the newest `count` applied migrations, newest first. Raises MigrationError."""
    with _locked(url) as backend, migration_files() as migrations:
        return [migration.id for migration in backend.to_rollback(migrations)[:count]]


@contextmanager
def _locked(url: str) -> Iterator[Backend]:
    try:
        backend = Backend(url, load_statements())
    except psycopg.ProgrammingError:
        # libpq's own words repeat the URL, and with it the password
        raise MigrationError("the database's URL is not one that PostgreSQL understands") from None
    except psycopg.Error as error:
        raise MigrationError(f"the database can't be reached: {_one_line(error)}") from None
    try:
        with suppress(errors.InvalidParameterValue):  # not on every platform of the server
            backend.ask("end_with_client")
        deadline = time.monotonic() + LOCK_WAIT_S
        while not backend.ask("try_migration_lock")[0][0]:
            if time.monotonic() > deadline:
                raise MigrationError(f"another process has been migrating for {LOCK_WAIT_S:.0f} s")
            time.sleep(_POLL_S)
        yield backend
    except psycopg.Error as error:
        raise MigrationError(f"the database refused to be migrated: {_one_line(error)}") from error
    finally:
        backend.connection.close()


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


def _refuse_edited(backend: Backend, migrations: MigrationList) -> None:
    if not backend.ask("has_applied_migrations")[0][0]:
        return
    applied = dict(backend.ask("applied_migrations"))
    edited = [
        migration.id
        for migration in migrations
        if migration.id in applied and applied[migration.id] != checksum_of(Path(migration.path))
    ]
    if edited:
        raise MigrationError(
            f"already applied, but edited since: {', '.join(edited)}; "
            "restore the file and put the change into a new migration"
        )


def _one_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
