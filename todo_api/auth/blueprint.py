"""The calls under /api/auth: sign-up, login, logout."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, current_app

from todo_api.auth import events, tokens
from todo_api.auth.passwords import Hasher, Saturated, hashes
from todo_api.auth.schemas import Credentials, NewAccount, Session, SessionAnswer
from todo_api.database.calls import Call, SignedIn, UniqueViolated
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
    who = SignedIn(user_id=str(uuid.uuid4()), session_id=str(uuid.uuid4()))
    account = {
        "user_id": who.user_id,
        "email": body.email,
        "password_hash": _hasher().hash(body.password),
    }
    try:
        database().before_sign_in(
            Call("before_sign_in/create_user", account),
            Call("tasks/open_counter"),
            _new_session(who),
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


@auth.errorhandler(Saturated)
def saturated(error: Saturated) -> Response:
    """Answer 503 when the password could not be hashed in time."""
    return problems.answer(Problem("unavailable", "Too many sign-ins at this moment."))


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
