"""The calls on a user's own account."""

from flask import Blueprint, Response

from todo_api.accounts import current_password
from todo_api.accounts.rows import as_account
from todo_api.accounts.schemas import (
    Account,
    AccountAnswer,
    Deletion,
    EmailChange,
    PasswordChange,
)
from todo_api.attempts import events
from todo_api.auth.admission import admit, admit_alive, for_api_tokens, own_session, signed_in
from todo_api.auth.new_passwords import refuse_weak
from todo_api.auth.passwords import hasher, hashes
from todo_api.body.reading import read_body
from todo_api.database.calls import Call, PasswordChanged, SessionEnded, UniqueViolated
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.problems import Problem

accounts = Blueprint("accounts", __name__, url_prefix="/api/<user_id>")
accounts.before_request(admit)
accounts.before_request(admit_alive)
accounts.register_error_handler(PasswordChanged, current_password.changed_meanwhile)


@accounts.get("")
@for_api_tokens
def get_account() -> Response:
    """The account, and how much it holds."""
    [found] = database().as_user(signed_in(), Call("users/get_account", row=as_account))
    return _account_answer(found)


@accounts.put("/password")
@hashes
def change_password() -> Response:
    """Set another password, and end every session but this one."""
    body = read_body(PasswordChange)
    account = current_password.known(own_session())
    refuse_weak(body.new_password, account.email, field="new_password")
    turn = current_password.checked(account, body.current_password)
    database().in_turn(
        own_session(),
        turn,
        Call("users/change_password", {"password_hash": hasher().hash(body.new_password)}),
        Call("sessions/end_others", {"session_id": own_session().session_id}),
        events.event("password_changed"),
    )
    return answers.no_content()


@accounts.put("/email")
@hashes
def change_email() -> Response:
    """Set another address; every session stays."""
    body = read_body(EmailChange)
    account = current_password.known(own_session())
    turn = current_password.checked(account, body.current_password)
    is_same = body.email == account.email
    try:
        _, _, found, *_ = database().in_turn(
            own_session(),
            turn,
            Call("users/change_email", {"email": body.email}),
            Call("users/get_account", row=as_account),
            *([] if is_same else [events.event("email_changed")]),
        )
    except UniqueViolated:
        raise Problem("email-taken") from None
    return _account_answer(found)


@accounts.post("/deletion")
@hashes
def delete_account() -> Response:
    """Delete the account and all that is its own, for good."""
    body = read_body(Deletion)
    turn = current_password.checked(current_password.known(own_session()), body.current_password)
    database().in_turn(
        own_session(),
        turn,
        Call("before_sign_in/delete_account"),
        events.of_nobody("account_deleted"),
    )
    return answers.no_content()


def _account_answer(found: list[Account]) -> Response:
    if not found:  # the account was deleted after its session was looked at
        raise SessionEnded
    [account] = found
    return answers.json_answer(AccountAnswer(data=account, meta=answers.meta()))
