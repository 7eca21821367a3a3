"""yoyo on psycopg 3, changed so that a migration, its checksum and its mark commit together."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration

from todo_api.database.statements import Statement
from todo_api.upkeep.asking import FIRST_CONNECTION_S, ask
from todo_api.upkeep.made_objects import names_made
from todo_api.upkeep.migration_files import MigrationError, checksum_of
from todo_api.upkeep.table_locks import lock_together, shut_out_by


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo is untyped
    """yoyo on one direct connection.

    yoyo itself marks a migration in a second transaction. A process killed between the two leaves a migration
    that is applied but not marked, and every later start applies it again. A file with
    `-- transactional: false` (for CREATE INDEX CONCURRENTLY) is marked after its last statement. If the
    process is killed before, the file runs again; migrations/README.md says how to write such a file.
    """

    def __init__(self, url: str, statements: dict[str, Statement]) -> None:
        # yoyo's URL parser supports neither sockets nor several hosts; libpq's supports both
        uri = DatabaseURI("postgresql+psycopg", None, None, None, None, "", {"conninfo": url})
        super().__init__(uri, "_yoyo_migration")
        self._statements = statements

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Connect as libpq would."""
        return psycopg.connect(
            dburi.args["conninfo"],
            autocommit=True,
            client_encoding="utf8",
            connect_timeout=FIRST_CONNECTION_S,
            fallback_application_name="todo-api migrate",
        )

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Not yoyo's lock row, which a killed process never releases: `_lock` holds an advisory lock."""
        yield

    def copy(self) -> "Backend":
        """Keep using the connection that holds the lock and the transaction."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Keep the connection: `_connected` closes it."""

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        """Apply one migration, all or nothing; outside a transaction statement by statement."""
        migration.load()
        if not migration.use_transactions:
            self._step_by_step(migration, "apply")
        with self.transaction():
            if migration.use_transactions:
                self._lock_tables(Path(migration.path))
                super().apply_one(migration, force, mark)
            else:
                self.log_migration(migration, "apply")
                self.mark_one(migration, log=False)
            checksum = checksum_of(Path(migration.path))
            self.ask("record_migration", id=migration.id, checksum=checksum)
            self._close_to_others(migration)

    def rollback_one(self, migration: Migration, force: bool = False) -> None:
        """Roll one migration back, all or nothing; outside a transaction statement by statement."""
        migration.load()
        if not migration.use_transactions:
            self._step_by_step(migration, "rollback")
        with self.transaction():
            if migration.use_transactions:
                self._lock_tables(Path(migration.path).with_suffix(".rollback.sql"))
            self.ask("forget_migration", id=migration.id)
            if migration.use_transactions:
                super().rollback_one(migration, force)
            else:
                self.log_migration(migration, "rollback")
                self.unmark_one(migration, log=False)
            self._close_to_others(migration)

    def _lock_tables(self, file: Path) -> None:
        # Not on Citus, where an update is an outage: there a lock may not precede some of the changes.
        if not self.ask("has_citus")[0][0]:
            lock_together(self.connection, shut_out_by(file))

    def _close_to_others(self, migration: Migration) -> None:
        # In the migration's own transaction: default privileges give no one access even for a moment.
        for command, as_todo_auth in self.rights_of_others(names_made([migration])):
            self.run(command, as_todo_auth=as_todo_auth)

    def _step_by_step(self, migration: Migration, direction: str) -> None:
        # Not yoyo's process_steps: when a step fails, it runs some statements of the rollback file.
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
        """No account or host in yoyo's log: a container's account often has no name, and a look-up raises."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": None,
            "hostname": None,
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def rights_of_others(self, names: str) -> list[tuple[str, bool]]:
        """The commands that take from others their rights on `names`, and whether todo_auth runs each."""
        found: list[Any] = self.ask("rights_of_others", names=names)
        return sorted(found, key=lambda row: bool(row[1]))

    def run(self, command: str, *, as_todo_auth: bool = False) -> None:
        """Run a command that a statement of sql/before_sign_in has returned, in the current transaction."""
        if as_todo_auth:  # until the end of the transaction
            self.ask("become_todo_auth")
        self.connection.execute(command.encode())

    def ask(self, name: str, **parameters: str | bool | None) -> list[tuple[Any, ...]]:
        """Run a statement of sql/before_sign_in on the migrating connection."""
        return ask(self.connection, self._statements, name, **parameters)
