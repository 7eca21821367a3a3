"""The queries of sql/README.md, run as a DBA would paste them, and how statements are recognised."""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

import todo_api
from support.signed_up import create, sign_up
from support.waiting import until
from todo_api.database.calls import Call, SignedIn
from todo_api.database.data import Database
from todo_api.embedded.running import embedded_postgres
from todo_api.tasks.rows import as_task
from todo_api.upkeep.migrate import migrate

pytestmark = pytest.mark.partitioned
README = Path(todo_api.__file__).parent.parent / "sql" / "README.md"
QUERIES = dict(
    re.findall(r"^### (.+?)\n.*?^```sql\n(.+?)^```$", README.read_text("utf-8"), re.M | re.S)
)
DEBIAN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url, connections=1)) as database:
        yield database


@pytest.fixture(params=["a superuser", "the other role of the page"])
def ask(
    request: pytest.FixtureRequest, superuser: psycopg.Connection[Any]
) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Runs a query of the page, with psql's variables, as one of those who may ask."""
    asking = superuser
    if request.param != "a superuser":
        login, database = f"dba_{uuid.uuid4().hex}", superuser.info.dbname
        superuser.execute(
            f"CREATE ROLE {login} LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_monitor;"
            f" GRANT CONNECT ON DATABASE {database} TO {login}".encode()
        )
        asking = psycopg.connect(make_conninfo(superuser.info.dsn, user=login), autocommit=True)

    def ask(title: str, **variables: str) -> list[dict[str, Any]]:
        return _ask(asking, title, **variables)

    yield ask
    if asking is not superuser:
        asking.close()
        superuser.execute(
            f"REVOKE CONNECT ON DATABASE {database} FROM {login}; DROP ROLE {login}".encode()
        )


def _ask(connection: psycopg.Connection[Any], title: str, **values: str) -> list[dict[str, Any]]:
    text = re.sub(r":'(\w+)'", lambda match: sql.quote(values[match[1]]), QUERIES[title])
    return connection.cursor(row_factory=dict_row).execute(text.encode()).fetchall()


def _event(name: str, address: str, reason: str | None = None, **rest: Any) -> dict[str, Any]:
    event = {"event": name, "reason": reason, "address": address, "user_agent": "curl/8"}
    return event | {"request_id": "r", "bounded": False} | rest


def customer(database: Database) -> tuple[SignedIn, str]:
    """A new user with a session and a task, and the address that they signed up with."""
    signed_up = Call("auth_events/record", _event("signup", "192.0.2.1"))
    who = sign_up(database, signed_up, create(max_tasks=10))
    return who, f"{who.user_id}@example.com"


def test_the_page_has_the_questions_that_come_up_at_night() -> None:
    assert list(QUERIES) == [
        "Slowest statements, by file",
        "Sign-ins of a user",
        "What happened, newest first",
        "Failed logins by address, in the last hour",
        "Lock waits",
        "Connections and open transactions",
        "Table bloat",
        "Index bloat",
        "Unused indexes",
    ]


def test_sign_ins_of_a_user(database: Database, ask: Callable[..., list[dict[str, Any]]]) -> None:
    who, email = customer(database)
    customer(database)
    renewal = {"session_id": who.session_id, "renewed_id": str(uuid.uuid4())}
    renewal |= {"lifetime": 60, "longest": 3600, "address": "192.0.2.2", "user_agent": "curl/8"}
    database.as_user(who, Call("sessions/renew", renewal))
    [sign_in] = ask("Sign-ins of a user", email=email)
    assert str(sign_in["id"]) == renewal["renewed_id"]
    assert (str(sign_in["address"]), sign_in["user_agent"]) == ("192.0.2.2", "curl/8")
    assert sign_in["signed_in_at"] < sign_in["renewed_at"]


def test_what_happened_newest_first(
    database: Database, ask: Callable[..., list[dict[str, Any]]]
) -> None:
    _, email = customer(database)
    refused = _event("login_refused", "192.0.2.9", "unknown email", user_id=None)
    database.before_sign_in(Call("before_sign_in/record_event", refused), user_id=None)
    newest, before = ask("What happened, newest first")[:2]
    assert (newest["event"], newest["reason"], newest["who"]) == (
        "login_refused",
        "unknown email",
        "(unknown)",
    )
    assert (before["event"], before["who"], str(before["address"])) == (
        "signup",
        email,
        "192.0.2.1",
    )


def test_failed_logins_by_address(
    database: Database,
    superuser: psycopg.Connection[Any],
    ask: Callable[..., list[dict[str, Any]]],
) -> None:
    who, _ = customer(database)
    for event in (
        _event("login_refused", "192.0.2.7", "wrong password", user_id=who.user_id),
        _event("login_refused", "2001:db8::1", "unknown email", user_id=None),
        _event("login_refused", "2001:db8::2", "unknown email", user_id=None),
        _event("rate_limited", "2001:db8::3", "auth.login", user_id=None),
    ):
        database.before_sign_in(
            Call("before_sign_in/record_event", event), user_id=event["user_id"]
        )
    superuser.execute(
        "INSERT INTO auth_events (event, address, request_id, occurred_at)"
        " VALUES ('login_refused', '192.0.2.8', 'r', now() - interval '61 minutes')"
    )
    found = ask("Failed logins by address, in the last hour")
    keys = ("network", "wrong_password", "unknown_email", "rate_limited", "accounts")
    assert [tuple(str(row[key]) for key in keys) for row in found] == [
        ("2001:db8::/64", "0", "2", "1", "0"),
        ("192.0.2.7/32", "1", "0", "0", "1"),
    ]


