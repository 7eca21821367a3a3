"""A standby, an old server, poolers, a Redis, TLS; and the embedded database."""

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from support.checked import PASSWORD, Deployment, Report
from support.command import Desk
from support.postgres.pgbouncer import pgbouncer
from support.postgres.server import a_server
from support.waiting import until
from todo_api.upkeep.migrate import migrate


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
