"""The migration files, and how a database that has applied some of them differs from them."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file
from pathlib import Path

from yoyo import read_migrations
from yoyo.migrations import MigrationList

from todo_api.database.shipped import shipped
from todo_api.upkeep.findings import Finding, error

_PAGE = "schema"  # schema.sql shows the result of all migrations; it is not a migration
# In the header of a file that was edited after it had been applied somewhere: the checksum that it had.
_FORMERLY = re.compile(r"^-- formerly: ([0-9a-f]{64})$", re.MULTILINE)


class MigrationError(Exception):
    """The schema could not be brought up to date; the message is for the operator."""


@dataclass(frozen=True)
class Differences:
    """Ids in order: what the database lacks, what was edited later, and what only the database has."""

    missing: list[str]
    edited: list[str]
    unknown: list[str]

    @property
    def complaint(self) -> Finding:
        """What is wrong with edited files."""
        return error(
            "migrations",
            f"already applied, but edited since: {', '.join(self.edited)}",
            "restore the file and put the change into a new migration",
        )


@contextmanager
def migration_files(folder: Path | None = None) -> Iterator[MigrationList]:
    """The shipped migrations, or those of `folder`. Raises MigrationError if a rollback file is missing."""
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


def checksums_of(migrations: MigrationList) -> dict[str, frozenset[str]]:
    """The checksums that count as each file, by its id: its own, and those that its header says it had."""
    return {migration.id: _accepted(Path(migration.path)) for migration in migrations}


def _accepted(path: Path) -> frozenset[str]:
    header = path.read_text(encoding="utf-8").partition("\n\n")[0]
    return frozenset({checksum_of(path), *_FORMERLY.findall(header)})


@cache
def shipped_checksums() -> Mapping[str, frozenset[str]]:
    """The checksums that count as each migration that ships with the service, by its id."""
    with migration_files() as migrations:
        return checksums_of(migrations)


def compare(applied: Mapping[str, str], files: Mapping[str, frozenset[str]]) -> Differences:
    """Compare the checksums of a database's migrations with those of the files."""
    return Differences(
        missing=sorted(files.keys() - applied.keys()),
        edited=sorted(
            one for one in files.keys() & applied.keys() if applied[one] not in files[one]
        ),
        unknown=sorted(applied.keys() - files.keys()),
    )
