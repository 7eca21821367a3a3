"""auth_events: sign-ups, logins, logouts and refusals, for the DBA and the operator."""

import logging

from todo_api.database.calls import Call, Unavailable
from todo_api.web.current import database
from todo_api.web.request import current_request

logger = logging.getLogger("todo_api.events")

USER_AGENT_MAX = 256
# Anyone can cause these events without limit: one address gets at most 60 rows a minute.
BOUNDED = frozenset(
    {"token_refused", "foreign_user", "rate_limited", "token_created", "token_ended"}
)


def event(name: str, reason: str | None = None) -> Call:
    """The call that records an event of the acting user, for the transaction of its cause."""
    return Call("auth_events/record", _parameters(name, reason))


def record(name: str, reason: str | None, user_id: str | None = None) -> None:
    """Record a refusal before sign-in, with `user_id` if it is known.

    If the database is down, the event is only logged, and the client still gets its refusal.
    """
    parameters = _parameters(name, reason) | {"user_id": user_id}
    try:
        database().before_sign_in(Call("before_sign_in/record_event", parameters), user_id=user_id)
    except Unavailable:
        logger.warning("auth event not recorded: %s", name)


def _parameters(name: str, reason: str | None) -> dict[str, object]:
    request = current_request()
    request.auth_event = name
    # PostgreSQL can't store NUL; all other characters of a header are Latin-1
    agent = request.headers.get("User-Agent", "").replace("\0", "")[:USER_AGENT_MAX]
    return {
        "event": name,
        "reason": reason,
        "address": request.remote_addr,
        "user_agent": agent or None,
        "request_id": request.id,
        "bounded": name in BOUNDED,
    }
