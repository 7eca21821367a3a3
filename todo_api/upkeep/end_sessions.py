"""The operator's command that ends sessions: from then on, every process refuses the sessions' tokens."""

import uuid

from todo_api.auth.schemas import clean_email
from todo_api.upkeep.as_operator import OperatorError, as_operator
from todo_api.upkeep.asking import Ask

_AGAIN = 10  # so that users who log in all the time can't keep the command from its end


class EndError(Exception):
    """No session was ended; the message is for the operator."""


def end_sessions(url: str, email: str | None = None) -> tuple[int, int]:
    """End all living sign-ins, or those of one account; returns how many, and of how many users.

    Raises EndError. `url` needs the login that migrates: no other login may see all sessions. Everything is
    one transaction without the timeouts of a request: a million sessions take longer.
    """
    try:
        with as_operator(url) as operator:
            return operator.run(lambda ask: _end(ask, email, operator.place))
    except OperatorError as error:
        raise EndError(str(error)) from error


def _end(ask: Ask, email: str | None, place: str) -> tuple[int, int]:
    user_id = None
    if email is not None:
        found = ask("find_user", user_id=None, email=_as_stored(email))
        if not found:
            raise EndError(f"there is no account with this address in the database {place}")
        user_id = found[0][0]
    ended = {"user_id": user_id, "request_id": str(uuid.uuid4())}
    [(sign_ins, users)] = ask("end_sessions", **ended)
    # What was renewed while its session was waited for was not seen.
    for _ in range(_AGAIN):
        if ask("end_sessions", **ended) == [(0, 0)]:
            break
    return sign_ins, users


def _as_stored(email: str) -> str:
    try:
        return clean_email(email)
    except ValueError as error:
        raise EndError(f"the address {error}") from None
