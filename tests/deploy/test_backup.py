"""Setting up, backup and restore, with the lines of the operators' guide as they are written there."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import todo_api
from support.command import ACCOUNT, PLAIN, Command, a_desk
from support.postgres.server import Server, a_server
from support.signed_up import sign_up
from todo_api.database.calls import Call
from todo_api.database.data import Database
from todo_api.upkeep.migrate import migrate
from todo_api.upkeep.role_check import check_role

pytestmark = pytest.mark.slow
GUIDE = (Path(todo_api.__file__).parent / "deploy/README.md").read_text("utf-8")


def block(mark: str) -> str:
    """The shell lines after a mark."""
    [found] = re.findall(rf"<!-- ci: {mark} -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def sql(first: str) -> list[str]:
    """The commands of the block of SQL that begins with these words."""
    [found] = re.findall(rf"```sql\n({re.escape(first)}.*?)```", GUIDE, re.DOTALL)
    return str(found).strip().rstrip(";").split(";\n")


def shell(lines: str, folder: Path, server: Server, **variables: str) -> None:
    """Run lines as the superuser of a server, with its programs on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {
        "PATH": f"{server.found.folder}:{environment['PATH']}",
        "PGHOST": str(server.folder),
        "PGUSER": "todo",
        **variables,
    }
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def old() -> Iterator[Server]:
    """A server with the service on it, set up as the guide says, and a user with a session."""
    with a_server() as server:
        server.make()
        server.start()
        for command in sql("CREATE ROLE todo_login"):
            server.ask(command)
        owner = make_conninfo(server.url, user="todo_login", dbname="todo")
        migrate(owner)
        for command in sql("CREATE ROLE todo_serve"):
            server.ask(command)
        with closing(Database(serving(server), connections=1)) as database:
            sign_up(database)
        yield server


@pytest.fixture
def new() -> Iterator[Server]:
    """Another server, on which nobody has made anything."""
    with a_server() as server:
        server.make()
        server.start()
        yield server


def serving(server: Server) -> str:
    return make_conninfo(server.url, user="todo_serve", dbname="todo")


def rows(server: Server, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(make_conninfo(server.url, dbname="todo")) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2".encode()).fetchall()


def test_a_backup_is_restored_on_a_new_server(
    old: Server, new: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for command in sql("CREATE ROLE todo_backup"):
        old.ask(command)
    [dump] = re.findall(r"^pg_dump -Fc -d '\S+' -f todo\.dump$", GUIDE, re.MULTILINE)
    source = f"postgresql://todo_backup@/todo?host={old.folder}"
    shell(re.sub(r"'\S+'", f"'{source}'", dump), tmp_path, old)

    shell(block("roles"), tmp_path, new)
    shell(block("restore"), tmp_path, new)

    for table in ("users", "sessions", "applied_migrations"):
        assert rows(new, table) == rows(old, table) != []
    check_role(serving(new))
    owner = make_conninfo(new.url, user="todo_login", dbname="todo")
    assert migrate(owner) == []
    assert [one for one in caplog.records if one.levelname == "WARNING"] == []
    with closing(Database(serving(new), connections=1)) as database:
        sign_up(database)
        database.before_sign_in(Call("before_sign_in/applied_migrations"))
    assert len(rows(new, "users")) == 2
    new.ask("CREATE ROLE stranger LOGIN")
    with pytest.raises(psycopg.OperationalError, match="CONNECT privilege"):
        psycopg.connect(make_conninfo(new.url, user="stranger", dbname="todo"))


def test_the_embedded_database_is_restored_into_an_empty_folder() -> None:
    with a_desk() as desk:
        (desk.folder / ".venv").symlink_to(sys.prefix)

        def serve(name: str) -> tuple[Command, str]:
            service = desk.start("serve", DATA_DIR=name, PORT="0", LOG_LEVEL="WARNING").ready()
            host = quote(str(desk.folder / name / "pg/data"), safe="")
            return service, f"postgresql:///todo?host={host}&port=5432&user=todo"

        def run(mark: str, url: str) -> None:
            done = subprocess.run(
                ["bash", "-euc", block(mark)],
                cwd=desk.folder,
                env=PLAIN | {"URL": url},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr

        old, url = serve("old")
        session = old.call("POST", "/api/auth/signup", ACCOUNT)[1]["data"]
        path, token = f"/api/{session['user_id']}/tasks", session["access_token"]
        assert old.call("POST", path, {"title": "Buy oat milk"}, token)[0] == 201
        run("embedded dump", url)
        assert old.end(signal.SIGTERM).status == 0

        new, url = serve("new")
        run("embedded restore", url)
        session = new.call("POST", "/api/auth/login", ACCOUNT)[1]["data"]
        assert new.titles(session) == ["Buy oat milk"]
        assert new.end(signal.SIGTERM).status == 0
        again, _ = serve("new")
        assert again.titles(session) == ["Buy oat milk"]
        assert again.end(signal.SIGTERM).warnings == []