def test_lock_waits(
    database_url: str, superuser: psycopg.Connection[Any], database: Database
) -> None:
    who, _ = customer(database)
    with (
        psycopg.connect(database_url, application_name="somebody's psql") as blocking,
        psycopg.connect(database_url, autocommit=True, application_name="waits") as waiting,
    ):
        blocking.execute("UPDATE tasks SET title = 'held' WHERE user_id = %s", (who.user_id,))
        pid = waiting.info.backend_pid
        waiting.pgconn.send_query(b"/* tasks/complete */ UPDATE tasks SET title = title")
        blocked = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
        until(lambda: superuser.execute(blocked, (pid,)).fetchone() is not None)
        [wait] = _ask(superuser, "Lock waits")
        assert (wait["pid"], wait["file"]) == (pid, "tasks/complete")
        assert wait["blocked_by"] == blocking.info.backend_pid
        assert wait["blocking_application"] == "somebody's psql"
        assert wait["blocking_state"] == "idle in transaction"
        assert wait["blocking_query"].startswith("UPDATE tasks SET title = 'held'")
        blocking.rollback()
        while waiting.pgconn.get_result():
            pass


def test_connections_by_program(
    database: Database, ask: Callable[..., list[dict[str, Any]]]
) -> None:
    customer(database)
    [ours] = [
        row
        for row in ask("Connections and open transactions")
        if row["application_name"] == "todo-api"
    ]
    assert (ours["state"], ours["connections"], ours["oldest_transaction"]) == ("idle", 1, None)


def test_bloat_of_tables_and_indexes(
    superuser: psycopg.Connection[Any], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    def times_packed() -> float:
        return _by_name(ask("Index bloat"), "index_name")["auth_events_pkey"]["times_packed"]

    # a table that no layout splits
    superuser.execute("ALTER TABLE auth_events SET (autovacuum_enabled = off)")
    superuser.execute(
        "INSERT INTO auth_events (event, address, request_id)"
        " SELECT 'login_refused', '192.0.2.1', 'r' FROM generate_series(1, 20000)"
    )
    superuser.execute("SELECT pg_stat_force_next_flush()")
    superuser.execute("VACUUM ANALYZE auth_events")
    packed = times_packed()
    superuser.execute("DELETE FROM auth_events WHERE id % 10 > 0")
    superuser.execute("SELECT pg_stat_force_next_flush()")
    table = _by_name(ask("Table bloat"), "table_name")["auth_events"]
    assert (table["live_rows"], table["dead_rows"]) == (2000, 18000)
    assert table["dead_percent"] == 90
    assert table["vacuumed_at"]
    superuser.execute("VACUUM ANALYZE auth_events")
    assert 0.7 < packed < 2
    assert times_packed() > 5 * packed


def test_unused_indexes(
    superuser: psycopg.Connection[Any], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    superuser.execute("CREATE INDEX nobody_asks ON rate_limits (hits)")
    found = _by_name(ask("Unused indexes"), "index_name")
    assert found["nobody_asks"]["scans"] == 0
    assert "auth_events_by_time" in found  # no DBA has asked yet
    assert not {"auth_events_pkey", "users_email_key"} & found.keys()


def _by_name(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


# --- from what the server shows back to the file ---


def test_the_servers_log_names_the_file(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    [(name,)] = superuser.execute("SELECT current_database()").fetchall()
    superuser.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
    with closing(Database(database_url, connections=1)) as database:
        who, _ = customer(database)
        database.as_user(who, Call("tasks/list", row=as_task))
    socket_folder = conninfo_to_dict(database_url)["host"]
    log = (Path(str(socket_folder)).parent / "log").read_text("utf-8", "replace")
    for file in ("before_sign_in/begin_session", "tasks/create", "tasks/list"):
        assert re.search(rf"duration: .* ms  execute \S+: /\* {file} \*/ ", log), file


@pytest.mark.programs
def test_pg_stat_statements_names_the_file() -> None:
    # The embedded server comes without the extension; Debian's has it.
    folder = Path(tempfile.mkdtemp(prefix="todo-"))
    folder.chmod(0o711)
    programs = Path(os.environ.get("PG_BIN", DEBIAN))
    try:
        with (
            embedded_postgres(folder, programs) as url,
            psycopg.connect(url, autocommit=True) as one,
        ):
            one.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        with embedded_postgres(folder, programs) as url:
            migrate(url)
            with psycopg.connect(url, autocommit=True) as superuser:
                superuser.execute("CREATE EXTENSION pg_stat_statements")
                with closing(Database(url, connections=1)) as database:
                    who, _ = customer(database)
                    for _ in range(7):
                        database.as_user(who, Call("tasks/list", row=as_task))
                found = _by_name(_ask(superuser, "Slowest statements, by file"), "file")
    finally:
        shutil.rmtree(folder)
    assert (found["tasks/list"]["calls"], found["tasks/list"]["rows"]) == (7, 7)
    assert found["before_sign_in/begin_session"]["calls"] == 7
    assert {"tasks/create", "sessions/create", "auth_events/record"} <= found.keys()
