"""The database guards itself: roles, grants and row security, for every kind of login."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from support.signed_up import (
    HASH,
    TURN,
    create,
    create_once,
    delete,
    event,
    kept,
    sign_up,
    with_token,
)
from todo_api.database.calls import Call, SignedIn
from todo_api.database.data import Database
from todo_api.tasks.rows import as_task
from todo_api.upkeep.migrate import migrate
from todo_api.upkeep.role_check import RoleError, check_role

pytestmark = pytest.mark.partitioned
KEYS = {
    "tasks": "id",
    "sessions": "id",
    "api_tokens": "id",
    "users": "user_id",
    "task_counts": "user_id",
    "deleted_tasks": "id",
    "idempotency_keys": "key",
    "batch_results": "place",
    "sign_in_networks": "network",
}
_numbers = itertools.count(1)


@pytest.fixture
def login(admin: psycopg.Connection[Any]) -> Iterator[Callable[[str], str]]:
    """Makes login roles; their names. They go after the test, with all that they own."""
    made = []

    def make(options: str = "") -> str:
        made.append(f"guard_{next(_numbers)}")
        admin.execute(f"CREATE ROLE {made[-1]} LOGIN {options}")
        return made[-1]

    yield make
    for name in made:
        for (database,) in admin.execute(
            "SELECT datname FROM pg_database WHERE datdba = %s::regrole", (name,)
        ).fetchall():
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
        admin.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture
def alter(admin: psycopg.Connection[Any]) -> Iterator[Callable[[str, str], None]]:
    """Changes roles, which belong to the whole server, until the end of the test."""
    undo = []

    def alter(change: str, back: str) -> None:
        undo.append(back)
        admin.execute(change.encode())

    yield alter
    for back in reversed(undo):
        admin.execute(back.encode())


@pytest.fixture(scope="module")
def shared_url(postgres: str, template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A migrated database for the tests that leave it as it was."""
    admin.execute(f"CREATE DATABASE guarded TEMPLATE {template}")
    yield make_conninfo(postgres, dbname="guarded")
    admin.execute("DROP DATABASE guarded WITH (FORCE)")


@pytest.fixture(scope="module")
def database(shared_url: str) -> Iterator[Database]:
    with closing(Database(shared_url, connections=1)) as database:
        yield database


