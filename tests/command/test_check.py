"""todo-api check: what it finds where all is well, and where one thing is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.command import SETTINGS, Desk
from support.postgres.catalogue import catalogue
from support.postgres.embedded_server import embedded_server
from support.postgres.pgbouncer import pgbouncer
from support.postgres.proxy import proxied
from support.postgres.server import a_server
from support.waiting import at_most, until
from todo_api import cli
from todo_api.check import checks, of_machine, of_server, of_tables
from todo_api.upkeep.findings import Finding, ok
from todo_api.upkeep.migrate import migrate

SECRET = "Vb8wM2kq_Xz5Tn0RjYh7LcPd3sFg9A-eUoI4"
PASSWORD = "Pa55word-of-nobody"
SCHEMA = {
    "type": "object",
    "required": ["status", "database", "findings"],
    "additionalProperties": False,
    "properties": {
        "status": {"enum": ["ok", "warning", "error"]},
        "database": {"type": "string", "minLength": 1},
        "findings": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "level", "message"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
                    "level": {"enum": ["ok", "warning", "error"]},
                    "message": {"type": "string", "minLength": 1, "pattern": "^[^\n\r]*$"},
                    "hint": {"type": "string", "minLength": 1, "pattern": "^[^\n\r]*$"},
                },
                # what is not well has to say what to do
                "if": {"properties": {"level": {"const": "ok"}}},
                "then": {"not": {"required": ["hint"]}},
                "else": {"required": ["hint"]},
            },
        },
    },
}


class Report:
    """What a run with --json has said."""

    def __init__(self, status: int, text: str) -> None:
        self.text = text
        self.said = json.loads(text)
        jsonschema.validate(self.said, SCHEMA)
        levels = ["ok", "warning", "error"]
        worst = max(levels.index(one["level"]) for one in self.said["findings"])
        assert (status, self.said["status"]) == (worst, levels[worst])
        self.status = status

    @property
    def wrong(self) -> dict[str, str]:
        """What is not well: by its name the level and the message."""
        return {
            one["name"]: f"{one['level']}: {one['message']}"
            for one in self.said["findings"]
            if one["level"] != "ok"
        }

    @property
    def well(self) -> dict[str, str]:
        return {one["name"]: one["message"] for one in self.said["findings"] if "hint" not in one}

    def hint(self, name: str) -> str:
        [found] = [
            one["hint"] for one in self.said["findings"] if one["name"] == name and "hint" in one
        ]
        return str(found)


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    logging_kept: None,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Report]:
    """Runs the command in this process, as an account that is not root, with nothing but these settings."""
    monkeypatch.chdir(tmp_path)
    for name in [*SETTINGS, *(name for name in os.environ if name.startswith("PG"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("todo_api.check.of_settings.running_as_root", lambda: False)

    def run(url: str | None = None, **settings: str) -> Report:
        given = {"BCRYPT_ROUNDS": "10", "PORT": "0", "WORKERS": "2", **settings}
        if url is not None:
            given = {"DATABASE_URL": url, "JWT_SECRET": SECRET, **given}
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            status = cli.main(["check", "--json"])
        out, err = capsys.readouterr()
        assert err == ""
        for secret in (SECRET, PASSWORD):
            assert secret not in out
        return Report(status, out)

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of the superuser of a server that is as it should be."""
    with embedded_server(in_memory=True) as url:
        yield url


@pytest.fixture(scope="module")
def dba(server: str) -> Iterator[psycopg.Connection[Any]]:
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def migrated(server: str, dba: psycopg.Connection[Any]) -> str:
    """A migrated database to clone."""
    dba.execute("CREATE DATABASE migrated")
    migrate(make_conninfo(server, dbname="migrated"))
    dba.execute("CREATE ROLE check_serve LOGIN IN ROLE todo_app")
    return "migrated"


class Deployment:
    """A database of a test's own with two logins, and a superuser's connection to it."""

    def __init__(self, server: str, name: str, dba: psycopg.Connection[Any]) -> None:
        self.name = name
        self.owner = make_conninfo(server, dbname=name)
        self.service = make_conninfo(self.owner, user="check_serve")
        self.dba = dba

    def run(self, sql: str, *values: Any) -> list[Any]:
        cursor = self.dba.execute(sql.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    @property
    def both(self) -> dict[str, str]:
        return {"url": self.service, "MIGRATE_URL": self.owner}


@pytest.fixture
def deployment(server: str, dba: psycopg.Connection[Any], migrated: str) -> Iterator[Deployment]:
    name = f"check_{next(_numbers)}"
    dba.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}".encode())
    dba.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC".encode())
    dba.execute(f"GRANT CONNECT ON DATABASE {name} TO check_serve".encode())
    url = make_conninfo(server, dbname=name)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield Deployment(server, name, connection)
    dba.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


