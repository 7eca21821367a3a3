"""The names of all that the migrations make in the schema, read from their files."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from yoyo.migrations import Migration

from todo_api.upkeep.migration_files import migration_files

# What yoyo makes for its own records.
_OF_YOYO = ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")
_MADE = re.compile(
    r"""(?ix) (?: \b CREATE \s+ (?:OR \s+ REPLACE \s+)? (?:UNLOGGED \s+|RECURSIVE \s+|FOREIGN \s+)*
            (?: (?:MATERIALIZED \s+)? VIEW | TABLE | SEQUENCE | FUNCTION | PROCEDURE | AGGREGATE
                | TYPE | DOMAIN )
            \s+ (?:IF \s+ NOT \s+ EXISTS \s+)?
        | \b RENAME \s+ TO \s+ )
    (?:"?public"?\.)? "?(\w+)"? """
)


def names_made(migrations: Iterable[Migration]) -> str:
    """The names that the files of `migrations` give to what they make, and yoyo's: the text of an array."""
    # The rollbacks too: one may make again what its migration has dropped.
    files = [
        file
        for migration in migrations
        for file in (Path(migration.path), Path(migration.path).with_suffix(".rollback.sql"))
    ]
    found = {name for file in files for name in _MADE.findall(file.read_text(encoding="utf-8"))}
    return "{" + ",".join(sorted({*found, *_OF_YOYO})) + "}"


@cache
def shipped_names() -> str:
    """The names of all that the shipped migrations make."""
    with migration_files() as migrations:
        return names_made(migrations)
