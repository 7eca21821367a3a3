"""The migration files, and how a database that has applied some of them differs from them."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file
from pathlib import Path

from yoyo import read_migrations
from yoyo.migrations import MigrationList

from todo_api.database.shipped import shipped

_PAGE = "schema"  # schema.sql shows what all of them make; it is none of them


class MigrationError(Exception):
    """The schema could not be brought up to date; the message is for the operator."""


@dataclass(frozen=True)
class Differences:
    """Ids in order: what the database lacks, what was edited since, and what only the database knows."""

    missing: list[str]
    edited: list[str]
    unknown: list[str]

    @property
    def complaint(self) -> str:
        """Why nothing may be done with edited files."""
        return (
            f"already applied, but edited since: {', '.join(self.edited)}; "
            "restore the file and put the change into a new migration"
        )


@contextmanager
def migration_files(folder: Path | None = None) -> Iterator[MigrationList]:
    """The migrations that ship with the service, or those of `folder`; MigrationError for a lone one."""
    with ExitStack() as stack:
        source = folder or stack.enter_context(as_file(shipped("migrations")))
        migrations = read_migrations(str(source)).filter(lambda one: one.id != _PAGE)
        for migration in migrations:
            if not Path(migration.path).with_suffix(".rollback.sql").exists():
                raise MigrationError(f"migration {migration.id} has no rollback file")
        yield migrations


def checksum_of(path: Path) -> str:
    """SHA-256 of a migration file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums_of(migrations: MigrationList) -> dict[str, str]:
    """The checksum of each file, by its id."""
    return {migration.id: checksum_of(Path(migration.path)) for migration in migrations}


@cache
def shipped_checksums() -> Mapping[str, str]:
    """The checksum of each migration that ships with the service, by its id."""
    with migration_files() as migrations:
        return checksums_of(migrations)


def compare(applied: Mapping[str, str], files: Mapping[str, str]) -> Differences:
    """Hold what a database has applied, with its checksums, against the files."""
    return Differences(
        missing=sorted(files.keys() - applied.keys()),
        edited=sorted(one for one in files.keys() & applied.keys() if files[one] != applied[one]),
        unknown=sorted(applied.keys() - files.keys()),
    )
