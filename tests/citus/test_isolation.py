"""On a Citus cluster: row security and the role hold on the workers, whatever a statement says.

Runs where CITUS_URL names a coordinator, as a superuser; sql/SCALING.md says how.
"""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import errors

from support.postgres.dba_scripts import distribute
from support.postgres.proxy import proxied
from support.signed_up import HASH, create, create_once, event, sign_up
from todo_api.database.calls import (
    Call,
    SessionEnded,
    SignedIn,
    StatementFailed,
    Unavailable,
    UniqueViolated,
)
from todo_api.database.data import Database
from todo_api.operator import changes
from todo_api.tasks.rows import as_task
from todo_api.upkeep.as_operator import as_operator
from todo_api.upkeep.end_sessions import end_sessions
from todo_api.upkeep.migrate import migrate, rollback
from todo_api.upkeep.role_check import check_role

pytestmark = pytest.mark.citus
DISTRIBUTED = [
    "api_tokens",
    "batch_results",
    "deleted_tasks",
    "idempotency_keys",
    "reset_codes",
    "sessions",
    "sign_in_networks",
    "task_counts",
    "tasks",
]
ON_WORKERS = [*DISTRIBUTED, "users"]
GUARDED = ["auth_events", *ON_WORKERS]
OWN = "(user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)"
LIST = Call("tasks/list", row=as_task)


