"""Takes from others what they may do with the service's objects, and the right to connect to its database."""

import logging
from contextlib import suppress

from psycopg import errors

from todo_api.upkeep.yoyo_backend import Backend

logger = logging.getLogger("todo_api.migrate")


def is_open(backend: Backend, names: str, login: str | None, *, fresh: bool) -> bool:
    """Whether `close_to_others` would have something to do."""
    return bool(backend.rights_of_others(names) or _to_close(backend, names, login, fresh=fresh))


def close_to_others(backend: Backend, names: str, login: str | None, *, fresh: bool) -> None:
    """Revoke what default privileges, or somebody, gave to others on the objects `names`; close the database.

    `login` is the one that serves; None: the one that migrates. What this connection may not revoke stays
    as it is: the check before serving (role_check.py) says which commands somebody has to run.
    """
    found = backend.rights_of_others(names)
    for command, as_todo_auth in found:
        _run(backend, command, as_todo_auth=as_todo_auth)
    # Looked at again: to revoke what somebody else has granted is no error, and has no effect.
    left = backend.rights_of_others(names) if found else []
    for command, _ in left:
        logger.warning("this login may not run: %s", command)
    closing = _to_close(backend, names, login, fresh=fresh)
    for command in closing:
        _run(backend, command)
    for command in (*(one for one, _ in found if one not in dict(left)), *closing):
        logger.info("closed to others: %s", command)


def _to_close(backend: Backend, names: str, login: str | None, *, fresh: bool) -> list[str]:
    """The commands that close the database to others, if they can't lock out somebody who belongs there."""
    [(commands, may, alone, known, _, narrow, _)] = backend.ask(
        "connect_rights", names=names, login=login
    )
    # Not where other programs use the database too (Supabase's roles connect as PUBLIC), nor when a login of
    # this deployment may be among the strangers. In a database that was empty nobody can be locked out.
    safe = alone and known and (fresh or login is not None or not narrow)
    # On Citus the coordinator connects to the workers as todo_app; there pg_hba.conf says who may connect.
    return commands if may and safe and not backend.ask("has_citus")[0][0] else []


def _run(backend: Backend, command: str, *, as_todo_auth: bool = False) -> None:
    with suppress(errors.InsufficientPrivilege), backend.transaction():
        backend.run(command, as_todo_auth=as_todo_auth)
