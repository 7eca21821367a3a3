"""What is in the tables, and on the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.checked import SECRET, Deployment, Report
from todo_api.check import of_machine, of_tables
from todo_api.upkeep.housekeeping import SWEEPS, prune


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


# A row of each kind that is swept, so many hours after it should have gone.
LATE = {
    "sessions": (
        "INSERT INTO sessions (user_id, id, created_at, expires_at)"
        " VALUES ({user}, gen_random_uuid(), now() - interval '2 days', {late})"
    ),
    "api_tokens": (
        "INSERT INTO api_tokens (user_id, id, name, scope, created_at, expires_at)"
        " VALUES ({user}, gen_random_uuid(), 'old', 'read', now() - interval '2 days', {late})"
    ),
    "idempotency_keys": (
        "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
        " VALUES ({user}, 'old', sha256(''), gen_random_uuid(), {late} - interval '24 hours')"
    ),
    "batch_results": (
        "INSERT INTO batch_results (user_id, key, place, answer, created_at)"
        " VALUES ({user}, 'old', 0, '[]', {late} - interval '24 hours')"
    ),
    "sign_in_networks": (
        "INSERT INTO sign_in_networks (user_id, network, seen_on)"
        " VALUES ({user}, '10.0.0.1', ({late} AT TIME ZONE 'UTC')::date - 91)"
    ),
    "deleted_tasks": (
        "INSERT INTO deleted_tasks (user_id, id, revision, deleted_at)"
        " VALUES ({user}, gen_random_uuid(), 1, {late} - interval '30 days')"
    ),
    "rate_limits": "INSERT INTO rate_limits (key, hits, expires_at) VALUES ('old', '{{}}', {late})",
    "auth_events": (
        "INSERT INTO auth_events (event, user_id, address, request_id, occurred_at)"
        " VALUES ('login', {user}, '10.0.0.1', 'r', {late} - interval '90 days')"
    ),
    "reset_codes": (
        "INSERT INTO reset_codes (user_id, code_hash, expires_at) VALUES ({user}, sha256(''), {late})"
    ),
    "invites": "INSERT INTO invites (code_hash, expires_at) VALUES (sha256(''), {late})",
}


@pytest.mark.slow
def test_every_kind_that_is_swept_is_looked_at(
    check: Callable[..., Report], deployment: Deployment
) -> None:
    assert LATE.keys() == SWEEPS.keys()
    [(user,)] = some_users(deployment, 1)

    def let_expire(hours: int) -> None:
        for kind, insert in LATE.items():
            late = f"now() - interval '{hours} hours'"
            deployment.run(f"DELETE FROM {kind}")
            deployment.run(insert.format(user=f"'{user}'::uuid", late=f"({late})"))

    let_expire(2)
    deployment.run("DELETE FROM sign_in_networks")  # it has days alone
    assert check(**deployment.both).wrong == {}
    let_expire(4)
    left = ", ".join(f"{kind} (1)" for kind in SWEEPS)
    assert check(**deployment.both).wrong == {
        "expired": f"warning: expired rows are left in {left}"
    }
    prune(deployment.owner, 90)
    assert check(**deployment.both).wrong == {}


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
