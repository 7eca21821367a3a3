"""The current password, which a change of the account asks for although a session is there.

First the body is judged (422), then the password (403). Checking takes long, so it happens between two
transactions. The second begins with the call that `checked` returns: it raises PasswordChanged if the
password is another by then.
"""

from typing import NamedTuple

from flask import Response

from todo_api.attempts import events, guesses
from todo_api.auth.passwords import hasher
from todo_api.database.calls import Call, PasswordChanged, SessionEnded, SignedIn
from todo_api.web import problems
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.request import current_request


class Known(NamedTuple):
    """What the account has in the database."""

    email: str
    password_hash: str
    version: int
    is_known_network: bool  # whether the user has signed in from where the request comes from


def known(who: SignedIn) -> Known:
    """The signed-in user's address and password."""
    found, networks = database().as_user(
        who, Call("before_sign_in/own_password"), guesses.own_account()
    )
    if not (found and networks):
        raise SessionEnded
    [(email, password_hash, version)], [(_, is_known_network)] = found, networks
    return Known(email, password_hash, version, is_known_network)


def checked(account: Known, sent: str) -> Call:
    """The first call of what the password allows, if `sent` is the account's password. Raises Problem."""
    with guesses.at_own_account(account.email, account.is_known_network) as guess:
        if not hasher().check(sent, account.password_hash):
            raise _refused("wrong password", *guess.was_wrong())
    return Call("before_sign_in/take_turn_with_password", {"password_version": account.version})


def changed_meanwhile(error: PasswordChanged) -> Response:
    """Answer 403 when another request has changed the password since it was checked."""
    return problems.answer(_refused("password changed meanwhile"))


def _refused(reason: str, *more: Call) -> Problem:
    who = current_request().signed_in
    events.record("password_refused", reason, who and who.user_id, *more)
    return Problem("wrong-password")
