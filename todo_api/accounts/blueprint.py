"""The calls on a user's own account."""

from flask import Blueprint, Response

from todo_api.accounts import events, export, sessions
from todo_api.accounts.rows import as_account
from todo_api.accounts.schemas import AccountAnswer
from todo_api.auth.admission import admit, signed_in
from todo_api.database.calls import Call, SessionEnded
from todo_api.web import answers
from todo_api.web.current import database

accounts = Blueprint("accounts", __name__, url_prefix="/api/<user_id>")
accounts.before_request(admit)


@accounts.get("")
def get_account() -> Response:
    """The account, and how much it holds."""
    [found] = database().as_user(signed_in(), Call("users/get_account", row=as_account))
    if not found:  # deleted after its session was looked at
        raise SessionEnded
    [account] = found
    return answers.json_answer(AccountAnswer(data=account, meta=answers.meta()))


accounts.get("/sessions")(sessions.list_sessions)
accounts.delete("/sessions")(sessions.end_other_sessions)
accounts.delete("/sessions/<session_id>")(sessions.end_session)
accounts.get("/events")(events.list_events)
accounts.get("/export")(export.export_account)
