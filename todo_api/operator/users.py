"""`todo-api users`: does what the words ask for, says what was done, and where."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from todo_api.operator import changes, shown
from todo_api.operator.accounts import Account, every_account, find, name_of
from todo_api.operator.changes import Code
from todo_api.upkeep.as_operator import AsOperator, as_operator
from todo_api.upkeep.asking import Ask

_OK, _FAILED = 0, 1
_RESET = ("POST /api/auth/reset", '{"code": "…", "new_password": "…"}')
_SIGNUP = ("POST /api/auth/signup", '{"email": "…", "password": "…", "invite": "…"}')

_NO_USE = {  # of an invite
    "closed": "nobody can sign up, with an invite or without",
    "open": "anybody can sign up, and no invite is asked for",
}


def users(
    given: argparse.Namespace, url: str, folder: Path | None, bcrypt_rounds: int, signup: str
) -> int:
    """Run the command in `given`, with the owner's login; its exit status. Raises OperatorError.

    `folder` is that of an embedded database; `signup` says who may sign up, as far as it is known here.
    """
    try:
        with as_operator(url) as operator:
            where = f"embedded, in {folder}" if folder else operator.place
            status = _ACTIONS[given.action](_Asked(operator, given, where, bcrypt_rounds, signup))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED


class _Asked:
    """What was asked for, and how its result is told."""

    def __init__(
        self,
        operator: AsOperator,
        given: argparse.Namespace,
        where: str,
        bcrypt_rounds: int,
        signup: str,
    ) -> None:
        self.operator = operator
        self.who: str = getattr(given, "who", "")
        self.json: bool = given.json
        self.yes: bool = getattr(given, "yes", False)
        self.where = where
        self.bcrypt_rounds = bcrypt_rounds
        self.signup = signup

    def tell(self, line: str, account: Account | None, **members: object) -> None:
        """Say what was done, in a line or as JSON."""
        if self.json:
            user = {"user": asdict(account)} if account else {}
            shown.say_json(**user, **members, database=self.where)
        else:
            shown.say(line)
            shown.say(f"database: {self.where}")

    def tell_code(
        self, line: str, account: Account | None, code: Code, name: str, call: tuple[str, str]
    ) -> None:
        """Say what was done, and what the user has to do with the code."""
        if self.json:
            made = {name: code.code, "expires_at": code.expires_at, "call": call[0]}
            self.tell(line, account, **made)
        else:
            shown.say(line)
            shown.say_code(code, name, *call)
            shown.say(f"database: {self.where}")


def _list(asked: _Asked) -> int:
    accounts = every_account(asked.operator)
    if asked.json:
        shown.say_json_table(accounts, asked.where)
    else:
        shown.say_table(accounts)
        shown.say(f"database: {asked.where}")
    return _OK


def _show(asked: _Asked) -> int:
    name = name_of(asked.who)

    def look(ask: Ask) -> tuple[Account, int]:
        account = find(ask, name, asked.operator.place)
        [(sessions,)] = ask("count_sessions", user_id=account.user_id)
        return account, sessions

    account, sessions = asked.operator.run(look)
    if asked.json:
        asked.tell("", account, sessions=sessions)
    else:
        shown.say_account(account, {"sessions": sessions, "database": asked.where})
    return _OK


def _add(asked: _Asked) -> int:
    account, code = changes.add(asked.operator, asked.who, asked.bcrypt_rounds)
    line = (
        f"added {account.email}, user {account.user_id}. With this code the user sets a password."
    )
    asked.tell_code(line, account, code, "code", _RESET)
    return _OK


def _invite(asked: _Asked) -> int:
    code = changes.invite(asked.operator, asked.who)
    whom = "one address only: the one that you named" if asked.who else "one person"
    asked.tell_code(f"an invite, with which {whom} can sign up.", None, code, "invite", _SIGNUP)
    if asked.signup in _NO_USE:
        sys.stderr.write(f"warning: SIGNUP={asked.signup} here, so {_NO_USE[asked.signup]}\n")
    return _OK


def _reset_password(asked: _Asked) -> int:
    account, code = changes.reset_password(asked.operator, asked.who)
    line = (
        f"a code for {account.email}, user {account.user_id}, to set a new password with. Former codes are "
        "void. The reset ends all sessions and API tokens."
    )
    asked.tell_code(line, account, code, "code", _RESET)
    return _OK


def _disable(asked: _Asked) -> int:
    account, changed, sessions, tokens = changes.disable(asked.operator, asked.who)
    line = (
        f"disabled {account.email}, user {account.user_id}; ended sessions: {sessions}, API tokens: {tokens}"
        if changed
        else f"nothing to do: {account.email} was disabled at {account.disabled_at}"
    )
    asked.tell(line, account, changed=changed, sessions_ended=sessions, api_tokens_ended=tokens)
    return _OK


def _enable(asked: _Asked) -> int:
    account, changed = changes.enable(asked.operator, asked.who)
    line = (
        f"enabled {account.email}, user {account.user_id}"
        if changed
        else f"nothing to do: {account.email} was not disabled"
    )
    asked.tell(line, account, changed=changed)
    return _OK


def _delete(asked: _Asked) -> int:
    name = name_of(asked.who)
    account = asked.operator.run(lambda ask: find(ask, name, asked.operator.place))
    if not asked.yes and not _is_confirmed(account, asked.where):
        asked.tell("nothing was deleted", account, deleted=False)
        return _FAILED
    # By its id: the address may be another account's by now.
    changes.delete(asked.operator, account.user_id)
    line = f"deleted {account.email}, user {account.user_id}, tasks: {account.tasks}"
    asked.tell(line, account, deleted=True)
    return _OK


def _is_confirmed(account: Account, where: str) -> bool:
    question = (
        f"database: {where}\nDelete {account.email}, user {account.user_id}, with all its tasks "
        f"({account.tasks}), for good? Type yes: "
    )
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


_ACTIONS: dict[str, Callable[[_Asked], int]] = {
    "list": _list,
    "show": _show,
    "add": _add,
    "invite": _invite,
    "reset-password": _reset_password,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
}
