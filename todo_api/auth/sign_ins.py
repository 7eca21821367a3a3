"""Sign-ins: a login and its renewals. Each of their tokens is a session; they end together."""

import uuid
from typing import NamedTuple

from todo_api.attempts import events
from todo_api.auth import tokens
from todo_api.database.calls import Call, SessionEnded, SignedIn
from todo_api.web.current import database
from todo_api.web.request import current_request

MAX_SIGN_INS = 50  # of an account: a login beyond ends the oldest
LONGEST_S = 30 * 24 * 60 * 60  # from the login; then a new one is needed
GRACE_S = (
    60  # for which a renewed token still works: requests are under way, and an answer may be lost
)
MAX_SESSIONS = 64  # of a sign-in; more than 50 renewals at once can make good tokens of one


class Renewed(NamedTuple):
    """The new session of a sign-in, and for how many seconds it is good."""

    who: SignedIn
    email: str
    lifetime_s: int


def new_session(who: SignedIn) -> Call:
    """The call that starts the first session of a sign-in."""
    session = {"session_id": who.session_id, "lifetime": tokens.LIFETIME_S}
    return Call("sessions/create", session | events.sender())


def renew(who: SignedIn) -> Renewed:
    """Go on with a sign-in in a new session, and let the one of `who` end soon. Raises SessionEnded."""
    new = SignedIn(who.user_id, str(uuid.uuid4()))
    parameters = {
        "session_id": who.session_id,
        "renewed_id": new.session_id,
        "lifetime": tokens.LIFETIME_S,
        "longest": LONGEST_S,
    }
    _, started, _, _, account = database().in_turn(
        who,
        Call("sessions/end_soon", {"session_id": who.session_id, "grace": GRACE_S}),
        Call("sessions/renew", parameters | events.sender()),
        Call("sessions/trim", {"session_id": new.session_id, "kept": MAX_SESSIONS - 1}),
        events.event_of_session("renewal", new.session_id, bounded=True),
        Call("users/get_email"),
    )
    if not started:
        raise SessionEnded
    return Renewed(new, account[0][0], started[0][0])


def end(who: SignedIn, session_id: str, event: str) -> bool:
    """End the sign-in of a session of the user; returns whether there was one. Raises SessionEnded."""
    _, ended = database().in_turn(
        who,
        events.event_of_session(event, session_id),
        Call("sessions/end", {"session_id": session_id}),
    )
    return bool(ended)


def end_others(who: SignedIn) -> None:
    """End all sign-ins of the user but the one of `who`. Raises SessionEnded."""
    _, ended = database().in_turn(
        who,
        events.event_of_session("sessions_ended", who.session_id, others=True),
        Call("sessions/end_others", {"session_id": who.session_id}),
    )
    if not ended:
        current_request().success = None
