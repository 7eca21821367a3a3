"""Where others may create in public, nothing that they plant is taken for PostgreSQL's or the service's."""

from collections.abc import Callable, Iterator
from typing import Any

import pglast
import psycopg
import pytest
from flask import Flask
from pglast import ast
from pglast.enums import A_Expr_Kind
from psycopg.conninfo import make_conninfo

from support.accounts import Account
from support.rules.user_rule import opens_or_ends, walk
from todo_api.database.statements import load_statements
from todo_api.upkeep.database_check import check_database
from todo_api.upkeep.end_sessions import end_sessions
from todo_api.upkeep.migrate import MigrationError, migrate

STATEMENTS = {name: one for name, one in load_statements().items() if not opens_or_ends(one.text)}
SCHEMAS = ("pg_catalog", "public")
# Between them, every operator that PostgreSQL itself does not have is planted.
TYPES = (
    "uuid", "text", "name", "integer", "bigint", "smallint", "numeric", "float8", "boolean", "oid",
    "timestamptz", "timestamptz[]", "interval", "inet", "bytea", '"char"', "text[]", "integer[]", "uuid[]",
    "regnamespace", "regclass", "date", "timestamp",
)  # fmt: skip
BETTER = [  # functions that fit some call better than PostgreSQL's own
    "make_interval(secs integer) RETURNS interval",
    "make_interval(secs bigint) RETURNS interval",
    "unnest(timestamptz[]) RETURNS SETOF timestamptz",
    "array_fill(timestamptz, integer[]) RETURNS timestamptz[]",
    "array_cat(timestamptz[], timestamptz[]) RETURNS timestamptz[]",
    "count(uuid) RETURNS bigint",
    "min(timestamptz[]) RETURNS timestamptz",
    "hashtextextended(text, integer) RETURNS bigint",
    "pg_advisory_xact_lock(integer) RETURNS void",
    "set_config(name, text, boolean) RETURNS text",
    "set_config(text, text, text) RETURNS text",
    "current_setting(name, boolean) RETURNS text",
    "pg_has_role(name, text, text) RETURNS boolean",
    "starts_with(name, text) RETURNS boolean",
    "now(integer DEFAULT 1) RETURNS timestamptz",
    "clock_timestamp(integer DEFAULT 1) RETURNS timestamptz",
    "coalesce(timestamptz) RETURNS timestamptz",
    "encode(bytea, varchar) RETURNS text",
    "begin_request(text) RETURNS void",
    "begin_session(text, text) RETURNS void",
    "begin_token(text, text, varchar) RETURNS void",
    "find_account_from(varchar, inet) RETURNS TABLE (user_id uuid, password_hash text)",
    "take_turn_with_password(integer) RETURNS void",
    "sweep_sign_in_networks(bigint) RETURNS integer",
    "array_append(timestamptz[], timestamptz) RETURNS timestamptz[]",
    "array_remove(timestamptz[], timestamptz) RETURNS timestamptz[]",
    "cardinality(timestamptz[]) RETURNS integer",
    "max(timestamptz) RETURNS timestamptz",
    "count(timestamptz) RETURNS bigint",
    "auth_event_room(text) RETURNS boolean",
    "sweep_sessions(bigint) RETURNS integer",
    "sweep_api_tokens(bigint) RETURNS integer",
    "sweep_idempotency_keys(bigint) RETURNS integer",
    "sweep_batch_results(bigint) RETURNS integer",
    "sweep_deleted_tasks(bigint) RETURNS integer",
    "sweep_auth_events(bigint, bigint) RETURNS integer",
    "find_reset_code(text) RETURNS TABLE (user_id uuid, email text)",
    "use_reset_code(text) RETURNS void",
    "find_invite(bytea, varchar) RETURNS boolean",
    "use_invite(bytea, varchar) RETURNS void",
    "sweep_reset_codes(bigint) RETURNS integer",
    "sweep_invites(bigint) RETURNS integer",
    "decode(text, varchar) RETURNS bytea",
    "unnest(uuid[]) RETURNS SETOF uuid",
    "strpos(text, varchar) RETURNS integer",
    "lower(varchar) RETURNS text",
    "translate(text, text, varchar) RETURNS text",
    "replace(text, text, varchar) RETURNS text",
    "array_to_string(text[], varchar) RETURNS text",
]


def unqualified_calls(text: str) -> Iterator[str]:
    """Functions with arguments that are looked up along the search_path."""
    for node in walk(pglast.parse_sql(text)[0].stmt):
        if isinstance(node, ast.FuncCall) and node.args and node.funcname[0].sval not in SCHEMAS:
            yield node.funcname[-1].sval


