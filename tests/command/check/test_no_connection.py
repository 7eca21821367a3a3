"""A database that is away, silent or closed to the service; and bounds on the time."""

import socket
import time
from collections.abc import Callable

import pytest
from psycopg.conninfo import make_conninfo

from support.checked import PASSWORD, Deployment, Report
from support.postgres.proxy import proxied
from support.waiting import at_most
from todo_api.check import checks
from todo_api.upkeep.findings import Finding, ok


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
