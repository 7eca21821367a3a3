"""The calls on a user's own account."""

from flask import Blueprint, Response, current_app

from todo_api.accounts.schemas import Account, AccountAnswer
from todo_api.auth.admission import admit, for_api_tokens, signed_in
from todo_api.database.calls import Call
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.moments import rfc3339

accounts = Blueprint("accounts", __name__, url_prefix="/api/<user_id>")
accounts.before_request(admit)


@accounts.get("")
@for_api_tokens
def get_account() -> Response:
    """The account, and how much it holds."""
    [[(email, created_at, tasks, text_bytes)]] = database().as_user(
        signed_in(), Call("users/get_account")
    )
    account = Account(
        user_id=signed_in().user_id,
        email=email,
        created_at=rfc3339(created_at),
        tasks=tasks,
        max_tasks=current_app.config["MAX_TASKS_PER_USER"],
        text_bytes=text_bytes,
        max_text_bytes=current_app.config["MAX_TEXT_PER_USER"],
    )
    return answers.json_answer(AccountAnswer(data=account, meta=answers.meta()))
