"""Codes as an operator gives them out, by what `todo-api users` does."""

from collections.abc import Callable
from typing import Any

from todo_api.operator import changes
from todo_api.upkeep.as_operator import as_operator

# What a user may make of a code that was given out right.
SPOILT: dict[str, Callable[[str], str]] = {
    "in capitals": str.upper,
    "cut": lambda code: code[:-1],
    "cut in the middle": lambda code: code[:14],
    "without hyphens": lambda code: code.replace("-", ""),
    "with spaces": lambda code: code.replace("-", " "),
    "with white space around it": lambda code: f" {code}\n",
    "mistyped": lambda code: code[:-1] + ("0" if code[-1] != "0" else "1"),
    "one group short": lambda code: code[5:],
    "one group more": lambda code: f"{code}-0000",
    "with o for 0": lambda code: "oooo" + code[4:],
    "with letters of another alphabet": lambda code: "\u0430" + code[1:],
    "the name with it": lambda code: f"code: {code}",
    "empty": lambda code: "",
}


def operate(url: str, work: Callable[..., Any], *arguments: Any) -> Any:
    """What one of the operator's changes returns."""
    with as_operator(url) as operator:
        return work(operator, *arguments)


def reset_code(url: str, who: str) -> str:
    """A code that sets a new password."""
    return str(operate(url, changes.reset_password, who)[1].code)


def invite(url: str, email: str | None = None) -> str:
    """An invite, for one address or for any."""
    return str(operate(url, changes.invite, email).code)
