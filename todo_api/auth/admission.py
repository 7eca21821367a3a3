"""Who may pass to a user's own paths: first 401, then 403, and only then is the body looked at."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app

from todo_api.attempts import events
from todo_api.auth import tokens
from todo_api.database.calls import ApiClient, Caller, SignedIn
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.request import Request, current_request

View = TypeVar("View", bound=Callable[..., Any])
_READING = ("GET", "HEAD")


def for_api_tokens(view: View) -> View:
    """Mark a view that takes API tokens too; all others take a session's token only."""
    view.takes_api_tokens = True  # type: ignore[attr-defined]
    return view


def admit() -> None:
    """Accept only the token's own user. Runs before each view of a blueprint under /api/<user_id>.

    401 comes first, then 403 for another user's path, then 403 for what the API token may not do.
    """
    # Remove the user of the path here: the views act for the token's user.
    request = current_request()
    path_user: str = request.view_args.pop("user_id")  # type: ignore[union-attr]
    if request.method == "OPTIONS":
        return
    who = tokens.verify_any()
    if path_user.lower() != who.user_id:
        _record_foreign_path(who)
        raise Problem("forbidden")
    if isinstance(who, ApiClient) and not _is_in_scope(who, request):
        database().as_user(who)
        raise Problem("insufficient-scope")


def _is_in_scope(who: ApiClient, request: Request) -> bool:
    view = current_app.view_functions[request.endpoint]  # type: ignore[index]
    return hasattr(view, "takes_api_tokens") and (who.may_write or request.method in _READING)


def _record_foreign_path(who: Caller) -> None:
    if isinstance(who, ApiClient):
        database().as_user(who)  # this transaction may be read-only
        events.record("foreign_user", None, who.user_id)
    else:
        database().as_user(who, events.event("foreign_user"))


def admit_alive() -> None:
    """Where an attempt is counted, refuse a session that has ended first: 401 comes before 415 and 429.

    The other views leave that to their first statement, which costs no round trip of its own.
    """
    request = current_request()
    view = current_app.view_functions[request.endpoint or ""]
    if request.signed_in and hasattr(view, "hashes"):
        database().as_user(request.signed_in)


class _SessionFirst:
    """`with session_first:` A Problem in the block is answered only if the session is alive.

    So 401 comes before 400, 415 and 422, and only a refusal costs an extra round trip.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Problem):
            database().as_user(signed_in())


session_first = _SessionFirst()


def signed_in() -> Caller:
    """Whom `admit` has accepted: a user by a session or, where the view takes that, by an API token."""
    who = current_request().signed_in
    assert who  # noqa: S101 (admit has set it)
    return who


def own_session() -> SignedIn:
    """The user and session that `admit` has accepted, in a view that takes no API token."""
    who = signed_in()
    assert isinstance(who, SignedIn)  # noqa: S101 (admit has refused the others)
    return who
