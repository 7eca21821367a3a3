"""Accounts as an operator sees them, and how one of them, or all, are found."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from todo_api.auth.schemas import clean_email
from todo_api.upkeep.as_operator import AsOperator, OperatorError
from todo_api.upkeep.asking import Ask
from todo_api.web.moments import rfc3339

PAGE = 500  # accounts that are in memory at a time, however many there are


@dataclass(frozen=True)
class Account:
    """An account, and how it is used. Moments are RFC 3339."""

    user_id: str
    email: str
    created_at: str
    tasks: int
    last_sign_in: str | None
    disabled_at: str | None


def name_of(text: str) -> dict[str, str | None]:
    """Whom an argument names: by an id, or by an address in any letter case. Raises OperatorError."""
    try:
        return {"user_id": str(uuid.UUID(text)), "email": None}
    except ValueError:
        pass
    try:
        return {"user_id": None, "email": clean_email(text)}
    except ValueError as error:
        raise OperatorError(f"a user is named by an id or an address; an address {error}") from None


def find(ask: Ask, name: dict[str, str | None], place: str) -> Account:
    """The account of that name. Raises OperatorError."""
    found = ask("find_user", **name)
    if not found:
        kind = "id" if name["user_id"] else "address"
        raise OperatorError(f"there is no account with this {kind} in the database {place}")
    return _with_use(ask, found)[0]


def every_account(operator: AsOperator) -> Iterator[Account]:
    """All accounts, by address; the first page is looked up at once, and raises what there is to raise.

    A page is a transaction, so a reader who takes a break holds nothing up. Who is added or deleted
    meanwhile may be among them or not; nobody is there twice.
    """
    return _following(operator, _page(operator, ""))


def _following(operator: AsOperator, page: list[Account]) -> Iterator[Account]:
    yield from page
    while len(page) == PAGE:
        page = _page(operator, page[-1].email)
        yield from page


def _page(operator: AsOperator, after: str) -> list[Account]:
    def look(ask: Ask) -> list[Account]:
        return _with_use(ask, ask("list_users", after=after, page_size=PAGE))

    return operator.run(look)


def _with_use(ask: Ask, rows: list[tuple[Any, ...]]) -> list[Account]:
    users = "{" + ",".join(str(row[0]) for row in rows) + "}"
    tasks: dict[str, int] = dict(ask("count_tasks", users=users))
    signed_in: dict[str, str] = dict(ask("last_sign_ins", users=users))
    return [
        Account(
            user_id=str(user_id),
            email=str(email),
            created_at=rfc3339(str(created_at)),
            tasks=tasks.get(user_id, 0),
            last_sign_in=rfc3339(signed_in[user_id]) if user_id in signed_in else None,
            disabled_at=rfc3339(disabled_at) if disabled_at else None,
        )
        for user_id, email, created_at, disabled_at in rows
    ]
