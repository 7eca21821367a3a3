"""Who else can reach the service's objects and its database, and what the login that serves could become.

Rights of others on the objects are refused: they may show password hashes, and the owner of the objects can
always revoke them. The rest leads to a warning with the commands to run: one login for everything is all that
some providers have, and the owner of the database decides who connects to it, maybe for other programs too.
"""

from typing import Any

from todo_api.database.calls import Call
from todo_api.upkeep.findings import Finding, error, warning
from todo_api.upkeep.made_objects import shipped_names

_SHOWN = 3  # there may be one for each object and role


def reach_calls() -> list[Call]:
    """The statements whose rows the functions below read."""
    names = shipped_names()
    return [
        Call("before_sign_in/rights_of_others", {"names": names}),
        Call("before_sign_in/check_login", {"names": names}),
        Call("before_sign_in/connect_rights", {"names": names, "login": None}),
        Call("before_sign_in/has_citus"),
    ]


def reached_by(rows: list[list[Any]]) -> list[Finding]:
    """An error for others with rights; warnings of what the operator should change."""
    return [*_rights(rows), *_login(rows), *_insiders(rows), *_connecting(rows)]


def _rights(rows: list[list[Any]]) -> list[Finding]:
    commands = [command for command, _ in rows[0]]
    if not commands:
        return []
    more = f" (and {len(commands) - _SHOWN} more)" if len(commands) > _SHOWN else ""
    return [
        error(
            "rights",
            "others have rights on the service's objects",
            "`todo-api migrate` revokes them; if its login may not, a superuser runs "
            f"{'; '.join(commands[:_SHOWN])}{more}",
        )
    ]


def _login(rows: list[list[Any]]) -> list[Finding]:
    [(login, database, powers)] = rows[1]
    if not powers:
        return []
    return [
        warning(
            "login",
            f"the login {login} serves, and could do more than that: {', '.join(powers)}",
            "let a login serve that can't: CREATE ROLE todo_serve LOGIN PASSWORD '…' IN ROLE todo_app; "
            f"GRANT CONNECT ON DATABASE {database} TO todo_serve; "
            f"then DATABASE_URL has todo_serve, and MIGRATE_URL has {login}",
        )
    ]


def _insiders(rows: list[list[Any]]) -> list[Finding]:
    [(*_, insiders)] = rows[2]
    if not insiders:
        return []
    return [
        warning(
            "insiders",
            f"{', '.join(insiders)} could become todo_auth, which sees all accounts and sessions",
            "revoke the role that gives them that (REVOKE todo_auth FROM …)",
        )
    ]


def _connecting(rows: list[list[Any]]) -> list[Finding]:
    [(commands, _, alone, _, strangers, *_)], [(citus,)] = rows[2:]
    # On Citus pg_hba.conf has to say it: the coordinator connects to the workers as todo_app.
    if citus or not commands or not (alone or strangers):
        return []
    who = f", also {', '.join(strangers)}, who may work as the service" if strangers else ""
    others = "" if alone else " (give the logins of other programs CONNECT first)"
    return [
        warning(
            "connecting",
            f"every login of the server may connect to this database{who}",
            f"its owner should run: {'; '.join(commands)}{others}",
        )
    ]
