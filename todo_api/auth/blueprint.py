"""The calls under /api/auth: sign-up, login, renewal, logout."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, current_app

from todo_api.auth import events, sign_ins, tokens
from todo_api.auth.passwords import Hasher, Saturated, hashes
from todo_api.auth.schemas import Credentials, NewAccount, Session, SessionAnswer
from todo_api.database.calls import Call, SignedIn, UniqueViolated
from todo_api.web import answers, problems
from todo_api.web.bodies import read_body
from todo_api.web.current import database
from todo_api.web.problems import Problem

auth = Blueprint("auth", __name__, url_prefix="/api/auth")


@auth.post("/signup")
@hashes
def signup() -> Response:
    """Open an account and its first session."""
    body = read_body(NewAccount)
    who = SignedIn(user_id=str(uuid.uuid4()), session_id=str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": body.email,
        "password_hash": _hasher().hash(body.password),
    }
    try:
        database().before_sign_in(
            Call("before_sign_in/create_user", account),
            sign_ins.new_session(who),
            events.event("signup"),
            user_id=who.user_id,
        )
    except UniqueViolated:
        events.record("signup_refused", "email taken")
        raise Problem("email-taken") from None
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
        Call("sessions/make_room", {"kept": sign_ins.MAX_SIGN_INS - 1}),
        sign_ins.new_session(who),
        events.event("login"),
        user_id=who.user_id,
    )
    if not started:  # the account was deleted meanwhile
        raise Problem("invalid-credentials")
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


@auth.errorhandler(Saturated)
def saturated(error: Saturated) -> Response:
    """Answer 503 when the password could not be hashed in time."""
    return problems.answer(Problem("unavailable", "Too many sign-ins at this moment."))


def _hasher() -> Hasher:
    return current_app.extensions["hasher"]  # type: ignore[no-any-return]


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