@pytest.fixture
def superuser(distributed_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The coordinator, as a superuser; what the test left there goes."""
    with psycopg.connect(distributed_url, autocommit=True) as connection:
        yield connection
        for table in ("auth_events", "users", "rate_limits", "invites"):
            connection.execute(f"DELETE FROM {table}".encode())


@pytest.fixture
def database(distributed_url: str, superuser: psycopg.Connection[Any]) -> Iterator[Database]:
    with closing(Database(distributed_url, connections=4)) as database:
        yield database


@pytest.fixture
def a(database: Database, superuser: psycopg.Connection[Any]) -> SignedIn:
    return in_every_table(database, superuser)


@pytest.fixture
def b(database: Database, superuser: psycopg.Connection[Any]) -> SignedIn:
    return in_every_table(database, superuser, "a secret title")


def with_a_key(database: Database, title: str = "Buy oat milk") -> SignedIn:
    """A new user with a session, an event and a task."""
    signed_up = Call("auth_events/record", event(event="signup", bounded=False))
    return sign_up(database, signed_up, create_once("k", title)[-1])


def in_every_table(
    database: Database, superuser: psycopg.Connection[Any], title: str = "Buy oat milk"
) -> SignedIn:
    """A new user with a row in each table."""
    who = with_a_key(database, title)
    for row in (
        "api_tokens (user_id, id, name, scope) VALUES (%s, gen_random_uuid(), 'report', 'read')",
        "reset_codes (user_id, code_hash, expires_at) VALUES (%s, sha256(''), 'infinity')",
        "sign_in_networks (user_id, network, seen_on) VALUES (%s, '192.0.2.1', current_date)",
        "deleted_tasks (user_id, id, revision) VALUES (%s, gen_random_uuid(), 1)",
        "batch_results (user_id, key, place, answer) VALUES (%s, 'k', 0, '')",
    ):
        superuser.execute(f"INSERT INTO {row}".encode(), (who.user_id,))
    return who


def run(
    connection: psycopg.Connection[Any], user_id: str | None, sql: str, *values: Any
) -> tuple[int, list[Any]]:
    """SQL as the service could ever send it: how many rows it met, and those it returned."""
    with connection.transaction():
        connection.execute("SELECT begin_request(%s)", (user_id,))
        cursor = connection.execute(sql.encode(), values or None)
        return cursor.rowcount, cursor.fetchall() if cursor.description else []


def checksums(superuser: psycopg.Connection[Any], who: SignedIn) -> list[Any]:
    """All that a user has, as a superuser sees it."""
    return [
        superuser.execute(
            f"SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} AS t"
            " WHERE user_id = %s".encode(),
            (who.user_id,),
        ).fetchone()
        for table in GUARDED
    ]


# --- what lies where ---


def test_users_are_on_every_node_and_their_rows_are_spread(
    superuser: psycopg.Connection[Any],
) -> None:
    tables = superuser.execute(
        "SELECT table_name::text, citus_table_type, distribution_column, shard_count FROM citus_tables"
        " WHERE table_name::text = ANY (%s) ORDER BY 1",
        (GUARDED,),
    ).fetchall()
    kinds = {name: (kind, column) for name, kind, column, _ in tables}
    assert kinds == {
        **dict.fromkeys(DISTRIBUTED, ("distributed", "user_id")),
        "users": ("reference", "<none>"),
    }
    together = "SELECT count(DISTINCT colocation_id) FROM citus_tables WHERE citus_table_type = 'distributed'"
    assert superuser.execute(together).fetchone() == (1,)
    nodes = superuser.execute(
        "SELECT count(DISTINCT (nodename, nodeport)),"
        " (SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary')"
        " FROM citus_shards WHERE table_name = 'tasks'::regclass"
    ).fetchone()
    assert nodes
    assert nodes[0] == nodes[1]


@pytest.mark.parametrize("table", ON_WORKERS)
def test_row_security_is_forced_on_every_shard(
    superuser: psycopg.Connection[Any], table: str
) -> None:
    placements = superuser.execute(
        "SELECT success, result FROM run_command_on_placements(%s, $$"
        "SELECT concat_ws(' ', relrowsecurity, relforcerowsecurity, pg_get_expr(polqual, polrelid))"
        " FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
        " WHERE pg_class.oid = '%%s'::regclass AND polroles = ARRAY['todo_app'::regrole::oid]$$)",
        (table,),
    ).fetchall()
    assert placements
    assert set(placements) == {(True, f"t t {OWN}")}


def test_the_roles_can_do_no_more_on_any_node(superuser: psycopg.Connection[Any]) -> None:
    found = superuser.execute(
        "SELECT DISTINCT success, result FROM run_command_on_all_nodes($$"
        "SELECT string_agg(concat_ws(' ', rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole,"
        " rolcreatedb, rolreplication), ', ' ORDER BY rolname)"
        " FROM pg_roles WHERE rolname IN ('todo_app', 'todo_auth')$$)"
    ).fetchall()
    # the coordinator logs in to the workers as the role of the request
    assert found == [(True, "todo_app t f f f f f, todo_auth t f f f f f")]


def test_start_up_accepts_the_cluster(distributed_url: str) -> None:
    check_role(distributed_url)


# --- who works on a worker ---


def test_a_worker_works_as_the_role_for_the_user(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn
) -> None:
    for who in (a, b, a):
        [(role, user, timeout, waiting)] = run(
            superuser,
            who.user_id,
            "SELECT current_user, current_setting('app.user_id'), current_setting('statement_timeout'),"
            " current_setting('lock_timeout') FROM tasks WHERE user_id = %s",
            who.user_id,
        )[1]
        assert (role, user, timeout, waiting) == ("todo_app", who.user_id, "5s", "2s")


def test_nothing_of_a_user_is_left_on_a_workers_connection(
    superuser: psycopg.Connection[Any], a: SignedIn
) -> None:
    run(superuser, a.user_id, "SELECT FROM tasks WHERE user_id = %s", a.user_id)
    with superuser.transaction():
        superuser.execute("SELECT set_config('role', 'todo_app', true)")
        seen = superuser.execute("SELECT user_id FROM tasks WHERE user_id = %s", (a.user_id,))
        assert seen.fetchall() == []


# --- rows ---


@pytest.mark.parametrize("table", ON_WORKERS)
def test_a_user_sees_own_rows_only_and_nobody_sees_none(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn, table: str
) -> None:
    everyone = superuser.execute(f"SELECT DISTINCT user_id::text FROM {table}".encode()).fetchall()
    assert {(a.user_id,), (b.user_id,)} <= set(everyone)
    for who in (a, b):
        assert run(superuser, who.user_id, f"SELECT DISTINCT user_id::text FROM {table}")[1] == [
            (who.user_id,)
        ]
    for nobody in (None, str(uuid.UUID(int=0))):
        assert run(superuser, nobody, f"SELECT user_id FROM {table}") == (0, [])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM users WHERE user_id = '{b}'",
        "SELECT 1 FROM tasks",
        "SELECT 1 FROM tasks WHERE user_id = '{b}'",
        "SELECT 1 FROM tasks WHERE id = '{task}'",
        "SELECT 1 FROM tasks WHERE user_id = '{b}' FOR UPDATE",
        "SELECT 1 FROM tasks AS t JOIN users AS u USING (user_id) WHERE u.user_id = '{b}'",
        "UPDATE tasks SET title = 'mine' WHERE user_id = '{b}'",
        "UPDATE tasks SET title = 'mine' WHERE id = '{task}' RETURNING id",
        "UPDATE tasks SET completed_at = now() WHERE title = 'a secret title'",
        "DELETE FROM tasks WHERE user_id = '{b}'",
        "DELETE FROM tasks WHERE id = '{task}' RETURNING id",
        "UPDATE task_counts SET tasks = 0 WHERE user_id = '{b}'",
        "SELECT 1 FROM sessions WHERE id = '{session}'",
        "DELETE FROM sessions WHERE user_id = '{b}'",
        "DELETE FROM sessions WHERE id = '{session}' RETURNING id",
        "SELECT 1 FROM idempotency_keys WHERE user_id = '{b}'",
        "DELETE FROM idempotency_keys WHERE task_id = '{task}' RETURNING key",
        "UPDATE users SET email = 'x@example.com' WHERE user_id = '{b}'",
        "UPDATE users SET email = 'x@example.com' RETURNING user_id",
        "SELECT 1 FROM auth_events WHERE user_id = '{b}'",
        "SELECT 1 FROM auth_events",
        "UPDATE sessions SET expires_at = 'infinity' WHERE user_id = '{b}'",
        "SELECT 1 FROM api_tokens WHERE user_id = '{b}'",
        "UPDATE api_tokens SET last_used_on = NULL WHERE user_id = '{b}'",
        "DELETE FROM api_tokens WHERE name = 'report' RETURNING id",
        "DELETE FROM reset_codes WHERE user_id = '{b}'",
        "DELETE FROM reset_codes WHERE code_hash = sha256('') RETURNING user_id",
        "UPDATE sign_in_networks SET seen_on = '2000-01-01' WHERE user_id = '{b}'",
        "DELETE FROM sign_in_networks WHERE network = '192.0.2.1' RETURNING user_id",
    ],
)
def test_a_statement_without_its_rule_does_not_meet_another_users_rows(
    database: Database, superuser: psycopg.Connection[Any], sql: str
) -> None:
    other = in_every_table(database, superuser, "a secret title")
    who = SignedIn(str(uuid.uuid4()), "")  # a user without rows, so that what is met is another's
    [(task,)] = run(superuser, other.user_id, "SELECT id::text FROM tasks")[1]
    before = checksums(superuser, other)
    for name, value in (("b", other.user_id), ("task", task), ("session", other.session_id)):
        sql = sql.replace(f"{{{name}}}", value)
    for nobody in (who.user_id, None):
        assert run(superuser, nobody, sql) == (0, [])
    assert checksums(superuser, other) == before
    # the statement is one that does meet the owner's rows
    with superuser.transaction(force_rollback=True):
        assert run(superuser, other.user_id, sql)[0] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO tasks (user_id, title) VALUES ('{b}', 'planted')",
        "INSERT INTO sessions (user_id, id, expires_at) VALUES ('{b}', gen_random_uuid(), 'infinity')",
        "INSERT INTO task_counts (user_id, tasks) VALUES ('{b}', 1)",
        (
            "INSERT INTO task_counts (user_id, tasks) VALUES ('{b}', 1)"
            " ON CONFLICT (user_id) DO UPDATE SET tasks = 0"
        ),
        (
            "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
            " VALUES ('{b}', 'x', sha256(''), gen_random_uuid(), now())"
        ),
        (
            "INSERT INTO users (user_id, email, password_hash)"
            " VALUES (gen_random_uuid(), 'x@example.com', '{hash}')"
        ),
        "INSERT INTO tasks (user_id, title) SELECT '{b}', 'x' FROM generate_series(1, 2) RETURNING id",
        "INSERT INTO api_tokens (user_id, id, name, scope) VALUES ('{b}', gen_random_uuid(), 'x', 'write')",
        "INSERT INTO sign_in_networks (user_id, network, seen_on) VALUES ('{b}', '::1', current_date)",
    ],
)
def test_the_node_that_would_store_it_refuses_a_row_of_another_user(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn, sql: str
) -> None:
    before = checksums(superuser, b)
    sql = sql.replace("{b}", b.user_id).replace("{hash}", HASH)
    for user in (a.user_id, None):
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security") as refused:
            run(superuser, user, sql)
        # the shard's own name: not the coordinator's table, but where the rows lie
        assert refused.match(r'for table "\w+_\d{6,}"')
    assert checksums(superuser, b) == before


@pytest.mark.parametrize(
    "sql",
    [
        # Citus makes a COPY of these, which PostgreSQL refuses for a table with row security.
        "INSERT INTO tasks (user_id, title) SELECT '{b}', 'planted' FROM users",
        "INSERT INTO sessions (user_id, id, expires_at) SELECT '{b}', user_id, 'infinity' FROM users",
        "INSERT INTO task_counts (user_id, tasks) SELECT '{b}', 1 FROM users",
        (
            "INSERT INTO users (user_id, email, password_hash)"
            " SELECT gen_random_uuid(), 'x@example.com', '{hash}' FROM sessions"
        ),
        "INSERT INTO auth_events (event, user_id, address, request_id) VALUES ('login', '{b}', '::1', 'r')",
        (
            "INSERT INTO auth_events (event, user_id, address, request_id)"
            " SELECT 'login', '{b}', '::1', 'r' FROM users"
        ),
    ],
)
def test_nothing_can_be_planted_in_other_ways(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn, sql: str
) -> None:
    before = checksums(superuser, b)
    everybody = "SELECT count(*) FROM users"
    count = superuser.execute(everybody).fetchone()
    sql = sql.replace("{b}", b.user_id).replace("{hash}", HASH)
    with pytest.raises(
        (errors.InsufficientPrivilege, errors.FeatureNotSupported), match="row-level security"
    ):
        run(superuser, a.user_id, sql)
    assert checksums(superuser, b) == before
    assert superuser.execute(everybody).fetchone() == count


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT password_hash FROM users",
        "UPDATE users SET user_id = user_id",
        "UPDATE users SET created_at = now()",
        "UPDATE users SET disabled_at = NULL",
        "DELETE FROM users",
        "UPDATE tasks SET user_id = user_id",
        "UPDATE tasks SET created_at = now()",
        "UPDATE task_counts SET user_id = user_id",
        "DELETE FROM task_counts",
        "UPDATE sessions SET created_at = now()",
        "UPDATE idempotency_keys SET task_id = gen_random_uuid()",
        "UPDATE sessions SET sign_in_id = NULL",
        "UPDATE auth_events SET reason = NULL",
        "SELECT network FROM auth_events",
        "DELETE FROM auth_events",
        "UPDATE api_tokens SET scope = 'write'",
        "UPDATE reset_codes SET expires_at = 'infinity'",
        "INSERT INTO reset_codes (user_id, code_hash, expires_at) VALUES ('{a}', sha256(''), 'infinity')",
        "UPDATE sign_in_networks SET network = network",
        "SELECT code_hash FROM invites",
        "DELETE FROM invites",
        *(f"TRUNCATE {table}" for table in GUARDED),
        *(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY" for table in GUARDED),
        "DROP POLICY tasks_own ON tasks",
        "SELECT undistribute_table('tasks')",
        "SELECT citus_add_node('192.0.2.1', 5432)",
    ],
)
def test_the_service_may_not(superuser: psycopg.Connection[Any], a: SignedIn, sql: str) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)):
        run(superuser, a.user_id, sql.replace("{a}", a.user_id))


def test_row_security_can_not_be_turned_off(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn
) -> None:
    unbound = (
        f"SET LOCAL row_security = off; SELECT user_id FROM tasks WHERE user_id = '{b.user_id}'"
    )
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        run(superuser, a.user_id, unbound)


# --- the service on it ---


def test_two_users_alternate_on_one_connection_in_parallel(distributed_url: str) -> None:
    with closing(Database(distributed_url, connections=1)) as single:
        users = [with_a_key(single, "one"), with_a_key(single, "other")]

        def look(number: int) -> set[str]:
            return {task.user_id for task in single.as_user(users[number % 2], LIST)[0]}

        with ThreadPoolExecutor(2) as threads:
            seen = list(threads.map(look, range(60)))
        assert seen == [{users[number % 2].user_id} for number in range(60)]


def test_a_request_is_one_round_trip(distributed_url: str, a: SignedIn) -> None:
    with proxied(distributed_url) as proxy, closing(Database(proxy.url, connections=1)) as single:
        single.before_sign_in()
        for call in (create(), LIST, create(), LIST):
            proxy.flights = 0
            single.as_user(a, call)
            assert proxy.flights == 1


def test_an_error_takes_everything_back_and_the_connection_is_used_again(
    distributed_url: str, a: SignedIn, superuser: psycopg.Connection[Any]
) -> None:
    before = checksums(superuser, a)
    with closing(Database(distributed_url, connections=1)) as single:
        for _ in range(6):
            with pytest.raises(SessionEnded):
                single.as_user(SignedIn(a.user_id, str(uuid.uuid4())), create())
            with pytest.raises(StatementFailed):
                single.as_user(a, create("taken back"), create(""))
            account = {"user_id": a.user_id, "email": f"{a.user_id}@example.com"}
            with pytest.raises(UniqueViolated):
                single.before_sign_in(
                    Call("before_sign_in/create_user", account | {"password_hash": HASH}),
                    user_id=a.user_id,
                )
        assert checksums(superuser, a) == before
        assert len(single.as_user(a, LIST)[0]) == 1


def test_an_error_at_the_commit_takes_back_what_the_workers_did(
    distributed_url: str, a: SignedIn, superuser: psycopg.Connection[Any]
) -> None:
    before = checksums(superuser, a)
    superuser.execute(
        "CREATE FUNCTION too_late() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'too late' USING ERRCODE = '40001'; END $$"
    )
    superuser.execute(
        "CREATE CONSTRAINT TRIGGER too_late AFTER INSERT ON auth_events DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION too_late()"
    )
    recorded = Call("auth_events/record", event(event="logout", bounded=False))
    try:
        with closing(Database(distributed_url, connections=1)) as single:
            for _ in range(3):
                with pytest.raises(Unavailable, match="40001"):
                    single.as_user(a, create("taken back"), recorded)
                assert len(single.as_user(a, LIST)[0]) == 1
    finally:
        superuser.execute("DROP FUNCTION too_late() CASCADE")
    assert checksums(superuser, a) == before


def test_an_operator_ends_sessions_on_every_worker(
    distributed_url: str, superuser: psycopg.Connection[Any], database: Database
) -> None:
    users = [with_a_key(database) for _ in range(5)]
    assert end_sessions(distributed_url, f"{users[0].user_id}@example.com") == (1, 1)
    with pytest.raises(SessionEnded):
        database.as_user(users[0], LIST)
    assert len(database.as_user(users[1], LIST)[0]) == 1
    assert end_sessions(distributed_url) == (4, 4)
    for who in users:
        with pytest.raises(SessionEnded):
            database.as_user(who, LIST)
    recorded = "SELECT count(DISTINCT user_id) FROM auth_events WHERE reason = 'by the operator'"
    assert superuser.execute(recorded).fetchone() == (5,)


def test_an_operator_adds_disables_and_deletes_accounts_on_every_worker(
    distributed_url: str, superuser: psycopg.Connection[Any], database: Database
) -> None:
    users = [in_every_table(database, superuser) for _ in range(4)]
    with as_operator(distributed_url) as operator:
        added = [changes.add(operator, f"{number}@example.com", 4)[0] for number in range(4)]
        for account in added:
            changes.reset_password(operator, account.user_id)
        kept = "SELECT count(*) FROM reset_codes WHERE user_id = ANY (%s)"
        assert superuser.execute(kept, ([one.user_id for one in added],)).fetchone() == (4,)
        for who in users:
            account, *changed = changes.disable(operator, f"{who.user_id}@example.com")
            assert (account.user_id, account.tasks, changed) == (who.user_id, 1, [True, 1, 1])
            assert changes.enable(operator, who.user_id)[1]
            with pytest.raises(SessionEnded):
                database.as_user(who, LIST)
            changes.delete(operator, who.user_id)
            assert {count for count, _ in checksums(superuser, who)} == {0}
    assert superuser.execute("SELECT count(*) FROM users").fetchone() == (4,)


def test_parallel_creates_stop_exactly_at_the_quota(database: Database, a: SignedIn) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(lambda _: len(database.as_user(a, create(max_tasks=5))[0]), range(20))
        )
    assert sum(made) == 4
    assert len(database.as_user(a, LIST)[0]) == 5


def test_parallel_creates_with_one_key_make_one_task(database: Database, a: SignedIn) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(lambda _: database.as_user(a, *create_once("one", "x"))[-1][0], range(20))
        )
    assert len({task_id for _, _, task_id, *_ in made}) == 1
    assert sorted(is_replay for _, is_replay, *_ in made) == [False] + [True] * 19
    assert len(database.as_user(a, LIST)[0]) == 2


def test_a_deleted_users_rows_go_from_every_worker(
    superuser: psycopg.Connection[Any], a: SignedIn, b: SignedIn
) -> None:
    kept = checksums(superuser, b)
    superuser.execute("DELETE FROM users WHERE user_id = %s", (a.user_id,))
    # auth_events has no foreign key here: its rows are deleted by whoever deletes the user
    assert [count for count, _ in checksums(superuser, a)] == [1, *[0] * len(ON_WORKERS)]
    assert checksums(superuser, b) == kept


def test_rows_that_were_there_before_are_taken_along(
    distributed_url: str, superuser: psycopg.Connection[Any]
) -> None:
    rollback(distributed_url)
    migrate(distributed_url)
    superuser.execute(
        "INSERT INTO users (user_id, email, password_hash)"
        " SELECT gen_random_uuid(), n || '@example.com', %s FROM generate_series(1, 50) AS n",
        (HASH,),
    )
    for fill in (
        "tasks (user_id, title) SELECT user_id, 'task ' || n FROM users, generate_series(1, 9) AS n",
        "task_counts (user_id, tasks) SELECT user_id, 9 FROM users",
        (
            "idempotency_keys (user_id, key, request_hash, task_id, created_at)"
            " SELECT user_id, 'k', sha256(''), id, created_at FROM tasks WHERE title = 'task 1'"
        ),
        "sessions (user_id, id, expires_at) SELECT user_id, gen_random_uuid(), 'infinity' FROM users",
        "auth_events (event, user_id, address, request_id) SELECT 'login', user_id, '::1', 'r' FROM users",
    ):
        superuser.execute(f"INSERT INTO {fill}".encode())
    users = [
        SignedIn(str(user), str(session))
        for user, session in superuser.execute("SELECT user_id, id FROM sessions").fetchall()
    ]
    assert len(users) == 50
    before = [checksums(superuser, who) for who in users]
    distribute(superuser)
    assert [checksums(superuser, who) for who in users] == before
    with closing(Database(distributed_url, connections=1)) as database:
        for who in users[:5]:
            event = {"event": "logout", "reason": None, "address": "::1", "user_agent": None}
            more = Call("auth_events/record", event | {"request_id": "r", "bounded": False})
            assert len(database.as_user(who, LIST, more)[0]) == 9


def test_the_script_can_be_run_again(
    superuser: psycopg.Connection[Any], database: Database, a: SignedIn
) -> None:
    before = checksums(superuser, a)
    distribute(superuser)  # ends the service's connections, which come back by themselves
    assert checksums(superuser, a) == before
    assert len(database.as_user(a, LIST)[0]) == 1
