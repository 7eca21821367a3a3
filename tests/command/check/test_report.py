"""What the report says where all is well, and of settings."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from support.checked import PASSWORD, SECRET, Deployment, Report
from support.command import Desk
from support.postgres.catalogue import catalogue
from support.postgres.proxy import proxied
from todo_api import cli


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
def test_a_terminal_that_has_not_all_letters_gets_the_report_all_the_same(
    desk: Desk, deployment: Deployment
) -> None:
    settings = {"DATABASE_URL": deployment.owner, "JWT_SECRET": SECRET, "PORT": "0"}
    ended = desk.run("check", PYTHONIOENCODING="ascii", **settings)
    assert (ended.status, ended.err) == (1, "")  # with a warning
    assert "\\u2026" in ended.out  # an ellipsis
    assert deployment.name in ended.out


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