_numbers = iter(range(1, 1000))


# --- all is well ---


@pytest.mark.slow
def test_where_all_is_well_every_line_says_ok_and_the_status_is_0(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(**deployment.both)
    assert report.wrong == {}
    assert report.status == 0
    assert {
        "settings", "port", "passwords", "rate-limit", "secret", "connection", "owner", "server", "tls",
        "clock", "isolation", "autovacuum", "logging", "connections", "encoding", "standby", "foreign-keys",
        "synchronous-commit", "creators", "pooler", "migrations", "roles", "row-security", "rights", "login",
        "insiders", "connecting", "migrating", "sizes", "vacuum", "indexes", "housekeeping", "expired",
        "quotas",
    } <= report.well.keys()  # fmt: skip
    parts = conninfo_to_dict(deployment.owner)
    assert report.said["database"] == f"{deployment.name} at host {parts['host']}, port 5432"


@pytest.mark.slow
def test_for_people_it_is_a_line_for_each_finding_and_which_database_it_was(
    check: Callable[..., Report],
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment.run(f"ALTER DATABASE {deployment.name} SET synchronous_commit = off")
    told = check(**deployment.both).said["findings"]
    for name, value in {"PORT": "0", "BCRYPT_ROUNDS": "10", "JWT_SECRET": SECRET}.items():
        monkeypatch.setenv(name, value)
    status = cli.main(
        ["check", "--database-url", deployment.service, "--migrate-url", deployment.owner]
    )
    *lines, place = capsys.readouterr().out.splitlines()
    assert status == 1
    assert place.startswith(f"database: {deployment.name} at host ")
    assert [line.split()[:2] for line in lines] == [[one["level"], one["name"]] for one in told]
    [line] = [line for line in lines if line.startswith("warning")]
    assert line.endswith(
        "synchronous_commit is off, so what was answered can be lost when the server crashes: "
        "ALTER ROLE … (or DATABASE …, or SYSTEM) RESET synchronous_commit"
    )


@pytest.mark.slow
def test_it_changes_nothing_in_the_database(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    def state() -> Any:
        rows = [
            deployment.run(f"SELECT count(*) FROM {table}")
            for (table,) in deployment.run(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace ORDER BY 1"
            )
        ]
        return catalogue(deployment.dba), rows

    deployment.run(f"ALTER DATABASE {deployment.name} SET default_transaction_read_only = on")
    deployment.run("SET default_transaction_read_only = off")
    before = state()
    assert check(**deployment.both).wrong.keys() == {"isolation"}
    assert state() == before


@pytest.mark.slow
def test_every_transaction_is_one_that_only_reads(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    with proxied(deployment.owner) as proxy:
        assert check(proxy.url).wrong.keys() == {"login"}
        begun = re.findall(rb"BEGIN [A-Z ]+", proxy.sent)
    assert len(begun) > 10
    assert {b"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"} == set(begun)
    # the one that goes the way of a request begins as a request does
    way = [
        proxy.sent.index(b"/* before_sign_in/%s */" % name)
        for name in (b"set_read_only", b"check_role")
    ]
    assert way == sorted(way)


# --- settings ---


@pytest.mark.slow
def test_bad_settings_are_findings_and_the_rest_is_looked_at_all_the_same(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(**deployment.both, PORT="many", THREADS="0", JWT_SECRET="short")
    told = [one["message"] for one in report.said["findings"] if one["name"] == "settings"]
    assert report.status == 2
    assert [message.split()[0] for message in told] == ["JWT_SECRET", "PORT", "THREADS"]
    assert {"roles", "quotas"} <= report.well.keys()


@pytest.mark.slow
def test_a_missing_secret_is_an_error(check: Callable[..., Report], deployment: Deployment) -> None:
    report = check(**deployment.both, JWT_SECRET="")
    assert report.wrong == {"settings": "error: JWT_SECRET is required with DATABASE_URL"}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"DATABASE_URL": f"postgresql://ann:{PASSWORD}@h:port/todo"}, None),
        ({"MIGRATE_URL": "postgresql:///todo"}, None),
        ({"PG_BIN": " "}, "DATABSE_URL=postgresql:///todo"),
        ({}, "JWT_SECRET='never ends"),
    ],
)
def test_where_the_database_is_in_doubt_none_is_looked_at_or_made(
    check: Callable[..., Report], tmp_path: Path, settings: dict[str, str], line: str | None
) -> None:
    if line:
        (tmp_path / ".env").write_text(f"{line}\n")
    report = check(**settings, DATA_DIR=str(tmp_path / "data"))
    assert report.wrong["connection"].startswith("error: not looked at: the settings don't say")
    assert report.said["database"] == "unknown"
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [
        ({"TRUSTED_PROXIES": "0.0.0.0/0", "ALLOWED_HOSTS": "a.example.com"}, "proxies", "anybody can forge"),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, "hosts", "only requests for localhost are answered"),
        ({"ALLOWED_HOSTS": "*"}, "hosts", "ALLOWED_HOSTS is *"),
        ({"CORS_ORIGINS": "http://app.example.com"}, "cors", "http://app.example.com, whose pages"),
        ({"BCRYPT_ROUNDS": "4"}, "passwords", "BCRYPT_ROUNDS is 4"),
        ({"BCRYPT_ROUNDS": "17"}, "passwords", "ms here (BCRYPT_ROUNDS is 17)"),
        ({"JWT_SECRET": "secretsecret" * 4}, "secret", "JWT_SECRET repeats itself"),
        ({"JWT_SECRET_PREVIOUS": "a" * 64}, "secret", "JWT_SECRET_PREVIOUS repeats itself"),
        ({"SPACE_ID": "ann/todo"}, "proxies", "all clients share one rate limit"),
    ],
)  # fmt: skip
def test_a_setting_that_is_rarely_meant_so_is_a_warning(
    check: Callable[..., Report],
    deployment: Deployment,
    settings: dict[str, str],
    name: str,
    message: str,
) -> None:
    report = check(**deployment.both, **settings)
    assert report.wrong.keys() == {name}
    assert report.wrong[name].startswith("warning: ")
    assert message in report.wrong[name]


