"""The statements of sql/: what a file must be like, proven over every file there is."""

import ast
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pglast
import psycopg
import pytest
from pglast import ast as grammar

from support.rules.statement_header import first_words, header, sections
from support.signed_up import session
from support.source_files import PACKAGE, sources, tree
from todo_api.database.calls import Call, SignedIn
from todo_api.database.data import Database
from todo_api.database.statements import USER, compile_statement, load_statements
from todo_api.tasks.parameters import of_change
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskChange

pytestmark = pytest.mark.partitioned
FOLDER = PACKAGE.parent / "sql"
STATEMENTS = load_statements()
EVERY = pytest.mark.parametrize("name", sorted(STATEMENTS))
# what a DBA runs, not the service
SCRIPTS = {"distribute.sql", "partition.sql"}


def source_of(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


# --- the rules that are checked at start ---


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("tasks/x", "SELECT 1 WHERE user_id = %s", "a header of comment lines, then one statement"),
        ("tasks/x", "-- Only a header: %s\n", "a header of comment lines, then one statement"),
        ("tasks/x", "", "a header of comment lines, then one statement"),
        ("tasks/x", "-- Two.\nSELECT %s; SELECT 2", "one statement, without a semicolon"),
        ("tasks/x", "-- Ended.\nSELECT %s;\n", "one statement, without a semicolon"),
        ("tasks/x", "-- Everybody's.\nSELECT id FROM tasks", "%s is the signed-in user"),
        ("tasks/x", "-- For %s.\nSELECT id FROM tasks", "%s is the signed-in user"),
        ("tasks/x", "-- Named.\nSELECT %(title)s::text", "%s is the signed-in user"),
        (
            "tasks/x",
            "-- Anyone's.\nSELECT id FROM tasks WHERE user_id = %s AND user_id = %(user_id)s",
            "only before_sign_in/ takes a user_id",
        ),
        ("before_sign_in/x", "-- Whose?\nSELECT %s::uuid", "%s is the signed-in user"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_by_name(
    name: str, source: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sql/{name}.sql: {complaint}")):
        compile_statement(name, source)


def test_a_bad_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "all.sql").write_text("-- All.\nSELECT id FROM tasks\n")
    with pytest.raises(ValueError, match=r"^sql/tasks/all\.sql: "):
        load_statements(tmp_path)


def test_placeholders_become_numbers_in_order_and_the_file_stays_recognisable() -> None:
    statement = compile_statement(
        "tasks/x",
        "-- A header.\n--\n-- More.\nSELECT %(b)s, %s, %(a)s, %(b)s\nWHERE user_id = %s\n",
    )
    assert statement.text == "/* tasks/x */ SELECT $1, $2, $3, $1\nWHERE user_id = $2"
    assert statement.parameters == ("b", USER, "a")
    assert statement.bind("ann", {"a": 1, "b": 2}) == [2, "ann", 1]


def test_a_value_that_is_missing_or_one_too_many_is_refused() -> None:
    statement = compile_statement("tasks/x", "-- A header.\nSELECT %(a)s WHERE user_id = %s")
    with pytest.raises(KeyError, match="a"):
        statement.bind("ann", {})
    with pytest.raises(TypeError, match=r"^sql/tasks/x\.sql has no parameter b, user_id$"):
        statement.bind("ann", {"a": 1, "user_id": "bob", "b": 2})


def test_the_signed_in_user_can_not_be_given_as_a_value() -> None:
    statement = compile_statement("tasks/x", "-- A header.\nSELECT 1 WHERE user_id = %s")
    assert statement.bind("ann", {}) == ["ann"]
    with pytest.raises(TypeError, match="no parameter %s"):  # not that anybody would
        statement.bind("ann", {USER: "bob"})


@EVERY
def test_only_what_reads_is_taken_for_a_read(name: str) -> None:
    [parsed] = pglast.parse_sql(STATEMENTS[name].text)
    is_select = isinstance(parsed.stmt, grammar.SelectStmt) and not parsed.stmt.lockingClause
    writes = isinstance(parsed.stmt, grammar.SelectStmt) and any(
        not isinstance(cte.ctequery, grammar.SelectStmt)
        for cte in (parsed.stmt.withClause.ctes if parsed.stmt.withClause else ())
    )
    assert STATEMENTS[name].reads_only == (is_select and not writes)


# --- every file and every use ---


def literals() -> set[str]:
    """Every string in the sources."""
    return {
        node.value
        for file in sources()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def asked() -> set[str]:
    """What migrations, checks and the operator's commands ask for by its last name."""
    return {
        f"before_sign_in/{node.args[0].value}"
        for file in sources()
        if file.parent.name in ("check", "upkeep", "operator")
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and {"ask", "_ask", "as_it_came"}
        & {getattr(node.func, name, None) for name in ("attr", "id")}
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and "/" not in node.args[0].value
    }


@pytest.mark.slow
def test_every_file_is_used_and_every_name_that_is_used_has_a_file() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    named = {
        text
        for text in literals()
        if re.fullmatch(r"\w+/\w+", text) and text.split("/")[0] in folders
    }
    assert named | asked() == set(STATEMENTS)


@pytest.mark.slow
def test_there_is_no_sql_in_the_sources() -> None:
    looks_like_sql = re.compile(
        r"\b(SELECT\s.*\bFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b",
        re.DOTALL,
    )
    assert [text for text in literals() if looks_like_sql.search(text)] == []


def test_there_is_nothing_but_statements_scripts_and_pages_about_them_in_the_folder() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".sql", ".md", ".svg"}
    assert {path.parent for path in files if path.suffix != ".sql"} == {FOLDER}
    beside = {path.name for path in files if path.suffix == ".sql" and path.parent == FOLDER}
    assert beside == SCRIPTS


def test_a_script_beside_the_folders_is_not_taken_for_a_statement(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "own.sql").write_text(
        "-- Own.\nSELECT id FROM tasks WHERE user_id = %s\n"
    )
    (tmp_path / "partition.sql").write_text("BEGIN;\nDROP TABLE tasks;\nCOMMIT;\n")
    assert list(load_statements(tmp_path)) == ["tasks/own"]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_says_how_it_is_run_what_it_locks_and_how_to_go_back(name: str) -> None:
    lines = (FOLDER / name).read_text(encoding="utf-8").split("\n\n")[0]
    for section in ("When", "Locks", "How long", "Safe", "Back"):
        assert re.search(rf"^-- {section}: +\w", lines, re.MULTILINE), section
    assert f"-f sql/{name}" in lines


# --- headers ---


@EVERY
def test_a_header_says_what_it_does_and_what_it_takes_returns_uses_and_locks(name: str) -> None:
    source = source_of(name)
    lines = header(source)
    assert re.fullmatch(r"-- [A-Z].*", lines[0])
    wanted = ["Parameters", "Returns", "Index", "Locks"]
    if name.startswith("before_sign_in/"):
        wanted.insert(0, "Why here")
    assert list(sections(source)) == wanted
    assert source.startswith("\n".join(lines) + "\n"), "a comment within the statement"
    assert source.endswith("\n")


@EVERY
def test_the_indexes_that_a_header_names_exist(name: str, checked: psycopg.Connection[Any]) -> None:
    words = set(re.findall(r"\w+_\w+", " ".join(sections(source_of(name))["Index"])))
    known = checked.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
        " UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert words <= {one for (one,) in known}


# --- PostgreSQL's word ---


@pytest.fixture(scope="module")
def checked(postgres: str, template: str) -> Iterator[psycopg.Connection[Any]]:
    """A clone of the migrated template with a few users and tasks, to look at."""
    with psycopg.connect(
        psycopg.conninfo.make_conninfo(postgres, dbname="postgres"), autocommit=True
    ) as server:
        server.execute(f"CREATE DATABASE statements TEMPLATE {template}".encode())
        with psycopg.connect(
            psycopg.conninfo.make_conninfo(postgres, dbname="statements"),
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
        ) as connection:
            # enough rows that one index is better than another, in a partition too
            connection.execute(
                "INSERT INTO users (user_id, email, password_hash)"
                " SELECT gen_random_uuid(), n || '@example.com', '$2b$04$' || repeat('a', 53)"
                " FROM generate_series(1, 400) AS n"
            )
            connection.execute(
                "INSERT INTO tasks (user_id, title)"
                " SELECT user_id, n::text FROM users, generate_series(1, 9) AS n"
            )
            connection.execute("ANALYZE")
            yield connection
        server.execute("DROP DATABASE statements WITH (FORCE)")


@EVERY
def test_postgresql_accepts_it_and_returns_what_the_header_says(
    name: str, checked: psycopg.Connection[Any]
) -> None:
    statement = STATEMENTS[name]
    prepared = checked.pgconn.prepare(b"", statement.text.encode())
    assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK, prepared.error_message
    described = checked.pgconn.describe_prepared(b"")
    assert described.nparams == len(statement.parameters)
    columns = [(described.fname(number) or b"").decode() for number in range(described.nfields)]
    lines = sections(source_of(name))["Returns"]
    is_list = re.match(r"\w+ {2}", lines[0])
    if "task" in lines[0] and name.startswith("tasks/") and not is_list:
        assert columns == list(Task.__struct_fields__)
    elif is_list:
        # one line a column, its name first; `task` stands for all of its columns
        expected = [
            column
            for word in first_words(lines)
            for column in (Task.__struct_fields__ if word == "task" else [word])
        ]
        assert columns == expected
    elif lines == ["nothing"]:
        assert columns == []
    else:
        assert columns


def test_what_the_task_statements_return_is_a_task(
    database_url: str, superuser: psycopg.Connection[Any]
) -> None:
    with closing(Database(database_url, connections=1)) as database:
        who = SignedIn(str(uuid.uuid4()), str(uuid.uuid4()))
        account = {
            "user_id": who.user_id,
            "email": "ann@example.com",
            "password_hash": "$2b$04$" + "a" * 53,
        }
        database.before_sign_in(
            Call("before_sign_in/create_user", account),
            Call("tasks/open_counter"),
            session(who.session_id),
            user_id=who.user_id,
        )
        new = {
            "title": "Buy oat milk",
            "notes": None,
            "due_date": "2026-12-24",
            "due_at": None,
            "priority": 1,
            "tags": "a,b",
            "max_tasks": 1,
            "max_text": 100,
        }
        turn = Call("users/take_turn")
        _, [made] = database.as_user(who, turn, Call("tasks/create", new, as_task))
        task = {"task_id": made.id}
        assert isinstance(made, Task)
        assert database.as_user(
            who, Call("tasks/get", task, as_task), Call("tasks/list", row=as_task)
        ) == [[made], [made]]
        _, [done], [(refusal, *same)] = database.as_user(
            who,
            turn,
            Call("tasks/complete", task, as_task),
            Call("tasks/update", task | of_change(TaskChange(), {"MAX_TEXT_PER_USER": 100})),
        )
    assert refusal is None
    assert done == as_task(*same)
    assert (done.id, done.title, done.created_at) == (made.id, made.title, made.created_at)
    assert (made.is_completed, made.completed_at) == (False, None)
    assert done.is_completed
    assert done.completed_at == done.updated_at


def test_a_statement_is_recognised_in_the_servers_views(database_url: str) -> None:
    with closing(Database(database_url, connections=1)) as database:
        database.before_sign_in(Call("before_sign_in/applied_migrations"))
        with psycopg.connect(database_url) as watch:
            [(query,)] = watch.execute(
                "SELECT query FROM pg_stat_activity"
                " WHERE application_name = 'todo-api' AND datname = current_database()"
            ).fetchall()
    assert query.startswith("/* before_sign_in/applied_migrations */ SELECT")
