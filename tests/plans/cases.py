"""The statements of sql/ with typical parameters, and the indexes that their headers promise."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import todo_api
from support.rules.user_rule import opens_or_ends
from todo_api.database.statements import Statement, load_statements

from .fill import Filled, FilledUser, user_id

FOLDER = Path(todo_api.__file__).parent.parent / "sql"
PAGE_SIZE = 20
_CREATES = json.dumps(
    [
        {
            "place": place,
            "id": f"00000000-0000-4000-8000-{place:012}" if place % 2 else None,
            "title": "Buy oat milk",
            "notes": None,
            "due_date": None,
            "due_at": None,
            "priority": 1,
            "tags": "shopping",
        }
        for place in range(10)
    ]
)
_TYPICAL = {
    "title": "Buy oat milk",
    "is_completed": True,
    "max_tasks": 20_000,
    "max_text": 10_485_760,
    "max_deletions": 100_000,
    "new_id": "00000000-0000-4000-8000-000000000001",
    "creates": _CREATES,
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
    "max_answers": 10_485_760,
    "place": 0,
    "kept": 3,
    "most": 10,
    "by": 10,
    "since": 1,
    "days": 89,
    "page_size": PAGE_SIZE,
    "last_updated_at": "infinity",
    "last_due": "-infinity",
    "last_priority": 4,
    "last_title": "",
    "q": "the books",
    "tag": None,
    "capitals": "",
    "letters": "",
    "min_priority": None,
    "due_from": None,
    "due_to": None,
    "lifetime": 86_400,
    "longest": 2_592_000,
    "grace": 60,
    "others": False,
    "renewed_id": "00000000-0000-4000-8000-000000000002",
    "last_occurred_at": "infinity",
    "last_number": 0,
    "scope": "read",
    "name": "Nightly report",
    "expires_in_days": 90,
    "other_tokens": 49,
    "event": "login",
    "reason": None,
    "address": "10.0.0.1",
    "user_agent": "curl/8",
    "request_id": "the-request",
    "bounded": False,
    "email": "user1@example.com",
    "password_version": 1,
    "after": "user1@example.com",
    "code_hash": sha256(b"1").hexdigest(),  # of the typical user
    "password_hash": "$2b$12$" + "a" * 53,
    "request_hash": "0" * 64,
    "key": "LIMITS:LIMITER/10.0.0.1/32/auth.login/5/1/minute",
    "keys": "{LIMITS:LIMITER/10.0.0.1/32/auth.login/5/1/minute}",
    "cost": 1,
    "allowed": "{5}",
    "window": 60,
    "network": "10.0.0.1",
    "elsewhere": "LIMITS:LIMITER/10.0.0.2/32/auth.login/5/1/minute",
    "here": "LIMITS:LIMITER/10.0.0.1/32/auth.login/5/1/minute",
    "doubt": 30,
    "counted_at": "2026-01-01T00:00:00Z",
    "until_commit": True,
    "id": "0004.tasks",
    "checksum": "0" * 64,
    "names": "{users,tasks}",
    "login": None,
    "seconds": 4,
    "statement": "todo_api_check",
}
_NEW_ID = "00000000-0000-4000-8000-000000000001"
_INSTEAD: dict[str, dict[str, Any]] = {
    "batches/claim": {"key": "the-next"},
    "before_sign_in/create_user": {"user_id": _NEW_ID, "email": "new@example.com"},
    "before_sign_in/add_user": {"user_id": _NEW_ID, "email": "new@example.com"},
    "before_sign_in/find_invite": {"code_hash": sha256(b"invite 1").hexdigest()},
    "before_sign_in/make_invite": {"code_hash": "0" * 64},
    "before_sign_in/use_invite": {"code_hash": sha256(b"invite 1").hexdigest()},
    "before_sign_in/record_migration": {"id": "9999.new"},
    "sessions/create": {"session_id": _NEW_ID},
    "api_tokens/create": {"token_id": _NEW_ID},
    "sign_in_networks/see": {"network": "10.0.1.1"},
}
# These act for the transaction's own user, although they stand in before_sign_in.
_OF_THE_TRANSACTION = {
    "before_sign_in/delete_account",
    "before_sign_in/own_password",
    "before_sign_in/take_turn_with_password",
}


# What reads all tasks of a user, or a part of them
FILTERED_IN_ORDER = {"tasks/newest_matching", "tasks/oldest_first"}
FILTERED_AND_SORTED = {
    "tasks/by_title",
    "tasks/highest_priority_first",
    "tasks/last_changed_first",
    "tasks/soonest_due_first",
}
FILTERED = FILTERED_IN_ORDER | FILTERED_AND_SORTED
GOES_OVER_TASKS = {"tasks/changes", "tasks/list", "tasks/number", "tasks/page"} | FILTERED
_GOES_OVER_ALL = {"before_sign_in/delete_user", "before_sign_in/forget_events"}


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
        name = self.statement.name
        return name in _OF_THE_TRANSACTION or not name.startswith("before_sign_in/")


def cases(filled: Filled, statements: dict[str, Statement] | None = None) -> list[Case]:
    """Every statement of sql/ with what it is typically asked, and the costly ways to ask some.

    LookupError names a statement with a parameter that has no value here yet.
    """
    found = []
    for name, statement in (statements or load_statements()).items():
        if opens_or_ends(statement.text):
            continue
        instead = {"is_completed": None} if name in FILTERED else _INSTEAD.get(name, {})
        user = filled.leaving if name == "before_sign_in/delete_account" else filled.typical
        if name in _GOES_OVER_ALL:
            # of somebody with little: what a page had all of it visible has to be looked at afterwards
            instead = {"user_id": user_id(filled.users - 1)}
        found.append(_case(statement, user, instead))
        if name in GOES_OVER_TASKS:
            found.append(
                _case(
                    statement,
                    filled.heavy,
                    instead,
                    f"{filled.heavy.rows['tasks']:_} tasks".replace("_", " "),
                )
            )
        elif "bounded" in statement.parameters:
            found.append(_case(statement, filled.typical, instead | {"bounded": True}, "bounded"))
        elif name == "before_sign_in/count_guess":
            first = {"elsewhere": "new", "here": "newer"}
            found.append(_case(statement, filled.typical, first, "first guess"))
            unknown = {"email": "nobody@example.com"}
            found.append(_case(statement, filled.typical, unknown, "no account"))
        elif name == "before_sign_in/hit_rate_limit":
            found.append(_case(statement, filled.typical, {"keys": "{new}"}, "first attempt"))
            of_three = {"keys": "{new,newer,newest}", "allowed": "{5,20,80}"}
            found.append(_case(statement, filled.typical, of_three, "of three networks"))
    return found


def _case(statement: Statement, user: FilledUser, instead: dict[str, Any], label: str = "") -> Case:
    of_user = {"user_id": user.user_id, "task_id": user.task_id, "session_id": user.session_id}
    of_user["users"] = "{" + user.user_id + "}"
    of_user["token_id"] = user.token_id
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
