"""The checks that need a connection, in order: the login that serves first, then the owner of the tables."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from todo_api.check import of_server, of_tables
from todo_api.check.checks import Checks
from todo_api.settings.config import Config
from todo_api.upkeep import database_check
from todo_api.upkeep.findings import Finding, error, ok, warning
from todo_api.upkeep.migration_files import shipped_checksums
from todo_api.upkeep.probe import Probe, ProbeError, named
from todo_api.upkeep.role_check import schema_and_roles

_CONNECT_S = 15.0  # for several hosts
_ROLES_S = 20.0
# What schema_and_roles looks at beside the migrations, and how it is when all is well.
_OF_ROLES = {
    "roles": "requests work as todo_app, which may do what the migrations granted",
    "row-security": "enabled and forced on every table with a user_id",
    "rights": "nobody else has a right on the service's objects",
    "login": "the login that serves could become nobody but todo_app",
    "insiders": "nobody else could become todo_auth",
    "connecting": "open to those who belong here",
}


class Urls(Protocol):
    """One database for two logins, which may be the same; `folder` is that of an embedded one."""

    @property
    def service(self) -> str:
        """The login that serves."""

    @property
    def owner(self) -> str:
        """The owner of the tables."""

    @property
    def folder(self) -> Path | None:
        """Where the embedded database is."""


class _Connected:
    """Checks on one connection: no more of them once it is silent or lost."""

    def __init__(self, checks: Checks, probe: Probe) -> None:
        self.probe = probe
        self._checks = checks
        self._silent = False

    def look(
        self, name: str, check: Callable[[], Iterable[Finding]], patience_s: float | None = None
    ) -> None:
        """Add what a check finds."""
        if not self._silent and self.probe.is_open:
            self._silent = not self._checks.add(name, check, patience_s)

    def learn(self, name: str, ask: Callable[[], bool]) -> bool | None:
        """What `ask` returns; None, and a finding, if that is not to be learnt."""
        learnt: list[bool] = []

        def check() -> Iterable[Finding]:
            learnt.append(ask())
            return ()

        self.look(name, check)
        return learnt[0] if learnt else None


def check(checks: Checks, config: Config, urls: Urls) -> str:
    """Add what is found in the database; returns which database it is."""
    with ExitStack() as stack:
        connect = partial(_connected, checks, stack)
        if urls.folder:
            owner = connect("owner", urls.owner, "see the log in DATA_DIR/pg")
            if owner is not None:
                _of_embedded(checks, config, urls, owner, connect)
                _of_owner(owner, config)
            return f"embedded, in {urls.folder}"
        serving = connect("connection", urls.service, "correct DATABASE_URL, or start the server")
        if serving is not None:
            _of_serving(serving, config, urls.service)
        owner = serving
        if urls.owner != urls.service:
            owner = connect("owner", urls.owner, "correct MIGRATE_URL")
        if owner is not None:
            _of_owner(owner, config)
        reached = serving or owner
        return reached.probe.place if reached else f"{named(urls.service)} (not reached)"


def _connected(
    checks: Checks, stack: ExitStack, name: str, url: str, hint: str
) -> _Connected | None:
    opened: list[Probe] = []

    def connect() -> Iterator[Finding]:
        began = time.monotonic()
        try:
            opened.append(Probe(url))
        except ProbeError as failure:
            yield error(name, f"the database can't be reached: {failure}", hint)
        else:
            took_ms = (time.monotonic() - began) * 1000
            yield ok(name, f"the login {opened[0].login} got in after {took_ms:.0f} ms")

    if not checks.add(name, connect, _CONNECT_S) or not opened:
        return None
    stack.callback(opened[0].close)
    return _Connected(checks, opened[0])


def _of_embedded(
    checks: Checks,
    config: Config,
    urls: Urls,
    owner: _Connected,
    connect: Callable[[str, str, str], _Connected | None],
) -> None:
    """The serving login's part of an embedded database, in which the first start makes that login."""
    lacks_login = owner.learn("login", lambda: bool(owner.probe.ask("narrow_login")))
    if lacks_login:
        checks.found.append(ok("login", "todo_serve, which serves, is made by the next start"))
        _of_serving(owner, config, urls.owner, without="login")
    elif lacks_login is not None:
        serving = connect("connection", urls.service, "start the service again")
        if serving is not None:
            _of_serving(serving, config, urls.service)


