"""Who may sign up, by the setting SIGNUP. Nothing here tells whether an address has an account."""

from flask import current_app

from todo_api.attempts import events
from todo_api.auth.codes import code_hash
from todo_api.auth.schemas import SignUp
from todo_api.database.calls import Call
from todo_api.web.current import database
from todo_api.web.problems import Problem


def uses_invite(account: SignUp) -> tuple[Call, ...]:
    """What the transaction that adds the account has to use up, if it is let in. Raises Problem.

    An invite is looked at here, before the password is hashed: without a good one nobody makes the service
    hash, and a taken address is answered like a free one.
    """
    if current_app.config["SIGNUP"] == "open":
        return ()
    if current_app.config["SIGNUP"] == "closed":
        raise closed("closed")
    hashed = code_hash(account.invite) if isinstance(account.invite, str) else None
    if hashed is None:
        raise closed("no invite")
    invite = {"code_hash": hashed, "email": account.email}
    [[(is_good,)]] = database().before_sign_in(Call("before_sign_in/find_invite", invite))
    if not is_good:
        raise closed("no good invite")
    return (Call("before_sign_in/use_invite", invite),)


def closed(reason: str) -> Problem:
    """The refusal, which is recorded with its reason."""
    events.record("signup_refused", reason)
    return Problem("signup-closed")
