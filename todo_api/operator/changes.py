"""What an operator does to accounts: each a transaction, which leaves an event in it."""

import secrets
import uuid
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from todo_api.auth.codes import code_hash, new_code
from todo_api.auth.passwords import Hasher
from todo_api.auth.schemas import clean_new_email
from todo_api.operator.accounts import Account, find, name_of
from todo_api.upkeep.as_operator import AsOperator, OperatorError
from todo_api.upkeep.asking import Ask
from todo_api.web.moments import rfc3339

_HOUR_S = 60 * 60
_WEEK_S = 7 * 24 * _HOUR_S

Result = TypeVar("Result")


class Code(NamedTuple):
    """A code to hand over; only its hash is kept."""

    code: str
    expires_at: str


def add(operator: AsOperator, email: str, bcrypt_rounds: int) -> tuple[Account, Code]:
    """An account without a password that anybody knows, and the code that sets one."""
    cleaned = _new_address(email)
    user_id = str(uuid.uuid4())
    # A real hash: a login to this account takes as long as any other, and fails.
    hasher = Hasher(bcrypt_rounds, slots=1)
    try:
        unknown = hasher.hash(secrets.token_urlsafe(32))
    finally:
        hasher.close()

    def work(ask: Ask) -> tuple[Account, Code]:
        if not ask("add_user", user_id=user_id, email=cleaned, password_hash=unknown):
            raise _taken(operator)
        code = _reset_code(ask, user_id, _WEEK_S)
        _record(ask, "account_added", user_id)
        return find(ask, {"user_id": user_id, "email": None}, operator.place), code

    return operator.run(work)


def invite(operator: AsOperator, email: str | None) -> Code:
    """A code to sign up with: for one address if one is named, else for any."""
    cleaned = None if email is None else _new_address(email)

    def work(ask: Ask) -> Code:
        if cleaned is not None and ask("find_user", user_id=None, email=cleaned):
            raise _taken(operator)
        code = new_code()
        made = ask("make_invite", code_hash=code_hash(code), email=cleaned, lifetime=_WEEK_S)
        _record(ask, "account_invited", None)
        return Code(code, rfc3339(made[0][0]))

    return operator.run(work)


def reset_password(operator: AsOperator, who: str) -> tuple[Account, Code]:
    """A code with which the user sets a new password. Until then the former one is good."""

    def work(ask: Ask, account: Account) -> tuple[Account, Code]:
        if account.disabled_at:
            raise OperatorError(
                "the account is disabled, and a code would not be accepted: `todo-api users enable` first"
            )
        code = _reset_code(ask, account.user_id, _HOUR_S)
        _record(ask, "reset_code_made", account.user_id)
        return account, code

    return _in_turn(operator, who, work)


def disable(operator: AsOperator, who: str) -> tuple[Account, bool, int, int]:
    """End all that is signed in, void the codes, and let nobody in.

    Whether the account was not disabled, and how many sessions and API tokens have ended.
    """

    def work(ask: Ask, account: Account) -> tuple[Account, bool, int, int]:
        changed = bool(ask("disable_user", user_id=account.user_id))
        event = {"user_id": account.user_id, "request_id": str(uuid.uuid4())}
        [(sessions, _)] = ask("end_sessions", **event)
        tokens = len(ask("end_api_tokens", user_id=account.user_id))
        ask("void_reset_code", user_id=account.user_id)
        if changed:
            _record(ask, "account_disabled", account.user_id)
        return account, changed, sessions, tokens

    return _in_turn(operator, who, work)


def enable(operator: AsOperator, who: str) -> tuple[Account, bool]:
    """Let the user sign in again; whether the account was disabled. What was ended stays ended."""

    def work(ask: Ask, account: Account) -> tuple[Account, bool]:
        changed = bool(ask("enable_user", user_id=account.user_id))
        if changed:
            _record(ask, "account_enabled", account.user_id)
        return account, changed

    return _in_turn(operator, who, work)


def delete(operator: AsOperator, user_id: str) -> Account:
    """Remove the account and every row of it. What is left is the event that one was deleted."""

    def work(ask: Ask, account: Account) -> Account:
        ask("act_for_user", user_id=account.user_id)
        ask("delete_user", user_id=account.user_id)
        ask("forget_events", user_id=account.user_id)
        _record(ask, "account_deleted", None)
        return account

    return _in_turn(operator, user_id, work)


def _in_turn(operator: AsOperator, who: str, work: Callable[[Ask, Account], Result]) -> Result:
    """Do the work in the user's turn: no login, renewal or reset that is under way survives it."""
    name = name_of(who)

    def in_turn(ask: Ask) -> Result:
        user_id = find(ask, name, operator.place).user_id
        ask("take_turn_of_user", user_id=user_id)
        # Looked at again: it may have been deleted or changed before the turn came.
        return work(ask, find(ask, {"user_id": user_id, "email": None}, operator.place))

    return operator.run(in_turn)


def _reset_code(ask: Ask, user_id: str, lifetime_s: int) -> Code:
    code = new_code()
    made = ask("make_reset_code", user_id=user_id, code_hash=code_hash(code), lifetime=lifetime_s)
    return Code(code, rfc3339(made[0][0]))


def _record(ask: Ask, event: str, user_id: str | None) -> None:
    ask("record_by_operator", event=event, user_id=user_id, request_id=str(uuid.uuid4()))


def _new_address(email: str) -> str:
    try:
        return clean_new_email(email)
    except ValueError as error:
        raise OperatorError(f"the address {error}") from None


def _taken(operator: AsOperator) -> OperatorError:
    return OperatorError(f"there is an account with this address in the database {operator.place}")