def _of_serving(one: _Connected, config: Config, url: str, *, without: str = "") -> None:
    """What the login that serves meets."""
    probe = one.probe
    if database_check.age(probe.version):  # the statements are not for it
        one.look("server", lambda: of_server.version(probe))
        return
    one.look("server", lambda: of_server.version(probe))
    one.look("tls", lambda: of_server.encryption(probe))
    one.look("clock", lambda: of_server.clock(probe))
    one.look("settings-of-server", lambda: _server_settings(probe, config))
    one.look("database", lambda: _fitness(probe))
    one.look("pooler", lambda: of_server.pooler(probe, config))
    one.look("roles", lambda: _schema_and_roles(url, without), _ROLES_S)


def _of_owner(one: _Connected, config: Config) -> None:
    """What only the owner may look at, and what nobody else has to."""
    probe = one.probe
    if database_check.age(probe.version):
        return
    one.look("migrating", lambda: _migrating(probe, config))
    if not one.learn("migrations", lambda: bool(probe.ask("has_applied_migrations")[0][0])):
        return
    one.look("sizes", lambda: of_tables.sizes(probe))
    one.look("indexes", lambda: of_tables.indexes(probe))
    one.look("housekeeping", lambda: of_tables.housekeeping(probe))
    one.look("expired", lambda: of_tables.overdue(probe, config))
    one.look("quotas", lambda: of_tables.quotas(probe, config))


def _server_settings(probe: Probe, config: Config) -> Iterator[Finding]:
    found = of_server.inherited(probe)
    yield from of_server.defaults(found)
    yield from of_server.durability(found)
    yield from of_server.autovacuum(found)
    yield from of_server.logging(found)
    yield from of_server.connections(probe, found, config)


def _fitness(probe: Probe) -> Iterator[Finding]:
    facts = database_check.facts_of(probe.ask)
    found = [*database_check.unfitness(facts), *database_check.unsafe(facts)]
    yield from _with_rest(
        found,
        {
            "encoding": facts.encoding,
            "standby": "the server is a primary",
            "foreign-keys": "they hold",
            "synchronous-commit": "a commit waits for the disk",
        },
    )
    yield from _with_rest(
        database_check.openness(probe.ask),
        {"creators": "nobody else may create in the schema public"},
    )


def _schema_and_roles(url: str, without: str) -> Iterator[Finding]:
    found = [one for one in schema_and_roles(url) if one.name != without]
    if any(one.name in ("migrations", "citus", "roles") and one.level == "error" for one in found):
        yield from found
        return
    rest = {"migrations": f"all {len(shipped_checksums())} are applied", **_OF_ROLES}
    rest.pop(without, None)
    yield from _with_rest(found, rest)


def _migrating(probe: Probe, config: Config) -> Iterator[Finding]:
    """Whether the next migration would be refused."""
    facts = database_check.facts_of(probe.ask)
    found = [replace(one, level="warning") for one in database_check.plants(probe.ask)]
    if not facts.may_create and config.migrate_on_start:
        found.append(
            warning(
                "migrating",
                f"the next migration would be refused: {facts.login} may not create in the schema public",
                "set MIGRATE_URL to the connection of the owner, or GRANT CREATE ON SCHEMA public to it",
            )
        )
    if probe.shares_its_process():
        told = "migrating needs a direct connection, but this one leads to a pooler in transaction mode"
        level = error if config.migrate_on_start else warning
        found.append(level("migrating", told, "set MIGRATE_URL to a direct one"))
    may = "may migrate" if facts.may_create else "can't migrate, and the start does not try"
    yield from _with_rest(found, {"migrating": f"{facts.login} {may}"})


def _with_rest(found: list[Finding], rest: dict[str, str]) -> Iterator[Finding]:
    """What was found and, for every name without a finding, that all is well."""
    yield from found
    names = {one.name for one in found}
    for name, message in rest.items():
        if name not in names:
            yield ok(name, message)
