"""The calls under /api/auth: sign-up, login, renewal, logout, reset."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response

from todo_api.attempts import events, guesses
from todo_api.auth import sign_ins, tokens
from todo_api.auth.codes import code_hash
from todo_api.auth.invitations import closed, uses_invite
from todo_api.auth.new_passwords import refuse_common, refuse_weak
from todo_api.auth.passwords import hasher, hashes
from todo_api.auth.schemas import Credentials, Reset, Session, SessionAnswer, SignUp
from todo_api.body.reading import read_body
from todo_api.database.calls import (
    Call,
    CodeSpent,
    PasswordChanged,
    SessionEnded,
    SignedIn,
    UniqueViolated,
)
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.problems import Problem

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@hashes
def signup() -> Response:
    """Open an account and its first session."""
    body = read_body(SignUp)
    refuse_weak(body.password, body.email)
    invite = uses_invite(body)
    who = SignedIn(user_id=str(uuid.uuid4()), session_id=str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": body.email,
        "password_hash": hasher().hash(body.password),
    }
    try:
        database().before_sign_in(
            *invite,
            Call("before_sign_in/create_user", account),
            Call("tasks/open_counter"),
            sign_ins.new_session(who),
            events.event("signup"),
            *guesses.remember_network(),
            user_id=who.user_id,
        )
    except UniqueViolated:
        events.record("signup_refused", "email taken")
        raise Problem("email-taken") from None
    except CodeSpent:  # by another sign-up, meanwhile
        raise closed("invite used meanwhile") from None
    return _session_answer(who, body.email, HTTPStatus.CREATED)


@auth.post("/login")
@hashes
def login() -> Response:
    """Start a session. An unknown address and a wrong password get the same answer in the same time.

    That an account is disabled is told to nobody but who has its password.
    """
    body = read_body(Credentials)
    with guesses.attempt(body.email) as guess:
        account = guess.account
        if not hasher().check(body.password, account and account.password_hash):
            events.record(
                "login_refused",
                "wrong password" if account else "unknown email",
                account and account.user_id,
                *guess.was_wrong(),
            )
            raise Problem("invalid-credentials")
        assert account  # noqa: S101 (no password is right without one)
        if account.is_disabled:
            events.record("login_refused", "account disabled", account.user_id, *guess.was_right())
            raise Problem("account-disabled")
        who = SignedIn(user_id=account.user_id, session_id=str(uuid.uuid4()))
        version = {"password_version": account.password_version}
        try:
            database().before_sign_in(
                Call("before_sign_in/take_turn_with_password", version),
                Call("sessions/make_room", {"kept": sign_ins.MAX_SIGN_INS - 1}),
                sign_ins.new_session(who),
                events.event("login"),
                *guesses.remember_network(),
                *guess.was_right(),
                user_id=who.user_id,
            )
        except (PasswordChanged, SessionEnded):  # changed, disabled or deleted meanwhile
            events.record("login_refused", "account changed meanwhile", account.user_id)
            raise Problem("invalid-credentials") from None
    return _session_answer(who, body.email)


@auth.post("/renew")
def renew() -> Response:
    """Go on with the token's sign-in under a new token."""
    renewed = sign_ins.renew(tokens.verify())
    return _session_answer(renewed.who, renewed.email, lifetime_s=renewed.lifetime_s)


@auth.post("/logout")
def logout() -> Response:
    """End the sign-in of the token, at once and for every process."""
    who = tokens.verify()
    sign_ins.end(who, who.session_id, "logout")
    return answers.no_content()


@auth.post("/reset")
@hashes
def reset() -> Response:
    """Set a new password by an operator's code, and end all that was signed in by the former one."""
    body = read_body(Reset)
    refuse_common(body.new_password, "new_password")  # before anything is said of the code
    code = {"code_hash": code_hash(body.code)}
    [found] = (
        database().before_sign_in(Call("before_sign_in/find_reset_code", code))
        if code["code_hash"]
        else [[]]
    )
    if not found:
        raise _no_such_code()
    user_id, email = found[0]
    refuse_weak(body.new_password, email, field="new_password")
    password = {"password_hash": hasher().hash(body.new_password)}
    try:
        database().before_sign_in(
            Call("users/take_turn"),
            Call("before_sign_in/use_reset_code", code),
            Call("users/reset_password", password),
            Call("sessions/end_all"),
            Call("api_tokens/end_all"),
            events.event("password_reset"),
            user_id=str(user_id),
        )
    except CodeSpent:  # used, voided or expired meanwhile
        raise _no_such_code() from None
    return answers.no_content()


def _no_such_code() -> Problem:
    events.record("reset_refused", "no good code")
    return Problem("invalid-credentials", "The code is wrong, was used or has expired.")


def _session_answer(
    who: SignedIn, email: str, status: int = HTTPStatus.OK, lifetime_s: int = tokens.LIFETIME_S
) -> Response:
    session = Session(
        user_id=who.user_id,
        email=email,
        access_token=tokens.issue(who, lifetime_s),
        token_type="Bearer",  # noqa: S106 (RFC 6750's name of the kind, not a secret)
        expires_in=lifetime_s,
    )
    return answers.json_answer(SessionAnswer(data=session, meta=answers.meta()), status)
