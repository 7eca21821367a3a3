"""Looks, before serving, who the service works as: nobody whom row security doesn't hold."""

from contextlib import closing

from todo_api.data import Call, Database, Unavailable

ROLE = "todo_app"


class RoleError(Exception):
    """Row security would not hold; the message is for the operator."""


def check_role(url: str) -> None:
    """Raise RoleError when the service's role could get past row security, or Unavailable."""
    try:
        with closing(Database(url, connections=1)) as database:
            [[(role, bypasses, owns, unguarded)]] = database.before_sign_in(
                Call("before_sign_in/check_role")
            )
    except Unavailable as error:
        raise RoleError(
            f"the database can't be used: {error.__cause__ or error}".splitlines()[0]
        ) from error
    problems = []
    if role != ROLE:
        problems.append(f"the service works as {role} instead of {ROLE}")
    if bypasses:
        problems.append(f"{role} may bypass row security, by way of {', '.join(bypasses)}")
    if owns:
        problems.append(f"{role} owns {', '.join(owns)}, or may act as the owner")
    if unguarded:
        problems.append(f"row security is not enabled and forced on {', '.join(unguarded)}")
    if problems:
        raise RoleError("; ".join(problems))