def test_settings_that_are_meant_so_are_not_warned_of(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    settings = {
        "TRUSTED_PROXIES": "10.16.3.0/24,2001:db8::/32", "ALLOWED_HOSTS": "todo.example.com",
        "CORS_ORIGINS": "https://app.example.com,http://localhost:3000,http://[::1]:3000,capacitor://localhost",
        "JWT_SECRET": "0123456789abcdef9876543210fedcba", "METRICS_PORT": "0",
    }  # fmt: skip
    assert check(**deployment.both, **settings).wrong == {}


@pytest.mark.parametrize("url", [None, "postgresql:///todo?host=/nowhere"])
def test_root_is_told_of_data_dir_only_where_there_is_one(
    check: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str | None
) -> None:
    monkeypatch.setattr("todo_api.check.of_settings.running_as_root", lambda: True)
    report = check(url, DATA_DIR=str(tmp_path))
    assert report.wrong["account"] == "warning: running as root"
    assert ("DATA_DIR" in report.hint("account")) == (url is None)


@pytest.mark.slow
def test_an_address_that_is_not_this_machines_is_an_error_and_a_port_in_use_is_not(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(**deployment.both, HOST="192.0.2.1", ALLOWED_HOSTS="a.example.com")
    assert report.wrong["port"].startswith("error: cannot listen on 192.0.2.1:0: ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        report = check(**deployment.both, METRICS_PORT=port)
    assert report.wrong == {}
    assert report.well["metrics-port"] == f"127.0.0.1:{port} is in use: by the service, if it runs"


@pytest.mark.slow
def test_a_redis_that_is_away_is_an_error_without_its_password(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        uri = f"redis://:{PASSWORD}@127.0.0.1:{taken.getsockname()[1]}"
        report = check(**deployment.both, RATELIMIT_STORAGE_URI=uri)
    assert report.wrong.keys() == {"rate-limit"}
    assert report.wrong["rate-limit"].startswith("error: RATELIMIT_STORAGE_URI names a Redis")


# --- no connection ---


def test_a_database_that_is_away_is_an_error_and_named_without_the_password(
    check: Callable[..., Report],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        report = check(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/todo")
    assert report.wrong["connection"].startswith("error: the database can't be reached: ")
    assert report.said["database"] == f"todo at host 127.0.0.1, port {port} (not reached)"
    assert "settings" in report.well


def test_a_database_that_is_not_there_is_an_error(
    check: Callable[..., Report], server: str
) -> None:
    report = check(make_conninfo(server, dbname="no_such_database"))
    assert 'database "no_such_database" does not exist' in report.wrong["connection"]


@pytest.mark.slow
def test_where_only_the_owner_gets_in_the_tables_are_looked_at(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(make_conninfo(deployment.owner, user="nobody_s"), MIGRATE_URL=deployment.owner)
    assert report.wrong.keys() == {"connection"}
    assert {"owner", "sizes", "quotas"} <= report.well.keys()
    report = check(deployment.service, MIGRATE_URL=make_conninfo(deployment.owner, user="nobody_s"))
    assert report.wrong.keys() == {"owner"}
    assert {"connection", "roles"} <= report.well.keys()


@pytest.mark.slow
def test_a_server_that_accepts_and_never_answers_is_an_error_within_a_bounded_time(
    check: Callable[..., Report],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/todo"
        began = time.monotonic()
        report = check(url, MIGRATE_URL=url.replace("ann", "bob"))
        took_s = time.monotonic() - began
    assert report.wrong.keys() == {"connection", "owner"}
    assert took_s < at_most(30)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["check_role", "server_clock", "table_sizes"])
def test_a_server_that_goes_silent_ends_what_is_asked_of_it_and_nothing_else(
    check: Callable[..., Report],
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    monkeypatch.setattr(checks, "PATIENCE_S", 1.0)
    with proxied(deployment.owner) as proxy:
        proxy.freeze_at(f"before_sign_in/{text} ")
        began = time.monotonic()
        report = check(proxy.url)
        took_s = time.monotonic() - began
    assert report.status == 2
    assert any("no answer within" in one or "can't be used" in one for one in report.wrong.values())
    assert "connection" in report.well
    assert "quotas" not in report.well
    # nothing more is asked of it: but for the roles, which have a connection of their own
    assert sum(one.startswith("error: ") for one in report.wrong.values()) <= 2
    assert took_s < at_most(30)


def test_all_checks_together_have_a_bound() -> None:
    def slowly() -> list[Finding]:
        time.sleep(0.15)
        return []

    slow = checks.Checks(total_s=0.2)
    began = time.monotonic()
    for _ in range(100):
        slow.add("slow", slowly)
    assert time.monotonic() - began < 10
    assert slow.found[-1].message == "the time for all checks is up"


def test_a_check_that_fails_is_an_error_by_its_kind_and_ends_no_other() -> None:
    found = checks.Checks()
    found.add("odd", lambda: [][0])
    found.add("even", lambda: [ok("even", "well")])
    assert [(one.level, one.message) for one in found.found] == [
        ("error", "the check failed: IndexError"),
        ("ok", "well"),
    ]


# --- databases that are broken in one way ---


def broken(
    check: Callable[..., Report], deployment: Deployment, *commands: str, **settings: str
) -> Report:
    for command in commands:
        deployment.run(command.format(name=deployment.name))
    return check(**(deployment.both | settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "name", "level", "message", "hint"),
    [
        (
            "ALTER DATABASE {name} SET default_transaction_isolation = serializable",
            "isolation",
            "warning",
            "default_transaction_isolation is serializable",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "isolation",
            "warning",
            "default_transaction_read_only is on",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET synchronous_commit = off",
            "synchronous-commit",
            "warning",
            "synchronous_commit is off",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} SET session_replication_role = replica",
            "foreign-keys",
            "error",
            "session_replication_role is replica",
            "RESET",
        ),
        (
            "ALTER DATABASE {name} IS_TEMPLATE true",
            "template",
            "error",
            "the database is a template",
            "make one",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "creators",
            "warning",
            "others may create",
            "FROM PUBLIC",
        ),
        (
            "GRANT CONNECT ON DATABASE {name} TO PUBLIC",
            "connecting",
            "warning",
            "every login",
            "REVOKE CONNECT",
        ),
        (
            "GRANT SELECT ON tasks TO PUBLIC",
            "rights",
            "error",
            "others have rights",
            "todo-api migrate",
        ),
        (
            "GRANT DELETE ON users TO todo_app",
            "roles",
            "error",
            "rights that no migration gave it",
            "revoke",
        ),
        (
            "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
            "row-security",
            "error",
            "forced on tasks",
            "ENABLE",
        ),
        (
            "UPDATE applied_migrations SET checksum = repeat('0', 64) WHERE id LIKE '0002%'",
            "migrations",
            "error",
            "edited since: 0002.users",
            "restore the file",
        ),
        (
            "DELETE FROM applied_migrations WHERE id LIKE '0011%'",
            "migrations",
            "error",
            "lacks 0011.housekeeping",
            "todo-api migrate",
        ),
        (
            "INSERT INTO applied_migrations (id, checksum) VALUES ('9999.next', repeat('0', 64))",
            "migrations",
            "warning",
            "newer than this version: it has 9999.next",
            "install",
        ),
        (
            "ALTER DATABASE {name} SET log_min_duration_statement = 100",
            "logging",
            "warning",
            "(log_min_duration_statement = 100ms)",
            "log_parameter_max_length = 0",
        ),
        (
            "ALTER DATABASE {name} SET log_statement = 'mod'",
            "logging",
            "warning",
            "(log_statement = mod)",
            "log_parameter_max_length = 0",
        ),
        (
            "ALTER DATABASE {name} SET log_parameter_max_length_on_error = -1",
            "logging",
            "warning",
            "(log_parameter_max_length_on_error = -1)",
            "log_parameter_max_length_on_error = 0",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tasks_newest_first'::regclass",
            "indexes",
            "warning",
            "can't use tasks_newest_first",
            "REINDEX",
        ),
        (
            "INSERT INTO housekeeping VALUES (true, now() - interval '4 hours')",
            "housekeeping",
            "warning",
            "the last sweep was 240 minutes ago",
            "todo-api prune",
        ),
        (
            "UPDATE applied_migrations SET applied_at = now() - interval '4 hours'",
            "housekeeping",
            "warning",
            "there was no sweep yet",
            "todo-api prune",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 14",
            "connections",
            "warning",
            "this machine's workers may open 16",
            "CONNECTION LIMIT",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 4",
            "connections",
            "warning",
            "of 4 are in use",
            "or end some",
        ),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(
    check: Callable[..., Report],
    deployment: Deployment,
    dba: psycopg.Connection[Any],
    command: str,
    name: str,
    level: str,
    message: str,
    hint: str,
) -> None:
    report = broken(check, deployment, command)
    dba.execute(f"ALTER DATABASE {deployment.name} IS_TEMPLATE false".encode())
    assert report.wrong.keys() == {name}
    assert report.wrong[name].startswith(f"{level}: ")
    assert message in report.wrong[name]
    assert hint in report.hint(name)


def test_what_the_log_gets_without_values_is_not_warned_of(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = broken(
        check,
        deployment,
        "ALTER DATABASE {name} SET log_min_duration_statement = 100",
        "ALTER DATABASE {name} SET log_parameter_max_length = 0",
    )
    assert report.wrong == {}


@pytest.mark.slow
def test_a_server_that_may_lose_what_was_written_is_an_error(
    check: Callable[..., Report], database_url: str
) -> None:
    report = check(database_url)  # on the server of all tests, which is as fast as it can be
    assert report.wrong["durability"].startswith("error: fsync is off")
    assert report.wrong["autovacuum"].startswith("warning: autovacuum: off")


@pytest.mark.slow
def test_a_superuser_that_serves_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(deployment.owner)
    assert report.wrong.keys() == {"login"}
    assert "todo (superuser)" in report.wrong["login"]
    assert "CREATE ROLE todo_serve" in report.hint("login")


@pytest.mark.slow
def test_a_login_that_could_become_the_one_that_sees_all_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    deployment.run("CREATE ROLE check_insider LOGIN IN ROLE todo_auth")
    try:
        report = broken(check, deployment, "GRANT CONNECT ON DATABASE {name} TO check_insider")
    finally:
        deployment.run("DROP OWNED BY check_insider")
        deployment.run("DROP ROLE check_insider")
    assert report.wrong.keys() == {"insiders"}


@pytest.mark.slow
def test_another_encoding_is_an_error_and_so_is_a_schema_that_is_not_there(
    check: Callable[..., Report], server: str, dba: psycopg.Connection[Any]
) -> None:
    dba.execute(
        "CREATE DATABASE check_latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        report = check(make_conninfo(server, dbname="check_latin"))
    finally:
        dba.execute("DROP DATABASE check_latin WITH (FORCE)")
    assert "LATIN1, which can't hold every title" in report.wrong["encoding"]
    assert report.wrong["migrations"] == "error: the schema is not there"
    assert report.hint("migrations") == "run `todo-api migrate` first"


@pytest.mark.slow
def test_without_the_owners_login_what_it_would_see_is_said_to_be_not_looked_at(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    report = check(deployment.service)
    assert report.wrong.keys() == {"migrating"}
    assert "check_serve may not create in the schema public" in report.wrong["migrating"]
    late = check(deployment.service, MIGRATE_ON_START="false")
    assert late.wrong == {}
    assert late.well["migrating"] == "check_serve can't migrate, and the start does not try"
    for name in ("expired", "quotas"):
        assert report.well[name].startswith("not looked at: permission denied")
    assert {"sizes", "housekeeping"} <= report.well.keys()


def test_what_the_next_migration_would_refuse_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    deployment.run("CREATE ROLE check_gardener")
    try:
        report = broken(
            check,
            deployment,
            "CREATE FUNCTION public.lower(text, text) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "ALTER FUNCTION public.lower(text, text) OWNER TO check_gardener",
        )
    finally:
        deployment.run("DROP OWNED BY check_gardener")
        deployment.run("DROP ROLE check_gardener")
    assert report.wrong.keys() == {"planted"}
    assert "the function lower(text,text) of check_gardener" in report.wrong["planted"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("off_s", "level"),
    [(-3600, "error"), (11, "error"), (-7, "warning"), (7, "warning"), (3, None), (-3, None)],
)
def test_a_clock_that_is_wrong_is_found_before_tokens_are_refused(
    check: Callable[..., Report],
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    off_s: int,
    level: str | None,
) -> None:
    now = time.time
    monkeypatch.setattr(of_server, "machine_time", lambda: now() + off_s)
    report = check(**deployment.both)
    assert report.wrong.keys() == ({"clock"} if level else set())
    if level:
        side = "ahead" if off_s < 0 else "behind"
        told = f"{level}: the server's clock is {abs(off_s):.1f} s {side}: "
        assert report.wrong["clock"].startswith(told)


# --- what is in the tables ---


@pytest.mark.slow
def test_tables_are_told_by_size_and_dead_rows_that_stay_are_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    [(user,)] = some_users(deployment, 1)
    deployment.run("ALTER TABLE tasks SET (autovacuum_enabled = off)")
    deployment.run(
        "INSERT INTO tasks (user_id, title) SELECT %s, n::text FROM generate_series(1, 12000) AS n",
        user,
    )
    deployment.run("ANALYZE tasks")
    report = check(**deployment.both)
    assert report.wrong == {}
    assert " in all: tasks " in report.well["sizes"]
    assert "(12000 rows)" in report.well["sizes"]
    deployment.run("DELETE FROM tasks")
    deployment.run("SELECT pg_stat_force_next_flush()")
    report = check(**deployment.both)
    assert report.wrong == {
        "vacuum": "warning: autovacuum does not keep up with tasks (12000 dead rows)"
    }


@pytest.mark.slow
@pytest.mark.parametrize(("old", "level"), [(1, "warning"), (0, "error")])
def test_transaction_ids_that_run_out_are_found(
    check: Callable[..., Report],
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    old: int,
    level: str,
) -> None:
    monkeypatch.setattr(of_tables, "OLD", 0)
    monkeypatch.setattr(of_tables, "TOO_OLD", old * 10**9)
    deployment.run("SELECT pg_current_xact_id()")
    assert f"{level}: " in check(**deployment.both).wrong["vacuum"]


def some_users(deployment: Deployment, number: int) -> list[Any]:
    return deployment.run(
        "INSERT INTO users (user_id, email, password_hash)"
        " SELECT gen_random_uuid(), n || '@example.com', '$2b$04$' || repeat('a', 53)"
        " FROM generate_series(1, %s) AS n RETURNING user_id",
        number,
    )


@pytest.mark.slow
def test_rows_that_should_have_gone_are_counted_up_to_a_bound(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    [(user,)] = some_users(deployment, 1)
    keys = (
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " SELECT %s, n::text, sha256(''), gen_random_uuid(), now() - make_interval(hours => %s)"
        " FROM generate_series(1, 1001) AS n"
    )
    sessions = (
        "INSERT INTO sessions (user_id, id, created_at, expires_at) VALUES"
        " (%s, gen_random_uuid(), now() - interval '2 days', now() - make_interval(hours => %s))"
    )
    events = (
        "INSERT INTO auth_events (event, user_id, address, request_id, occurred_at)"
        " VALUES ('login', %s, '10.0.0.1', 'r', now() - make_interval(days => %s))"
    )
    for table, hours in ((keys, 25), (sessions, 2), (events, 90)):
        deployment.run(table, user, hours)
    assert check(**deployment.both).wrong == {}
    deployment.run("DELETE FROM idempotency_keys")
    for table, hours in ((keys, 28), (sessions, 4), (events, 91)):
        deployment.run(table, user, hours)
    left = "sessions (1), idempotency_keys (1000 or more)"
    told = "warning: expired rows are left in "
    assert check(**deployment.both).wrong == {"expired": f"{told}{left}, auth_events (1)"}
    assert check(**deployment.both, EVENTS_DAYS="0").wrong == {"expired": f"{told}{left}"}


@pytest.mark.slow
def test_the_users_who_hold_most_are_told_by_id_alone_and_a_quota_that_is_nearly_full_is_a_warning(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    users = [user for (user,) in some_users(deployment, 6)]
    for number, user in enumerate(users):
        deployment.run(
            "INSERT INTO task_counts (user_id, tasks, text_bytes) VALUES (%s, %s, %s)",
            *(user, number * 10, number * 1024),
        )
    report = check(**deployment.both)
    assert report.wrong == {}
    told = [f"{user} {number * 10}, {number} KB" for number, user in enumerate(users)][:1:-1]
    limits = "10000 tasks and 10 MB of text"
    assert report.well["quotas"] == f"who holds most, of {limits}: {', '.join(told)}"
    for full, limits in (
        ({"MAX_TASKS_PER_USER": "55"}, "55 tasks and 10 MB of text"),
        ({"MAX_TEXT_PER_USER": "5500"}, "10000 tasks and 5 KB of text"),
    ):
        report = check(**deployment.both, **full)
        assert report.wrong.keys() == {"quotas"}
        assert f"near their quotas, which are {limits}: {told[0]}" in report.wrong["quotas"]
    assert "@" not in report.text


def test_on_citus_the_workers_are_asked_for_the_sizes_of_what_is_distributed(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    # what Citus has of it, by its names
    deployment.run("SET allow_system_table_mods = on")
    deployment.run("CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass)")
    deployment.run("INSERT INTO pg_dist_partition VALUES ('tasks'), ('sessions')")
    deployment.run(
        "CREATE FUNCTION pg_catalog.citus_total_relation_size("
        "logicalrelid regclass, fail_on_error boolean DEFAULT true) RETURNS bigint LANGUAGE sql"
        " AS $$ SELECT CASE logicalrelid::text WHEN 'tasks' THEN 3 ELSE 2 END * 1073741824::bigint $$"
    )
    deployment.run("GRANT SELECT ON pg_catalog.pg_dist_partition TO PUBLIC")
    report = check(**deployment.both)
    assert "GB in all: tasks 3 GB, sessions 2 GB, " in report.well["sizes"]


# --- the machine ---


@pytest.mark.slow
def test_the_made_secret_is_looked_at_and_left_as_it_is(
    check: Callable[..., Report], tmp_path: Path
) -> None:
    kept = tmp_path / "data" / "jwt_secret"
    kept.parent.mkdir(mode=0o700)
    report = check(DATA_DIR=str(kept.parent))
    assert report.well["secret"] == f"{kept} is made at the first start"
    assert not kept.exists()

    kept.write_text(f"{SECRET}\n")
    kept.chmod(0o644)
    report = check(DATA_DIR=str(kept.parent))
    assert report.wrong["secret"] == f"warning: {kept} can be read by other accounts"
    assert kept.stat().st_mode & 0o777 == 0o644

    kept.chmod(0o600)
    report = check(DATA_DIR=str(kept.parent))
    assert report.well["secret"] == f"made for this folder, {len(SECRET)} bytes"
    report = check(DATA_DIR=str(kept.parent), JWT_SECRET_PREVIOUS=SECRET)
    assert "must differ from JWT_SECRET" in report.wrong["secret"]

    kept.write_text("short\n")
    report = check(DATA_DIR=str(kept.parent))
    assert report.wrong["secret"].startswith(f"error: {kept} must have at least 32 bytes")


def test_a_folder_that_others_may_write_in_and_a_full_disk_are_warnings(
    check: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setattr(of_machine, "LEAST_FREE", 1 << 60)
    report = check(DATA_DIR=str(folder))
    assert report.wrong["data-folder"].startswith("warning: other accounts may write")
    assert report.wrong["disk"].startswith("warning: ")


# --- other servers ---


@pytest.mark.slow
def test_a_standby_is_an_error(check: Callable[..., Report]) -> None:
    with a_server() as primary, a_server() as standby:
        primary.make()
        primary.start()
        migrate(primary.url)
        standby.copy_from(primary, "check")
        standby.start()
        report = check(standby.url)
        primary.stop()
    assert report.wrong["standby"] == "error: the server is a standby, which only reads"
    assert "sizes" in report.well


@pytest.mark.slow
def test_a_wrong_password_is_an_error_and_a_connection_without_tls_a_warning(
    check: Callable[..., Report],
) -> None:
    with a_server() as server:
        server.make()
        with (server.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all todo all scram-sha-256\n")
        server.start(free_port(), listen_addresses="*", fsync="on")
        server.ask(f"ALTER ROLE todo PASSWORD '{PASSWORD}'")
        migrate(server.url)
        port = conninfo_to_dict(server.url)["port"]
        # an address of this machine that does not look like one
        there = f"todo:{{}}@0.0.0.0:{port}/postgres"
        wrong = check(f"postgresql://{there.format(PASSWORD + 'x')}")
        right = check(f"postgresql://{there.format(PASSWORD)}")
        local = check(f"postgresql://todo:{PASSWORD}@127.0.0.1:{port}/postgres")
    assert 'password authentication failed for user "todo"' in wrong.wrong["connection"]
    assert right.wrong["tls"].startswith("warning: the connection has no TLS")
    assert "sslmode=verify-full" in right.hint("tls")
    assert "tls" in local.well


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_server_before_15_is_an_error_and_is_asked_nothing(
    check: Callable[..., Report], deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("todo_api.upkeep.probe.Probe.version", 140_012)
    report = check(**deployment.both)
    assert report.wrong == {"server": "error: the server is PostgreSQL 14"}
    assert report.hint("server") == "15 or newer is needed"
    assert not {"encoding", "roles", "sizes"} & report.well.keys()


@pytest.mark.programs
@pytest.mark.parametrize("keeps_track", [True, False])
def test_a_pooler_that_mixes_prepared_statements_up_is_a_warning(
    check: Callable[..., Report], deployment: Deployment, keeps_track: bool
) -> None:
    with pgbouncer(deployment.owner, keeps_track=keeps_track) as bouncer:
        pooled = bouncer.url(deployment.owner)
        report = check(pooled, MIGRATE_URL=deployment.owner)
        assert ("pooler" in report.wrong) != bouncer.prepares
        assert "pooler" in check(pooled, PREPARED_STATEMENTS="false").well
        both = check(pooled)
        late = check(pooled, MIGRATE_ON_START="false")
    assert both.wrong["migrating"].startswith("error: migrating needs a direct connection")
    assert late.wrong["migrating"].startswith("warning: migrating needs")


@pytest.mark.programs
def test_a_redis_that_answers_is_well(
    check: Callable[..., Report], deployment: Deployment, tmp_path: Path
) -> None:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(port))
        report = check(**deployment.both, RATELIMIT_STORAGE_URI=f"redis://127.0.0.1:{port}")
    finally:
        redis.kill()
        redis.wait()
    assert report.wrong == {}
    assert report.well["rate-limit"] == "5 per minute, counted in Redis, which answers"


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- embedded ---


def run_as_a_process(desk: Desk) -> Report:
    ended = desk.run("check", "--json", BCRYPT_ROUNDS="10", PORT="0", DATA_DIR="data")
    assert ended.err == ""
    return Report(ended.status, ended.out)


def wrong_but_for_root(report: Report) -> set[str]:
    return report.wrong.keys() - {"account"}


@pytest.mark.slow
def test_no_embedded_database_is_an_error_and_none_is_made(desk: Desk) -> None:
    report = run_as_a_process(desk)
    assert wrong_but_for_root(report) == {"connection"}
    assert "there is no database in " in report.wrong["connection"]
    assert list(desk.folder.iterdir()) == []


@pytest.mark.slow
def test_an_embedded_database_is_looked_at_stopped_migrated_and_beside_the_service(
    desk: Desk,
) -> None:
    assert desk.run("migrate", DATA_DIR="data").status == 0
    report = run_as_a_process(desk)
    assert wrong_but_for_root(report) == set()
    assert report.well["login"] == "todo_serve, which serves, is made by the next start"
    assert report.said["database"].startswith("embedded, in ")
    assert {"disk", "data-folder", "owner", "quotas"} <= report.well.keys()
    assert not (desk.folder / "data" / "pg" / "data" / "postmaster.pid").exists()

    service = desk.start("serve", "--port", "0", DATA_DIR="data").ready()
    report = run_as_a_process(desk)
    assert wrong_but_for_root(report) == set()
    assert report.well["login"] == "the login that serves could become nobody but todo_app"
    assert report.well["secret"].startswith("made for this folder")
    assert service.call("GET", "/health/ready") == (200, {"status": "ok"})
    assert service.end(signal.SIGTERM).status == 0

    report = run_as_a_process(desk)
    assert wrong_but_for_root(report) == set()
    assert {"connection", "owner", "roles"} <= report.well.keys()
