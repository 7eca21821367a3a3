"""auth_events: sign-ups, logins, logouts and refusals, for the DBA and the operator."""

import logging

from todo_api.database.calls import Call, SessionEnded, Unavailable
from todo_api.web.current import database
from todo_api.web.request import current_request

logger = logging.getLogger("todo_api.events")

USER_AGENT_MAX = 256
# Anyone can cause these events without limit: one address gets at most 60 rows a minute.
BOUNDED = frozenset({"token_refused", "foreign_user", "rate_limited"})
REFUSALS = BOUNDED | {"signup_refused", "login_refused", "password_refused", "reset_refused"}


def event(name: str, reason: str | None = None) -> Call:
    """The call that records an event of the acting user, for the transaction of its cause."""
    return Call("auth_events/record", parameters(name, reason) | _bound(name))


def event_of_session(
    name: str, session_id: str, *, others: bool = False, bounded: bool = False
) -> Call:
    """The call that records what happens to a living session, or to the `others`; nothing if there is none.

    For a transaction in the user's turn: before the call that ends them, or after the one that starts it.
    What a user can do without limit is `bounded`: 60 rows a minute of the user's own. Refusals, which others
    can cause, take no room from them.
    """
    of_session = {"session_id": session_id, "others": others, "bounded": bounded}
    return Call("auth_events/record_for_session", parameters(name, None) | of_session)


def sender() -> dict[str, object]:
    """Where the request comes from, as events and sessions keep it."""
    request = current_request()
    # PostgreSQL can't store NUL; all other characters of a header are Latin-1
    agent = request.headers.get("User-Agent", "").replace("\0", "")[:USER_AGENT_MAX]
    return {"address": request.remote_addr, "user_agent": agent or None}


def record(name: str, reason: str | None, user_id: str | None = None, *more: Call) -> None:
    """Record a refusal in a transaction of its own, with `user_id` if it is known, and do `more` in it.

    If the database is down, the event is only logged, and the client still gets its refusal.
    """
    try:
        try:
            database().before_sign_in(_of(user_id, name, reason), *more, user_id=user_id)
        except SessionEnded:  # the user was deleted at this moment
            database().before_sign_in(_of(None, name, reason), *more)
    except Unavailable:
        logger.warning("auth event not recorded: %s", name)


def of_nobody(name: str) -> Call:
    """The call that records an event without its user, for the transaction of its cause."""
    return _of(None, name, None)


def parameters(name: str, reason: str | None) -> dict[str, object]:
    """Of an event, for a statement that records it itself."""
    request = current_request()
    if name in REFUSALS:
        request.refusal = name
    else:
        request.success = name
    return {"event": name, "reason": reason, "request_id": request.id} | sender()


def _of(user_id: str | None, name: str, reason: str | None) -> Call:
    values = parameters(name, reason) | _bound(name) | {"user_id": user_id}
    return Call("before_sign_in/record_event", values)


def _bound(name: str) -> dict[str, object]:
    return {"bounded": name in BOUNDED}
