"""The statements of sql/: found, checked and compiled once, at start."""

import re
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from todo_api.database.shipped import shipped

USER = "%s"
_PLACEHOLDER = re.compile(r"%s|%\((\w+)\)s")
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One file of sql/, with PostgreSQL's own placeholders; `parameters` names $1, $2, … in order."""

    name: str
    text: str
    parameters: tuple[str, ...]
    reads_only: bool
    # For libpq: the name of the prepared statement, which pg_prepared_statements shows, and the text.
    id: bytes
    query: bytes

    def bind(self, user_id: str | None, values: dict[str, Any]) -> list[Any]:
        """`values` in the order of the placeholders; KeyError for a missing, TypeError for an unknown one."""
        bound = [user_id if name == USER else values[name] for name in self.parameters]
        if len(values) + (USER in self.parameters) > len(bound):
            unknown = ", ".join(sorted(values.keys() - (set(self.parameters) - {USER})))
            raise TypeError(f"sql/{self.name}.sql has no parameter {unknown}")
        return bound


def compile_statement(name: str, source: str) -> Statement:
    """Turn `%s` and `%(name)s` into $1, $2, …; ValueError for a file that breaks a rule of sql/."""
    header, body = [], source
    while match := _COMMENT.match(body):
        header.append(match[0])
        body = body[match.end() :]
    body = body.strip()
    if not header or not body:
        raise ValueError(f"sql/{name}.sql: a header of comment lines, then one statement")
    if ";" in body:
        raise ValueError(f"sql/{name}.sql: one statement, without a semicolon")
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        parameter = match[1] or USER
        return f"${numbers.setdefault(parameter, len(numbers) + 1)}"

    text = _PLACEHOLDER.sub(number, body)
    if (USER in numbers) == name.startswith("before_sign_in/"):
        raise ValueError(
            f"sql/{name}.sql: %s is the signed-in user, in all files but before_sign_in/"
        )
    if USER in numbers and "user_id" in numbers:
        raise ValueError(f"sql/{name}.sql: only before_sign_in/ takes a user_id as a value")
    # The comment names the file in the server's log and in pg_stat_statements.
    text = f"/* {name} */ {text}"
    return Statement(
        name=name,
        text=text,
        parameters=tuple(numbers),
        reads_only=body.startswith("SELECT")
        or (body.startswith("WITH") and not _WRITES.search(body)),
        id=name.encode(),
        query=text.encode(),
    )


def load_statements(root: Traversable | None = None) -> dict[str, Statement]:
    """Compile every file in the folders of sql/ (or `root`), by its path without `.sql`.

    Files outside these folders are scripts for a DBA, not statements of the service.
    """
    return {
        name: compile_statement(name, source.read_text(encoding="utf-8"))
        for folder in (root or shipped("sql")).iterdir()
        if folder.is_dir()
        for name, source in _walk(folder, f"{folder.name}/")
    }


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".sql"):
            found.append((prefix + entry.name.removesuffix(".sql"), entry))
    return found
