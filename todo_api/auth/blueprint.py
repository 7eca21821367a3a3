"""The calls under /api/auth: sign-up, login, logout, reset."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, current_app

from todo_api.auth import events, tokens
from todo_api.auth.codes import code_hash
from todo_api.auth.invitations import closed, uses_invite
from todo_api.auth.new_passwords import refuse_weak
from todo_api.auth.passwords import Hasher, Saturated, hashes
from todo_api.auth.schemas import Credentials, NewAccount, Reset, Session, SessionAnswer
from todo_api.database.calls import Call, CodeSpent, SignedIn, UniqueViolated
from todo_api.web import answers, problems
from todo_api.web.bodies import read_body
from todo_api.web.current import database
from todo_api.web.problems import Problem

MAX_SESSIONS = 50  # of an account: a login beyond ends the oldest

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@hashes
def signup() -> Response:
    """Open an account and its first session."""
    body = read_body(NewAccount)
    invite = uses_invite(body)
    who = SignedIn(user_id=str(uuid.uuid4()), session_id=str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": body.email,
        "password_hash": _hasher().hash(body.password),
    }
    try:
        database().before_sign_in(
            *invite,
            Call("before_sign_in/create_user", account),
            _new_session(who),
            events.event("signup"),
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
    """Start a session. An unknown address and a wrong password get the same answer in the same time."""
    body = read_body(Credentials)
    [found] = database().before_sign_in(
        Call("before_sign_in/find_credentials", {"email": body.email})
    )
    user_id, stored = found[0] if found else (None, None)
    if not _hasher().check(body.password, stored):
        events.record("login_refused", "wrong password" if found else "unknown email", user_id)
        raise Problem("invalid-credentials")
    who = SignedIn(user_id=str(user_id), session_id=str(uuid.uuid4()))
    *_, started, _ = database().before_sign_in(
        Call("users/take_turn"),
        Call("sessions/make_room", {"kept": MAX_SESSIONS - 1}),
        _new_session(who),
        events.event("login"),
        user_id=who.user_id,
    )
    if not started:  # the account was deleted meanwhile
        raise Problem("invalid-credentials")
    return _session_answer(who, body.email)


@auth.post("/logout")
def logout() -> Response:
    """End the token's session, at once and for every process."""
    who = tokens.verify()
    database().as_user(
        who, Call("sessions/delete", {"session_id": who.session_id}), events.event("logout")
    )
    return answers.no_content()


@auth.post("/reset")
@hashes
def reset() -> Response:
    """Set a new password by an operator's code, and end all that was signed in by the former one."""
    body = read_body(Reset)
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
    password = {"password_hash": _hasher().hash(body.new_password)}
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


@auth.errorhandler(Saturated)
def saturated(error: Saturated) -> Response:
    """Answer 503 when the password could not be hashed in time."""
    return problems.answer(Problem("unavailable", "Too many sign-ins at this moment."))


def _no_such_code() -> Problem:
    events.record("reset_refused", "no good code")
    return Problem("invalid-credentials", "The code is wrong, was used or has expired.")


def _new_session(who: SignedIn) -> Call:
    return Call("sessions/create", {"session_id": who.session_id, "lifetime": tokens.LIFETIME_S})


def _hasher() -> Hasher:
    return current_app.extensions["hasher"]  # type: ignore[no-any-return]


def _session_answer(who: SignedIn, email: str, status: int = HTTPStatus.OK) -> Response:
    session = Session(
        user_id=who.user_id,
        email=email,
        access_token=tokens.issue(who),
        token_type="Bearer",  # noqa: S106 (RFC 6750's name of the kind, not a secret)
        expires_in=tokens.LIFETIME_S,
    )
    return answers.json_answer(SessionAnswer(data=session, meta=answers.meta()), status)
