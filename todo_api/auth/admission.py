"""Who may pass to a user's own paths: first 401, then 403, and only then is the body looked at."""

from flask import current_app

from todo_api.auth import events, tokens
from todo_api.database.calls import SignedIn
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.request import current_request


def admit() -> None:
    """Accept only the token's own user. Runs before each view of a blueprint under /api/<user_id>."""
    # Remove the user of the path here: the views act for the token's user.
    request = current_request()
    path_user: str = request.view_args.pop("user_id")  # type: ignore[union-attr]
    if request.method == "OPTIONS":
        return
    who = tokens.verify()
    if path_user.lower() != who.user_id:
        database().as_user(who, events.event("foreign_user"))
        raise Problem("forbidden")


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


def signed_in() -> SignedIn:
    """The user and session that `admit` has accepted."""
    who = current_request().signed_in
    assert who  # noqa: S101 (admit has set it)
    return who
