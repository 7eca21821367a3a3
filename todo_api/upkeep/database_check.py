"""The check of the database itself: what the service counts on and can't set, and what to change there."""

import logging
from typing import Any, NamedTuple

import psycopg

from todo_api.upkeep.asking import Ask, asking
from todo_api.upkeep.findings import Finding, error, errors_of, warning, warnings_of

_OLDEST = 15

logger = logging.getLogger("todo_api.database")


class UnfitDatabaseError(Exception):
    """The service can't work in this database; the message is for the operator."""


class Facts(NamedTuple):
    """What check_database.sql returns."""

    encoding: str
    is_standby: bool
    is_template: bool
    has_schema: bool
    may_create: bool
    replica: bool
    is_durable: bool
    login: str


def check_database(url: str) -> None:
    """Raise UnfitDatabaseError for a database in which the service can't work; warn of what is unsafe in it.

    A database that can't be reached is left to the next check, which tells why.
    """
    try:
        with asking(url) as (connection, ask):
            facts = require_fit(connection, ask, until_commit=True)
            found = [*unsafe(facts), *openness(ask)]
    except psycopg.Error:
        return
    for line in warnings_of(found):
        logger.warning("%s", line)


def require_fit(connection: psycopg.Connection[Any], ask: Ask, *, until_commit: bool) -> Facts:
    """Pin the settings, until the commit or for the connection. Raises UnfitDatabaseError."""
    _refuse(age(connection.info.server_version))
    ask("pin_settings", until_commit=until_commit)
    facts = facts_of(ask)
    _refuse(unfitness(facts))
    return facts


def require_migratable(ask: Ask, facts: Facts) -> None:
    """Raise UnfitDatabaseError where nothing can, or should, be migrated."""
    if not facts.may_create:
        raise UnfitDatabaseError(
            f"{facts.login} may not create in the schema public: "
            f'GRANT CREATE ON SCHEMA public TO "{facts.login}"'
        )
    _refuse(plants(ask))


def facts_of(ask: Ask) -> Facts:
    """What the database is, after pin_settings."""
    [found] = ask("check_database")
    return Facts(*found)


def age(version: int) -> list[Finding]:
    """An error for a server that is too old, by its number in libpq; otherwise nothing."""
    if version >= _OLDEST * 10_000:
        return []
    told = f"the server is PostgreSQL {version // 10_000}"
    return [error("server", told, f"{_OLDEST} or newer is needed")]


def unfitness(facts: Facts) -> list[Finding]:
    """Errors: why the service can't work in this database."""
    found = []
    if facts.encoding != "UTF8":
        found.append(
            error(
                "encoding",
                f"the encoding of the database is {facts.encoding}, which can't hold every title",
                "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and copy what the old "
                "one holds",
            )
        )
    if facts.is_standby:
        found.append(
            error(
                "standby",
                "the server is a standby, which only reads",
                "name the primary, or all hosts with target_session_attrs=read-write",
            )
        )
    if facts.is_template:
        found.append(
            error(
                "template",
                "the database is a template, and every new database would be a copy of it",
                "make one of the service's own with CREATE DATABASE",
            )
        )
    if not facts.has_schema:
        found.append(
            error(
                "schema",
                "the database has no schema public",
                f'CREATE SCHEMA public AUTHORIZATION "{facts.login}"',
            )
        )
    if facts.replica:
        found.append(
            error(
                "foreign-keys",
                "session_replication_role is replica for this login, so foreign keys don't hold",
                "ALTER ROLE … (or DATABASE …) RESET session_replication_role",
            )
        )
    return found


def unsafe(facts: Facts) -> list[Finding]:
    """A warning for commits that don't wait for the disk."""
    if facts.is_durable:
        return []
    return [
        warning(
            "synchronous-commit",
            "synchronous_commit is off, so what was answered can be lost when the server crashes",
            "ALTER ROLE … (or DATABASE …, or SYSTEM) RESET synchronous_commit",
        )
    ]


def openness(ask: Ask) -> list[Finding]:
    """A warning of others who may create where the service's tables are."""
    creators = ", ".join(str(creator) for (creator,) in ask("who_may_create"))
    if not creators:
        return []
    told = "others may create in the schema public, where the service's tables are"
    return [warning("creators", told, f"REVOKE CREATE ON SCHEMA public FROM {creators}")]


def plants(ask: Ask) -> list[Finding]:
    """An error for what others have put where migrations could call it."""
    planted = ", ".join(str(thing) for (thing,) in ask("planted"))
    if not planted:
        return []
    return [
        error(
            "planted",
            f"the schema public has {planted}, which the migrations could take for PostgreSQL's or the "
            "service's own",
            "drop it, and REVOKE CREATE ON SCHEMA public FROM others",
        )
    ]


def _refuse(found: list[Finding]) -> None:
    if problems := errors_of(found):
        raise UnfitDatabaseError(problems[0])
