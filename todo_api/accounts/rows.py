"""Converts rows of statements on accounts to the classes that become JSON."""

from flask import current_app

from todo_api.accounts.api_token_schemas import ApiToken
from todo_api.accounts.schemas import Account
from todo_api.accounts.sign_in_schemas import Event, SignIn
from todo_api.web.moments import rfc3339
from todo_api.web.request import current_request


def as_account(email: str, created_at: str, tasks: int, text_bytes: int) -> Account:
    """The account of the request's user."""
    who = current_request().signed_in
    assert who  # noqa: S101 (the blueprint's admission has set it)
    return Account(
        user_id=who.user_id,
        email=email,
        created_at=rfc3339(created_at),
        tasks=tasks,
        max_tasks=current_app.config["MAX_TASKS_PER_USER"],
        text_bytes=text_bytes,
        max_text_bytes=current_app.config["MAX_TEXT_PER_USER"],
    )


def as_sign_in(
    session_id: str,
    created_at: str,
    expires_at: str,
    address: str | None,
    user_agent: str | None,
    is_current: bool,
) -> SignIn:
    """A sign-in."""
    return SignIn(
        session_id, rfc3339(created_at), rfc3339(expires_at), address, user_agent, is_current
    )


def as_event(
    number: int,
    occurred_at: str,
    event: str,
    reason: str | None,
    address: str,
    user_agent: str | None,
    request_id: str,
) -> Event:
    """An event; its number says only where it stands among others."""
    return Event(rfc3339(occurred_at), event, reason, address, user_agent, request_id)


def as_token(
    token_id: str,
    name: str,
    scope: str,
    created_at: str,
    expires_at: str | None,
    last_used_on: str | None,
) -> ApiToken:
    """An API token, without its text."""
    return ApiToken(
        id=token_id,
        name=name,
        scope="write" if scope == "write" else "read",
        created_at=rfc3339(created_at),
        expires_at=rfc3339(expires_at) if expires_at else None,
        last_used_on=last_used_on,
    )
