"""Brings the schema up to date: plain SQL files, applied by yoyo, one process at a time."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList

from todo_api.database.statements import Statement, load_statements
from todo_api.upkeep.migration_files import (
    Differences,
    MigrationError,
    checksum_of,
    checksums_of,
    compare,
    migration_files,
)

LOCK_WAIT_S = 60.0
_POLL_S = 0.05
# A migration waits for a table only as long as a request can stand it (lock_timeout), so it asks again.
_TRIES = 8
_PAUSE_S = 1.0

logger = logging.getLogger("todo_api.migrate")


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo is untyped
    """yoyo on one direct connection: a migration, its checksum and its mark commit together.

    yoyo itself marks a migration in a transaction of its own, so a process killed between the two
    would leave one that is applied, and for ever applied again. A file with `-- transactional: false`
    (for CREATE INDEX CONCURRENTLY) is marked after its last statement; killed before, it is repeated,
    which migrations/README.md makes it stand.
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
        """Apply one migration, all or nothing; outside a transaction statement by statement."""
        migration.load()
        if not migration.use_transactions:
            self._step_by_step(migration, "apply")
        with self.transaction():
            if migration.use_transactions:
                super().apply_one(migration, force, mark)
            else:
                self.log_migration(migration, "apply")
                self.mark_one(migration, log=False)
            checksum = checksum_of(Path(migration.path))
            self.ask("record_migration", id=migration.id, checksum=checksum)

    def rollback_one(self, migration: Migration, force: bool = False) -> None:
        """Roll one migration back, all or nothing; outside a transaction statement by statement."""
        migration.load()
        if not migration.use_transactions:
            self._step_by_step(migration, "rollback")
        with self.transaction():
            self.ask("forget_migration", id=migration.id)
            if migration.use_transactions:
                super().rollback_one(migration, force)
            else:
                self.log_migration(migration, "rollback")
                self.unmark_one(migration, log=False)

    def _step_by_step(self, migration: Migration, direction: str) -> None:
        # not yoyo's own process_steps: when one fails, that runs some statements of the rollback file
        for step in migration.steps if direction == "apply" else reversed(migration.steps):
            getattr(step, direction)(self)
        unusable = [name for (name,) in self.ask("unusable_indexes") if name in migration.source]
        if unusable:
            raise MigrationError(
                f"migration {migration.id} left an index that can't be used: {', '.join(unusable)}; "
                "remove it with DROP INDEX CONCURRENTLY, and try again"
            )

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


def migrate(url: str, folder: Path | None = None) -> list[str]:
    """Apply what is missing, in order; the ids of what was applied. Raises MigrationError.

    A migration that fails leaves the database as it was before that migration.
    """
    with _connected(url) as backend, migration_files(folder) as migrations:
        if not _differences(backend, migrations).missing:
            return []  # without the lock, which a newer version may hold for as long as an index takes
        _lock(backend)
        unknown = _differences(backend, migrations).unknown
        # What is missing is computed inside the lock: outside it two starters would both apply it.
        missing = backend.to_apply(migrations)
        if missing and unknown:
            raise MigrationError(
                f"the database has {', '.join(unknown)}, which this version does not know, but lacks "
                f"{', '.join(migration.id for migration in missing)}: it belongs to another version"
            )
        for migration in missing:
            logger.info("applying migration %s", migration.id)
            _patiently(backend.apply_one, migration)
        return [migration.id for migration in missing]


def rollback(url: str, count: int | None = None, folder: Path | None = None) -> list[str]:
    """Roll back the newest `count` migrations, or all; their ids. Raises MigrationError."""
    with _connected(url) as backend, migration_files(folder) as migrations:
        _lock(backend)
        applied = _to_roll_back(backend, migrations)[:count]
        for migration in applied:
            logger.info("rolling back migration %s", migration.id)
            _patiently(backend.rollback_one, migration)
        return [migration.id for migration in applied]


def newest(url: str, count: int) -> list[str]:
    """The ids of the newest `count` applied migrations, newest first. Raises MigrationError."""
    with _connected(url) as backend, migration_files() as migrations:
        _lock(backend)
        return [migration.id for migration in _to_roll_back(backend, migrations)[:count]]


@contextmanager
def _connected(url: str) -> Iterator[Backend]:
    try:
        backend = Backend(url, load_statements())
    except psycopg.ProgrammingError:
        # libpq's own words repeat the URL, and with it the password
        raise MigrationError("the database's URL is not one that PostgreSQL understands") from None
    except psycopg.Error as error:
        raise MigrationError(f"the database can't be reached: {_one_line(error)}") from None
    try:
        if _shares_its_process(backend, url):
            raise MigrationError(
                "migrating takes a connection of its own, and this one leads to a pooler in "
                "transaction mode: set MIGRATE_URL to a direct one"
            )
        with suppress(errors.InvalidParameterValue):  # not on every platform of the server
            backend.ask("end_with_client")
        yield backend
    except psycopg.Error as error:
        raise MigrationError(f"the database refused to be migrated: {_one_line(error)}") from error
    finally:
        backend.connection.close()


def _shares_its_process(backend: Backend, url: str) -> bool:
    """Whether a pooler in between lends the server's process to others after each transaction."""
    [(process,)] = backend.ask("server_process")
    if process == backend.connection.info.backend_pid:  # what the server itself told libpq
        return False
    other = Backend(url, load_statements())
    try:
        return other.ask("server_process") == [(process,)]
    finally:
        other.connection.close()


def _lock(backend: Backend) -> None:
    """Become the only one that migrates, until the connection ends."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while not backend.ask("try_migration_lock")[0][0]:
        if time.monotonic() > deadline:
            raise MigrationError(f"another process has been migrating for {LOCK_WAIT_S:.0f} s")
        time.sleep(_POLL_S)


def _patiently(work: Callable[[Migration], None], migration: Migration) -> None:
    """Do the work; while a table is in use, again after a pause in which its users get their turn."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with _explained(migration.id):
                work(migration)
            return
        except MigrationError as error:
            in_use = isinstance(error.__cause__, errors.LockNotAvailable)
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
    """What sets the database apart from the files; MigrationError for an edited one."""
    begun = backend.ask("has_applied_migrations")[0][0]
    applied = dict(backend.ask("applied_migrations")) if begun else {}
    differences = compare(applied, checksums_of(migrations))
    if differences.edited:
        raise MigrationError(differences.complaint)
    return differences


def _to_roll_back(backend: Backend, migrations: MigrationList) -> MigrationList:
    if unknown := _differences(backend, migrations).unknown:
        raise MigrationError(
            f"the database is newer than this version: it has {', '.join(unknown)}; "
            "roll back with the version that brought them"
        )
    return backend.to_rollback(migrations)


def _one_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
