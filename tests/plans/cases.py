"""The statements of sql/ with typical parameters, and the indexes that their headers promise."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import todo_api
from support.rules.user_rule import opens_or_ends
from todo_api.database.statements import Statement, load_statements

from .fill import Filled, FilledUser

FOLDER = Path(todo_api.__file__).parent.parent / "sql"
PAGE_SIZE = 20
_TYPICAL = {
    "title": "Buy oat milk",
    "is_completed": True,
    "max_tasks": 20_000,
    "max_text": 10_485_760,
    "max_deletions": 100_000,
    "new_id": "00000000-0000-4000-8000-000000000001",
    "if_revision": None,
    "sets_notes": True,
    "notes": "The one in the blue carton",
    "sets_due_date": False,
    "due_date": None,
    "sets_due_at": False,
    "due_at": None,
    "priority": 1,
    "tags": "shopping",
    "other_keys": 20_000,
    "kept": 3,
    "most": 10,
    "days": 89,
    "page_size": PAGE_SIZE,
    "lifetime": 86_400,
    "event": "login",
    "reason": None,
    "address": "10.0.0.1",
    "user_agent": "curl/8",
    "request_id": "the-request",
    "bounded": False,
    "email": "user1@example.com",
    "password_hash": "$2b$12$" + "a" * 53,
    "request_hash": "0" * 64,
    "key": "LIMITS:LIMITER/10.0.0.1/32/auth.login/5/1/minute",
    "keys": "{LIMITS:LIMITER/10.0.0.1/32/auth.login/5/1/minute}",
    "cost": 1,
    "allowed": "{5}",
    "window": 60,
    "until_commit": True,
    "id": "0004.tasks",
    "checksum": "0" * 64,
    "names": "{users,tasks}",
    "login": None,
}
_NEW_ID = "00000000-0000-4000-8000-000000000001"
_INSTEAD: dict[str, dict[str, Any]] = {
    "before_sign_in/create_user": {"user_id": _NEW_ID, "email": "new@example.com"},
    "before_sign_in/record_migration": {"id": "9999.new"},
    "sessions/create": {"session_id": _NEW_ID},
}


@dataclass(frozen=True)
class Case:
    """A statement with its parameters, and the user in whose name it runs."""

    statement: Statement
    user: FilledUser
    parameters: dict[str, Any]
    label: str = ""

    @property
    def title(self) -> str:
        return f"{self.statement.name} ({self.label})" if self.label else self.statement.name

    @property
    def is_of_user(self) -> bool:
        return not self.statement.name.startswith("before_sign_in/")


def cases(filled: Filled, statements: dict[str, Statement] | None = None) -> list[Case]:
    """Every statement of sql/ with what it is typically asked, and the costly ways to ask some.

    LookupError names a statement with a parameter that has no value here yet.
    """
    found = []
    for name, statement in (statements or load_statements()).items():
        if opens_or_ends(statement.text):
            continue
        instead = _INSTEAD.get(name, {})
        found.append(_case(statement, filled.typical, instead))
        if name in ("tasks/list", "tasks/number", "tasks/page"):
            found.append(
                _case(
                    statement,
                    filled.heavy,
                    instead,
                    f"{filled.heavy.rows['tasks']:_} tasks".replace("_", " "),
                )
            )
        elif "bounded" in statement.parameters:
            found.append(_case(statement, filled.typical, {"bounded": True}, "bounded"))
        elif name == "before_sign_in/hit_rate_limit":
            found.append(_case(statement, filled.typical, {"keys": "{new}"}, "first attempt"))
            of_three = {"keys": "{new,newer,newest}", "allowed": "{5,20,80}"}
            found.append(_case(statement, filled.typical, of_three, "of three networks"))
    return found


def _case(statement: Statement, user: FilledUser, instead: dict[str, Any], label: str = "") -> Case:
    of_user = {"user_id": user.user_id, "task_id": user.task_id, "session_id": user.session_id}
    of_user |= dict(zip(("last_created_at", "last_id"), user.middle, strict=True))
    values = _TYPICAL | of_user | instead
    wanted = [name for name in statement.parameters if name != "%s"]
    if unknown := sorted(set(wanted) - set(values)):
        raise LookupError(
            f"sql/{statement.name}.sql has a parameter without a typical value in "
            f"tests/plans/measure.py: {', '.join(unknown)}"
        )
    return Case(statement, user, {name: values[name] for name in wanted}, label)


def indexes_of_header(name: str) -> list[str]:
    """The indexes that a statement's header names."""
    header = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    [section] = re.findall(r"^-- Index:(.*?)^-- \w+:", header, re.MULTILINE | re.DOTALL)
    names = re.findall(r"(?<!inside )\b[a-z]+(?:_[a-z]+)+\b", section)
    return [] if section.strip().startswith("none") else names