def operators(text: str) -> Iterator[str]:
    """The operators that a statement names, or means by IN, IS DISTINCT FROM and the like."""
    for node in walk(pglast.parse_sql(text)[0].stmt):
        if isinstance(node, ast.A_Expr):
            by_name = node.kind in (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY)
            yield node.name[-1].sval if by_name else "="


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_function_with_arguments_is_called_with_its_schema(name: str) -> None:
    assert list(unqualified_calls(STATEMENTS[name].text)) == []


def test_the_rule_finds_a_call_without_its_schema() -> None:
    text = "SELECT now(), extract(EPOCH FROM now()), coalesce(1, 2), count(*), pg_catalog.abs(1)"
    assert list(unqualified_calls(text)) == []
    assert list(unqualified_calls("SELECT x FROM t WHERE y > make_interval(secs => 1)")) == [
        "make_interval"
    ]


@pytest.fixture(scope="module")
def planted_url(postgres: str, template: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A migrated database in which somebody has planted everything that could fit better."""
    admin.execute(f"CREATE DATABASE planted TEMPLATE {template}")
    url = make_conninfo(postgres, dbname="planted")
    names = {name for one in STATEMENTS.values() for name in operators(one.text)} | {"=", "<", ">"}
    with psycopg.connect(url, autocommit=True) as gardener:
        # dropped with the database: the role would belong to the whole server
        plant(gardener, sorted(names))
    yield url
    admin.execute("DROP DATABASE planted WITH (FORCE)")


def plant(gardener: psycopg.Connection[Any], names: list[str]) -> None:
    raising = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$"
    for function in BETTER:
        name, rest = function.split("(", 1)
        gardener.execute(f'CREATE FUNCTION public."{name}"({rest} {raising}'.encode())
    gardener.execute(f"CREATE FUNCTION public.planted() RETURNS boolean {raising}".encode())
    gardener.execute(
        """
        DO $$
        DECLARE l text; r text; o text;
        BEGIN
            FOREACH l IN ARRAY current_setting('test.types')::text[] LOOP
                FOREACH r IN ARRAY current_setting('test.types')::text[] LOOP
                    EXECUTE format('CREATE FUNCTION public.planted(%s, %s) RETURNS boolean LANGUAGE plpgsql'
                        ' AS ''BEGIN RAISE EXCEPTION ''''planted''''; END''', l, r);
                    FOREACH o IN ARRAY current_setting('test.names')::text[] LOOP
                        CONTINUE WHEN to_regoperator(format('pg_catalog.%s(%s,%s)', o, l, r)) IS NOT NULL;
                        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s,'
                            ' FUNCTION = public.planted)', o, l, r);
                    END LOOP;
                END LOOP;
            END LOOP;
        END
        $$
        """.replace("current_setting('test.types')", "'" + _array(TYPES) + "'")
        .replace("current_setting('test.names')", "'" + _array(names) + "'")
        .encode()
    )


def _array(texts: Any) -> str:
    return "{" + ",".join('"' + text.replace('"', '\\"') + '"' for text in texts) + "}"


@pytest.fixture(scope="module")
def prober(planted_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(planted_url, autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog, public, pg_temp")
        yield connection


def taken_from_public(connection: psycopg.Connection[Any], text: str) -> list[str]:
    """What a statement would call in public: PostgreSQL's own record of what a function's body depends on."""
    prepared = connection.pgconn.prepare(b"probe", text.encode())
    assert not prepared.error_message, prepared.error_message
    described = connection.pgconn.describe_prepared(b"probe")
    types = [str(described.param_type(number)) for number in range(described.nparams)]
    connection.execute("DEALLOCATE probe")
    with connection.transaction(force_rollback=True):
        names = [
            str(connection.execute(f"SELECT {one}::regtype::text".encode()).fetchall()[0][0])
            for one in types
        ]
        connection.execute(
            f"CREATE FUNCTION public.probe({', '.join(names)}) RETURNS void LANGUAGE sql"
            f" BEGIN ATOMIC {text}; END".encode()
        )
        rows = connection.execute(
            "SELECT pg_describe_object(refclassid, refobjid, 0) FROM pg_depend"
            " WHERE classid = 'pg_proc'::regclass::oid AND deptype = 'n'"
            " AND objid = (SELECT oid FROM pg_proc WHERE proname = 'probe')"
            " AND refclassid IN ('pg_operator'::regclass::oid, 'pg_proc'::regclass::oid)"
        ).fetchall()
    return [thing for (thing,) in rows]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_planted_function_or_operator_is_called_by_a_statement(
    prober: psycopg.Connection[Any], name: str
) -> None:
    own = {
        "function begin_request(uuid)",
        "function begin_session(uuid,uuid)",
        "function begin_token(uuid,uuid,text)",
        "function find_account_from(text,cidr)",
        "function own_password()",
        "function take_turn_with_password(bigint)",
        "function delete_account()",
        "function sweep_sign_in_networks(integer)",
        "function auth_event_room(inet)",
        "function batch_room(integer[],integer,bigint)",
        "function sweep_sessions(integer)",
        "function sweep_api_tokens(integer)",
        "function sweep_idempotency_keys(integer)",
        "function sweep_batch_results(integer)",
        "function sweep_deleted_tasks(integer)",
        "function sweep_auth_events(integer,integer)",
        "function find_reset_code(bytea)",
        "function use_reset_code(bytea)",
        "function find_invite(bytea,text)",
        "function use_invite(bytea,text)",
        "function sweep_reset_codes(integer)",
        "function sweep_invites(integer)",
    }
    assert set(taken_from_public(prober, STATEMENTS[name].text)) <= own


def test_the_probe_finds_what_would_be_called(prober: psycopg.Connection[Any]) -> None:
    for text, found in {
        "SELECT now() + make_interval(secs => $1::integer)": "function make_interval(integer)",
        "SELECT count($1::uuid)": "function count(uuid)",
        "SELECT relname FROM pg_class WHERE relname ~ 'x'": "operator ~(name,name)",
        "SELECT $1::timestamptz[] || $2::timestamptz[]": "operator ||",
        "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace": "operator =(oid,regnamespace)",
    }.items():
        assert found in ", ".join(taken_from_public(prober, text))


def test_a_service_beside_all_of_it_works_as_ever(
    planted_url: str, make_app: Callable[..., Flask]
) -> None:
    ann = Account(
        make_app(database_url=planted_url).test_client(), "ann@example.com", "correct horse battery"
    )
    task = ann.add()
    assert (
        ann.post(ann.tasks, json={"title": "x"}, headers={"Idempotency-Key": "k"}).status_code
        == 201
    )
    assert ann.put(ann.path_of(task), json={"title": "y"}).status_code == 200
    assert ann.patch(f"{ann.path_of(task)}/complete").status_code == 200
    assert len(ann.get(ann.tasks).json["data"]) == 2
    assert ann.delete(ann.path_of(task)).status_code == 204
    asked = {"name": "x", "scope": "read"}
    made = ann.post(f"/api/{ann.id}/tokens", json=asked).json["data"]
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert ann.client.get(ann.tasks, headers=headers).status_code == 200
    assert len(ann.get(f"/api/{ann.id}/tokens").json["data"]) == 1
    assert ann.delete(f"/api/{ann.id}/tokens/{made['id']}").status_code == 204
    wrong = {"email": ann.email, "password": "wrong horse battery"}
    assert ann.client.post("/api/auth/login", json=wrong).status_code == 401
    assert end_sessions(planted_url) == (1, 1)
    assert ann.get(ann.tasks).status_code == 401


@pytest.fixture
def mallory(
    empty_database_url: str, admin: psycopg.Connection[Any]
) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who may create in public, as everybody may in a database from before PostgreSQL 15."""
    name = make_conninfo(empty_database_url, user="mallory")
    admin.execute("CREATE ROLE mallory LOGIN")
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        with psycopg.connect(name, autocommit=True) as connection:
            yield connection
        owner.execute("DROP OWNED BY mallory CASCADE")
    admin.execute("DROP ROLE mallory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "thing"),
    [
        (
            "FUNCTION public.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
            "FUNCTION public.format(text, text)",
        ),
        (
            "OPERATOR public.|| (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl)",
            "OPERATOR public.|| (integer, integer)",
        ),
        ("TABLE _yoyo_migration (id integer)", "TABLE _yoyo_migration"),
        ("TABLE yoyo_lock (id integer)", "TABLE yoyo_lock"),
        ("VIEW applied_migrations AS SELECT 'x' AS id, 'y' AS checksum", "VIEW applied_migrations"),
    ],
)
def test_a_migration_does_not_run_beside_what_it_could_call(
    empty_database_url: str, mallory: psycopg.Connection[Any], made: str, thing: str
) -> None:
    mallory.execute(f"CREATE {made}".encode())
    with pytest.raises(MigrationError, match=r" of mallory, .* drop it, and REVOKE CREATE"):
        migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        nothing = connection.execute("SELECT to_regclass('public.users')").fetchall()
    assert nothing == [(None,)]
    mallory.execute(f"DROP {thing}".encode())
    assert migrate(empty_database_url)


def test_a_start_where_others_may_create_says_what_to_run(
    empty_database_url: str, mallory: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    migrate(empty_database_url)
    check_database(empty_database_url)
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" in caplog.text
    caplog.clear()
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        owner.execute("GRANT CREATE ON SCHEMA public TO mallory")
        check_database(empty_database_url)
        assert "REVOKE CREATE ON SCHEMA public FROM mallory" in caplog.text
        caplog.clear()
        owner.execute("REVOKE CREATE ON SCHEMA public FROM mallory")
    check_database(empty_database_url)
    assert caplog.text == ""