@pytest.fixture(scope="module")
def shared(shared_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the shared database."""
    with psycopg.connect(shared_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def a(database: Database) -> SignedIn:
    return with_a_key(database)


@pytest.fixture(scope="module")
def b(database: Database) -> SignedIn:
    return with_a_key(database)


def with_a_key(database: Database, title: str = "Buy oat milk") -> SignedIn:
    """A new user with a row in each table: one task was created with a key, another is deleted."""
    signed_up = Call("auth_events/record", event(event="signup", bounded=False))
    network = Call("sign_in_networks/see", {"network": "192.0.2.1"})
    who = sign_up(database, signed_up, network, create_once("k", title, max_tasks=10)[-1])
    with_token(database, who)
    _, [gone] = database.as_user(who, TURN, create(max_tasks=10))
    database.as_user(who, TURN, kept("k", gone.id), delete(gone.id))
    return who


class AsTheService:
    """SQL as the service could ever send it: as todo_app, for one user or for nobody."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def run(self, user_id: str | None, sql: str, *values: Any) -> tuple[int, list[Any]]:
        """How many rows it met, and those it returned."""
        with self.connection.transaction():
            self.connection.execute("SELECT begin_request(%s)", (user_id,))
            cursor = self.connection.execute(sql.encode(), values or None)
            return cursor.rowcount, cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def service(shared: psycopg.Connection[Any]) -> AsTheService:
    """The service on a superuser's connection: the worst case."""
    return AsTheService(shared)


def guarded_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """The tables with a user_id; partitions, if there are any, are looked at in test_partitions.py."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS u ON u.attrelid = c.oid"
        " WHERE u.attname = 'user_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return [name for (name,) in rows]


# --- over the catalogue: also for what is added later ---


def test_every_reference_to_a_user_lets_the_rows_go_with_the_user(
    shared: psycopg.Connection[Any],
) -> None:
    for table in guarded_tables(shared):
        if table != "users":
            assert shared.execute(
                "SELECT confdeltype FROM pg_constraint WHERE contype = 'f'"
                " AND conrelid = %s::regclass AND confrelid = 'users'::regclass",
                (table,),
            ).fetchall() == [("c",)]


def test_a_temporary_table_does_not_mislead_a_function(service: AsTheService, a: SignedIn) -> None:
    with service.connection.transaction(force_rollback=True):
        service.connection.execute("SELECT begin_request(null)")
        service.connection.execute(
            "CREATE TEMP TABLE users (user_id uuid, email text, password_hash text)"
        )
        found = service.connection.execute(
            "SELECT user_id::text FROM find_account_from(%s, '192.0.2.1')",
            (f"{a.user_id}@example.com",),
        ).fetchall()
    assert found == [(a.user_id,)]


def test_outsiders_can_do_nothing(shared_url: str, login: Callable[[str], str]) -> None:
    with psycopg.connect(make_conninfo(shared_url, user=login("")), autocommit=True) as outsider:
        for sql in (
            *(f"SELECT FROM {table}" for table in [*KEYS, "auth_events", "rate_limits"]),
            "SELECT find_account_from('ann@example.com', '192.0.2.1')",
            "SELECT auth_event_room('192.0.2.1')",
            "SELECT begin_request(null)",
            "SET ROLE todo_app",
            "CREATE TABLE mine ()",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                outsider.execute(sql.encode())


# --- grants ---


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT password_hash FROM users",
        "SELECT * FROM users",
        "SELECT users FROM users",
        (
            "INSERT INTO users (user_id, email, password_hash) VALUES ('{a}', '', '')"
            " RETURNING password_hash"
        ),
        "UPDATE users SET created_at = now()",
        "UPDATE users SET disabled_at = NULL",
        "UPDATE users SET user_id = user_id",
        "DELETE FROM users",
        "UPDATE tasks SET user_id = user_id",
        "UPDATE tasks SET id = gen_random_uuid()",
        "UPDATE tasks SET created_at = now()",
        "INSERT INTO tasks (user_id, title, created_at) VALUES ('{a}', 'x', now())",
        "UPDATE deleted_tasks SET user_id = user_id",
        "UPDATE deleted_tasks SET id = gen_random_uuid()",
        (
            "INSERT INTO deleted_tasks (user_id, id, revision, deleted_at)"
            " VALUES ('{a}', gen_random_uuid(), 1, now())"
        ),
        "UPDATE task_counts SET user_id = user_id",
        "DELETE FROM task_counts",
        "UPDATE api_tokens SET user_id = user_id",
        "UPDATE api_tokens SET scope = 'write'",
        "UPDATE api_tokens SET expires_at = NULL",
        "INSERT INTO api_tokens (user_id, last_used_on) VALUES ('{a}', now())",
        "UPDATE idempotency_keys SET task_id = gen_random_uuid()",
        "UPDATE idempotency_keys SET created_at = now()",
        "UPDATE batch_results SET answer = '[]'",
        "UPDATE batch_results SET created_at = now()",
        "UPDATE sign_in_networks SET network = '192.0.2.9'",
        "UPDATE sign_in_networks SET user_id = '{a}'",
        "UPDATE sessions SET user_id = user_id",
        "UPDATE sessions SET created_at = now()",
        "SELECT network FROM auth_events",
        "SELECT * FROM auth_events",
        "SELECT count(network) FROM auth_events",
        "UPDATE auth_events SET reason = 'x'",
        "DELETE FROM auth_events",
        (
            "INSERT INTO auth_events (occurred_at, event, address, request_id)"
            " VALUES (now(), 'login', '::', 'r')"
        ),
        "INSERT INTO applied_migrations (id, checksum) VALUES ('x', 'x')",
        "DELETE FROM applied_migrations",
        *(
            f"TRUNCATE {table}"
            for table in [*KEYS, "auth_events", "rate_limits", "applied_migrations"]
        ),
        *(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY" for table in [*KEYS, "auth_events"]),
        "DROP POLICY tasks_own ON tasks",
        "CREATE TABLE mine ()",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER mine BEFORE INSERT ON tasks EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "ALTER FUNCTION begin_request(uuid) OWNER TO todo_app",
        "GRANT SELECT ON users TO PUBLIC",
    ],
)
def test_the_service_may_not(service: AsTheService, a: SignedIn, sql: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        service.run(a.user_id, sql.replace("{a}", a.user_id))


def test_the_function_of_the_login_answers_for_one_address_only(
    service: AsTheService, a: SignedIn, b: SignedIn
) -> None:
    found = service.run(None, "SELECT user_id::text FROM find_account_from('%', '192.0.2.1')")
    assert found == (0, [])
    email = f"{a.user_id}@EXAMPLE.com"
    assert service.run(None, "SELECT user_id::text FROM find_account_from(%s, '192.0.2.1')", email)[
        1
    ] == [(a.user_id,)]


def test_the_function_of_the_login_knows_the_networks_of_that_account_only(
    service: AsTheService, a: SignedIn, b: SignedIn
) -> None:
    found = "SELECT user_id::text, is_known_network FROM find_account_from(%s, %s)"
    assert service.run(None, found, "%", "192.0.2.1") == (0, [])
    email = f"{a.user_id}@EXAMPLE.com"
    for network, is_known in (("192.0.2.1", True), ("192.0.2.0/24", False), ("192.0.2.2", False)):
        assert service.run(None, found, email, network)[1] == [(a.user_id, is_known)]


# --- rows ---


@pytest.mark.parametrize("table", KEYS)
def test_a_user_sees_own_rows_only(
    service: AsTheService, a: SignedIn, b: SignedIn, table: str
) -> None:
    everyone = service.connection.execute(f"SELECT DISTINCT user_id::text FROM {table}".encode())
    assert {a.user_id, b.user_id} <= {user for (user,) in everyone}
    for who in (a, b):
        seen = service.run(who.user_id, f"SELECT DISTINCT user_id::text FROM {table}")[1]
        assert seen == [(who.user_id,)]


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("nobody", [None, str(uuid.UUID(int=0))])
def test_without_a_user_no_row_is_seen(
    service: AsTheService, a: SignedIn, table: str, nobody: str | None
) -> None:
    assert service.run(nobody, f"SELECT user_id FROM {table}") == (0, [])


def test_without_any_setting_no_row_is_seen(shared: psycopg.Connection[Any], a: SignedIn) -> None:
    for setting in (None, ""):
        with shared.transaction():
            shared.execute("SET LOCAL ROLE todo_app")
            if setting is not None:
                shared.execute("SELECT set_config('app.user_id', %s, true)", (setting,))
            for table in KEYS:
                assert shared.execute(f"SELECT user_id FROM {table}".encode()).fetchall() == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM users WHERE user_id = '{b}'",
        "SELECT 1 FROM tasks WHERE user_id = '{b}'",
        "SELECT 1 FROM tasks WHERE id = '{task}'",
        "UPDATE tasks SET title = 'mine' WHERE user_id = '{b}'",
        "UPDATE tasks SET title = 'mine' WHERE id = '{task}' RETURNING id",
        "UPDATE tasks SET completed_at = now() WHERE title = 'a secret title'",
        "DELETE FROM tasks WHERE user_id = '{b}'",
        "DELETE FROM tasks WHERE id = '{task}'",
        "UPDATE task_counts SET tasks = 0 WHERE user_id = '{b}'",
        "SELECT 1 FROM sessions WHERE id = '{session}'",
        "DELETE FROM sessions WHERE user_id = '{b}'",
        "DELETE FROM sessions WHERE id = '{session}'",
        "SELECT 1 FROM api_tokens WHERE user_id = '{b}'",
        "UPDATE api_tokens SET last_used_on = '2026-01-31' WHERE user_id = '{b}'",
        "DELETE FROM api_tokens WHERE user_id = '{b}'",
        "SELECT 1 FROM idempotency_keys WHERE user_id = '{b}'",
        "SELECT 1 FROM idempotency_keys WHERE task_id = '{task}'",
        "DELETE FROM idempotency_keys WHERE task_id = '{task}'",
        "SELECT 1 FROM batch_results WHERE user_id = '{b}'",
        "SELECT 1 FROM tasks AS t JOIN users AS u USING (user_id) WHERE u.user_id = '{b}'",
    ],
)
def test_a_statement_without_its_rule_still_does_not_meet_another_users_rows(
    database: Database, service: AsTheService, a: SignedIn, sql: str
) -> None:
    other = with_a_key(database, "a secret title")
    [(task,)] = service.run(other.user_id, "SELECT id::text FROM tasks")[1]
    sql = sql.replace("{b}", other.user_id).replace("{task}", task)
    sql = sql.replace("{session}", other.session_id)
    assert service.run(a.user_id, sql) == (0, [])
    # the statement is one that does meet the owner's rows
    with service.connection.transaction(force_rollback=True):
        assert service.run(other.user_id, sql)[0] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO tasks (user_id, title) VALUES ('{b}', 'planted')",
        "INSERT INTO sessions (user_id, id, expires_at) VALUES ('{b}', gen_random_uuid(), 'infinity')",
        "INSERT INTO api_tokens (user_id, id, name, scope) VALUES ('{b}', gen_random_uuid(), 'x', 'read')",
        "INSERT INTO task_counts (user_id, tasks) VALUES ('{b}', 1)",
        (
            "INSERT INTO task_counts (user_id, tasks) VALUES ('{b}', 1)"
            " ON CONFLICT (user_id) DO UPDATE SET tasks = 0"
        ),
        (
            "INSERT INTO idempotency_keys (user_id, key, request_hash, task_id, created_at)"
            " VALUES ('{b}', 'k', sha256(''), gen_random_uuid(), now())"
        ),
        ("INSERT INTO batch_results (user_id, key, place, answer) VALUES ('{b}', 'k', 7, '[]')"),
        (
            "INSERT INTO users (user_id, email, password_hash)"
            " VALUES (gen_random_uuid(), 'x@example.com', '{hash}')"
        ),
        "INSERT INTO auth_events (event, user_id, address, request_id) VALUES ('login', '{b}', '::1', 'r')",
    ],
)
def test_nothing_can_be_planted_with_another_user(
    service: AsTheService, a: SignedIn, b: SignedIn, sql: str
) -> None:
    sql = sql.replace("{b}", b.user_id).replace("{hash}", HASH)
    for user in (a.user_id, None):
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            service.run(user, sql)


def test_all_that_a_user_has_leaves_with_the_user(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=1)) as database:
        with_a_key(database)
    superuser.execute(
        "INSERT INTO reset_codes SELECT user_id, sha256(''), now() + interval '1 hour' FROM users"
    )
    tables = guarded_tables(superuser)
    for has_rows in (True, False):
        for table in tables:
            count = superuser.execute(f"SELECT count(*) > 0 FROM {table}".encode()).fetchone()
            assert count == (has_rows,), table
        superuser.execute("DELETE FROM users")


# --- which login ---


def use_service(url: str) -> None:
    """Check what start-up checks, then let two users meet over one connection."""
    check_role(url)
    with closing(Database(url, connections=1)) as database:
        one, other = with_a_key(database), with_a_key(database)
        for who in (one, other, one):
            [tasks] = database.as_user(who, Call("tasks/list", row=as_task))
            assert [task.user_id for task in tasks] == [who.user_id]


def test_a_superuser_is_held_by_row_security(shared_url: str) -> None:
    use_service(shared_url)


@pytest.mark.slow
@pytest.mark.parametrize("options", ["CREATEROLE", "CREATEROLE BYPASSRLS", "CREATEROLE CREATEDB"])
def test_an_owner_is_held_by_row_security(
    shared_url: str, login: Callable[[str], str], admin: psycopg.Connection[Any], options: str
) -> None:
    owner = login(options)
    # the roles are there already: this owner can't grant them to itself
    admin.execute(f"GRANT todo_app, todo_auth TO {owner}")
    name = f"owned_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} OWNER {owner}")
    url = make_conninfo(shared_url, dbname=name, user=owner)
    migrate(url)
    use_service(url)


@pytest.mark.parametrize("options", ["", "BYPASSRLS", "SUPERUSER"])
def test_a_mere_member_is_held_by_row_security(
    shared_url: str, login: Callable[[str], str], admin: psycopg.Connection[Any], options: str
) -> None:
    member = login(options)
    admin.execute(f"GRANT todo_app TO {member}")
    use_service(make_conninfo(shared_url, user=member))


def test_a_login_that_is_no_member_is_refused(shared_url: str, login: Callable[[str], str]) -> None:
    with pytest.raises(RoleError, match="can't work as todo_app in this database"):
        check_role(make_conninfo(shared_url, user=login("")))


@pytest.mark.slow
def test_the_owners_own_queries_see_nothing_by_accident(
    shared_url: str, login: Callable[[str], str], admin: psycopg.Connection[Any]
) -> None:
    owner = login("")
    admin.execute(f"GRANT todo_app, todo_auth TO {owner}")
    name = f"owned_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} OWNER {owner}")
    url = make_conninfo(shared_url, dbname=name, user=owner)
    migrate(url)
    use_service(url)
    with psycopg.connect(url) as connection:
        # as a member of todo_app it has that role's policy, and nobody is set
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)


# --- start-up refuses ---


def test_start_up_accepts_the_shipped_schema(shared_url: str) -> None:
    check_role(shared_url)


def test_a_role_that_bypasses_row_security_is_refused(
    shared_url: str, alter: Callable[[str, str], None]
) -> None:
    alter("ALTER ROLE todo_app BYPASSRLS", "ALTER ROLE todo_app NOBYPASSRLS")
    with pytest.raises(RoleError, match=r"todo_app may bypass row security, by way of todo_app: "):
        check_role(shared_url)


def test_a_superuser_role_is_refused(shared_url: str, alter: Callable[[str, str], None]) -> None:
    alter("ALTER ROLE todo_app SUPERUSER", "ALTER ROLE todo_app NOSUPERUSER")
    with pytest.raises(RoleError, match="todo_app may bypass row security"):
        check_role(shared_url)


@pytest.mark.parametrize("options", ["BYPASSRLS", "SUPERUSER"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_role_that_can_become_a_bypassing_one_is_refused(
    shared_url: str,
    login: Callable[[str], str],
    admin: psycopg.Connection[Any],
    options: str,
    steps: int,
) -> None:
    mighty = way = login(options)
    if steps == 2:
        way = login("")
        admin.execute(f"GRANT {mighty} TO {way}")
    admin.execute(f"GRANT {way} TO todo_app")
    with pytest.raises(RoleError, match=f"by way of {mighty}: "):
        check_role(shared_url)
    admin.execute(f"REVOKE {way} FROM todo_app")
    check_role(shared_url)


@pytest.mark.parametrize("role", ["todo_auth", "pg_read_all_data", "pg_write_all_data"])
def test_a_role_that_can_read_or_write_what_is_not_its_own_is_refused(
    shared_url: str, alter: Callable[[str, str], None], role: str
) -> None:
    alter(f"GRANT {role} TO todo_app", f"REVOKE {role} FROM todo_app")
    with pytest.raises(RoleError, match=f"by way of {role}: "):
        check_role(shared_url)


def test_a_role_that_owns_a_table_is_refused(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("ALTER TABLE sessions OWNER TO todo_app")
    with pytest.raises(RoleError, match="todo_app owns sessions, or may act as the owner"):
        check_role(database_url)


def test_a_role_that_may_act_as_the_owner_is_refused(
    database_url: str,
    superuser: psycopg.Connection[Any],
    login: Callable[[str], str],
) -> None:
    owner = login("")
    superuser.execute(f"GRANT {owner} TO todo_app")
    superuser.execute(f"ALTER TABLE tasks OWNER TO {owner}")
    with pytest.raises(RoleError, match="todo_app owns tasks, or may act as the owner"):
        check_role(database_url)
    superuser.execute("ALTER TABLE tasks OWNER TO todo")


@pytest.mark.slow
def test_a_table_without_forced_row_security_is_refused(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    for table in guarded_tables(superuser):
        for change, back in (("DISABLE", "ENABLE"), ("NO FORCE", "FORCE")):
            superuser.execute(f"ALTER TABLE {table} {change} ROW LEVEL SECURITY".encode())
            with pytest.raises(RoleError, match=f"not enabled and forced on {table}: "):
                check_role(database_url)
            superuser.execute(f"ALTER TABLE {table} {back} ROW LEVEL SECURITY".encode())
    check_role(database_url)


def test_a_new_table_with_a_user_and_without_row_security_is_refused(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("CREATE TABLE notes (user_id uuid)")
    with pytest.raises(RoleError, match=r"not enabled and forced on notes: "):
        check_role(database_url)


def test_a_table_of_another_program_stops_no_start(
    database_url: str, superuser: psycopg.Connection[Any], login: Callable[[str], str]
) -> None:
    superuser.execute("CREATE TABLE orders (user_id uuid)")
    superuser.execute("GRANT ALL ON orders TO PUBLIC")
    superuser.execute(f"ALTER TABLE orders OWNER TO {login('')}")
    check_role(database_url)
    superuser.execute("ALTER TABLE orders OWNER TO todo")
    with pytest.raises(
        RoleError, match=r"not enabled and forced on orders: .* UPDATE orders\.user_id"
    ):
        check_role(database_url)


def test_all_that_is_wrong_is_told_at_once(
    database_url: str,
    superuser: psycopg.Connection[Any],
    alter: Callable[[str, str], None],
) -> None:
    alter("ALTER ROLE todo_app BYPASSRLS", "ALTER ROLE todo_app NOBYPASSRLS")
    superuser.execute("ALTER TABLE tasks DISABLE ROW LEVEL SECURITY")
    superuser.execute("ALTER TABLE users OWNER TO todo_app")
    with pytest.raises(RoleError) as raised:
        check_role(database_url)
    assert str(raised.value).count("; ") == 2


def test_a_database_that_was_never_migrated_is_refused(empty_database_url: str) -> None:
    with pytest.raises(RoleError, match="the schema is not there: run `todo-api migrate` first"):
        check_role(empty_database_url)


@pytest.mark.slow
def test_a_database_that_is_away_is_refused_with_the_reason(database_url: str) -> None:
    with pytest.raises(
        RoleError, match=r"^the database can't be used: .* No such file or directory\. "
    ):
        check_role(make_conninfo(database_url, port=1))


# --- nothing stays on a connection ---


def test_after_a_transaction_nothing_of_the_user_is_left(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    # What a request finds when it starts is written down by the function that starts it.
    superuser.execute("CREATE TABLE found (pid int, role text, who text, timeout text)")
    superuser.execute("ALTER FUNCTION begin_request(uuid) RENAME TO begin_request_really")
    superuser.execute(
        "CREATE FUNCTION begin_request(acting_user uuid) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO found SELECT pg_backend_pid(), current_user, current_setting('app.user_id', true),"
        " current_setting('statement_timeout'); "
        "PERFORM begin_request_really(acting_user); END $$"
    )
    with closing(Database(database_url, connections=1)) as database:
        one, other = with_a_key(database), with_a_key(database)
        for who in (one, other) * 3:
            [tasks] = database.as_user(who, Call("tasks/list", row=as_task))
            assert [task.user_id for task in tasks] == [who.user_id]
            database.before_sign_in()
    found = superuser.execute("SELECT pid, role, coalesce(who, ''), timeout FROM found").fetchall()
    assert len(found) == 2 * 4 + 6 * 2  # of each user four, and of each round two
    assert len({pid for pid, *_ in found}) == 1
    assert {rest for _, *rest in map(tuple, found) for rest in [tuple(rest)]} == {("todo", "", "0")}
