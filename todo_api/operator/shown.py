"""What the commands print: lines for people, or one JSON document."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from todo_api.operator.accounts import Account
from todo_api.operator.changes import Code

_LINE = "{:<36}  {:<16}  {:<16}  {:>7}  {:<8}  {}"


def say(text: str) -> None:
    """Print a line."""
    print(text)  # noqa: T201


def say_json(**members: Any) -> None:
    """Print one JSON document."""
    say(json.dumps(members))


def say_table(accounts: Iterable[Account]) -> None:
    """A line for each account, as they come: the widths are fixed, the address of any length is last."""
    say(_LINE.format("user_id", "created", "last sign-in", "tasks", "disabled", "email").rstrip())
    count = 0
    for account in accounts:
        count += 1
        say(
            _LINE.format(
                account.user_id,
                _minute(account.created_at),
                _minute(account.last_sign_in),
                account.tasks,
                "yes" if account.disabled_at else "no",
                account.email,
            )
        )
    say(f"{count} {'account' if count == 1 else 'accounts'}")


def say_json_table(accounts: Iterable[Account], database: str) -> None:
    """One JSON document that is printed while the accounts come."""
    say('{"users": [')
    before = ""
    for account in accounts:
        if before:
            say(f"{before},")
        before = json.dumps(asdict(account))
    say(f'{before}], "database": {json.dumps(database)}}}')


def say_account(account: Account, more: Mapping[str, object]) -> None:
    """A line for each member of an account."""
    members: dict[str, Any] = {**asdict(account), **more}
    for name, value in members.items():
        say(f"{name.replace('_', ' ')}: {'-' if value is None else value}")


def say_code(code: Code, name: str, call: str, body: str) -> None:
    """What the user has to do with a code, until when, and the code as the last word of its line."""
    say(f"Hand it over on a way that nobody else reads. It is good once, until {code.expires_at}:")
    say(f"  {call} with the JSON body {body}")
    say(f"{name}: {code.code}")


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else "-"
