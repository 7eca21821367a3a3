"""The calls on a user's API tokens: made, listed and ended by a session."""

from http import HTTPStatus

from flask import Blueprint, Response

from todo_api.accounts.api_token_schemas import (
    ApiTokenCreate,
    ApiTokenListAnswer,
    ApiTokenListMeta,
    ShownApiToken,
    ShownApiTokenAnswer,
)
from todo_api.accounts.rows import as_token
from todo_api.attempts import events
from todo_api.auth import api_tokens
from todo_api.auth.admission import admit, own_session, session_first
from todo_api.body.reading import read_body
from todo_api.database.calls import Call, SessionEnded
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.moments import rfc3339
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import is_id, unset_as_none

MAX_TOKENS = 50  # of an account

tokens = Blueprint("tokens", __name__, url_prefix="/api/<user_id>/tokens")
tokens.before_request(admit)


@tokens.get("")
def list_tokens() -> Response:
    """The tokens that have not expired, newest first."""
    [found] = database().as_user(own_session(), Call("api_tokens/list", row=as_token))
    meta = ApiTokenListMeta(
        timestamp=answers.timestamp(), request_id=current_request().id, count=len(found)
    )
    return answers.json_answer(ApiTokenListAnswer(data=found, meta=meta))


@tokens.post("")
def create_token() -> Response:
    """Make a token. Its text is in this answer, and nowhere else from then on."""
    who = own_session()
    with session_first:
        body = read_body(ApiTokenCreate)
    token = api_tokens.make(who.user_id, may_write=body.scope == "write")
    token_id = api_tokens.id_of(token)
    values = unset_as_none(body) | {
        "session_id": who.session_id,
        "token_id": token_id,
        "other_tokens": MAX_TOKENS - 1,
    }
    *_, made = database().as_user(
        who,
        Call("users/take_turn"),
        Call("api_tokens/delete_expired"),
        Call("api_tokens/create", values | events.parameters("token_created", token_id)),
    )
    if not made:  # the session ended while this waited for its turn
        raise SessionEnded
    [(created_at, expires_at)] = made
    if created_at is None:
        raise Problem("token-limit-reached")
    data = ShownApiToken(
        id=token_id,
        name=body.name,
        scope=body.scope,
        created_at=rfc3339(created_at),
        expires_at=rfc3339(expires_at) if expires_at else None,
        last_used_on=None,
        token=token,
    )
    return answers.json_answer(
        ShownApiTokenAnswer(data=data, meta=answers.meta()), HTTPStatus.CREATED
    )


@tokens.delete("/<token_id>")
def delete_token(token_id: str) -> Response:
    """End a token, at once and for every process."""
    token_id = token_id.lower()
    no_such_token = Problem("not-found", "There is no such API token.")
    with session_first:
        if not is_id(token_id):
            raise no_such_token
    values = {"token_id": token_id} | events.parameters("token_ended", token_id)
    [ended] = database().as_user(own_session(), Call("api_tokens/delete", values))
    if not ended:
        raise no_such_token
    return answers.no_content()
