"""Looks, before serving, who the service works as: nobody whom row security doesn't hold."""

from contextlib import closing

from todo_api.data import Call, Database, StatementFailed, Unavailable
from todo_api.migrate import shipped_ids

ROLE = "todo_app"
_MISSING = ("42883", "42P01")  # undefined_function, undefined_table


class RoleError(Exception):
    """Row security would not hold; the message is for the operator."""


def check_role(url: str) -> None:
    """Raise RoleError when the service's role could get past row security, or can't be looked at."""
    try:
        with closing(Database(url, connections=1)) as database:
            [[(role, bypasses, owns, unguarded)], applied] = database.before_sign_in(
                Call("before_sign_in/check_role"), Call("before_sign_in/applied_migrations")
            )
    except Unavailable as error:
        if getattr(error.__cause__, "sqlstate", None) in _MISSING:
            raise RoleError("the schema is not there: run `todo-api migrate` first") from error
        reason = str(error.__cause__ or error).splitlines()[0]
        raise RoleError(f"the database can't be used: {reason}") from error
    except StatementFailed as error:
        raise RoleError(f"the service can't work as {ROLE} in this database: {error}") from error
    if missing := shipped_ids() - {migration_id for migration_id, _ in applied}:
        raise RoleError(
            f"the schema lacks {', '.join(sorted(missing))}: run `todo-api migrate` first"
        )
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
