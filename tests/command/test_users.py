"""`todo-api users`: what an operator does with accounts, as processes on a real database."""

import json
import os
import pty
import re
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.accounts import Account
from support.command import ACCOUNT, MODULE, PATIENCE, PLAIN, SECRET, SETTINGS, Desk, Ended
from support.signed_up import HASH
from todo_api import cli
from todo_api.upkeep.asking import place_of

NAMES = ("list", "show", "add", "invite", "reset-password", "disable", "enable", "delete")
WITH_A_USER = ("show", "reset-password", "disable", "enable", "delete")
CODE = r"[0-9a-hjkmnp-tv-z]{4}(?:-[0-9a-hjkmnp-tv-z]{4}){6}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
Run = Callable[..., Ended]
Superuser = psycopg.Connection[Any]


@pytest.fixture
def users(
    desk: Desk,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_kept: None,
) -> Run:
    """Runs `todo-api users` on the test's database, in this process: most tests are not about processes."""
    monkeypatch.chdir(desk.folder)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BCRYPT_ROUNDS", "4")
    monkeypatch.setenv("SIGNUP", "invite")

    def users(*arguments: str, **settings: str) -> Ended:
        for name, value in ({"DATABASE_URL": database_url} | settings).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        try:
            status = cli.main(["users", *arguments])
        except SystemExit as exit_:
            status = int(str(exit_.code))
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return users


@pytest.fixture
def told(users: Run) -> Callable[..., Any]:
    """What a command that does well answers as JSON."""

    def told(*arguments: str) -> Any:
        ended = users(*arguments, "--json")
        assert (ended.status, ended.err) == (0, "")
        return json.loads(ended.out)

    return told


@pytest.fixture
def events(superuser: Superuser) -> Callable[[], list[Any]]:
    """What the operator's commands have left since the last call."""

    def events() -> list[Any]:
        return superuser.execute(
            "WITH gone AS (DELETE FROM auth_events RETURNING id, event, reason, user_id::text)"
            " SELECT event, user_id FROM gone WHERE reason = 'by the operator' ORDER BY id"
        ).fetchall()

    return events


def code_of(ended: Ended) -> str:
    """The code that a command has printed: the last word of a line."""
    assert (ended.status, ended.err) == (0, "")
    [code] = re.findall(rf"^.* ({CODE})$", ended.out, re.MULTILINE)
    return str(code)


def log_in(ann: Account, password: str | None = None) -> int:
    body = {"email": ann.email, "password": password or ann.password}
    return ann.client.post("/api/auth/login", json=body).status_code


# --- the words ---


def test_without_a_command_or_with_an_unknown_one_it_says_which_there_are(desk: Desk) -> None:
    for arguments in ((), ("lst",), ("Pa55word",), ("lst", "ann@example.com")):
        ended = desk.run("users", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.splitlines()[-1].endswith(f"comes one of: {', '.join(NAMES)}")
        assert "Pa55word" not in ended.err


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_each_has_an_example(users: Run, name: str) -> None:
    shown = users(name, "--help")
    assert (shown.status, shown.err) == (0, "")
    assert f"Example: todo-api users {name}" in shown.out
    assert "--json" in shown.out
    assert "--database-url" in shown.out


@pytest.mark.parametrize("name", NAMES)
def test_no_password_can_stand_on_the_command_line(users: Run, name: str) -> None:
    for more in (("ann@example.com", "Pa55word"), ("ann@example.com", "--password", "Pa55word")):
        ended = users(name, *more)
        assert (ended.status, ended.out) == (2, "")
        assert "Pa55word" not in ended.err


@pytest.mark.parametrize("name", ["add", *WITH_A_USER])
def test_a_user_has_to_be_named(users: Run, name: str) -> None:
    ended = users(name)
    assert (ended.status, ended.out) == (2, "")


# --- whom they name, and where ---


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_A_USER)
def test_an_unknown_user_is_one_line_and_status_1(users: Run, ann: Account, name: str) -> None:
    more = ("--yes",) if name == "delete" else ()
    for who in ("nobody@example.com", str(uuid.uuid4()), "ann", "", "ann@example"):
        ended = users(name, who, *more)
        assert (ended.status, ended.out) == (1, "")
        assert ended.complaint
    assert ann.get(ann.tasks).status_code == 200


@pytest.mark.slow
def test_a_user_is_named_by_an_address_in_any_letter_case_or_an_id(
    told: Callable[..., Any], client: Any
) -> None:
    user = Account(client, "Jos\u00e9@Example.com", "correct horse battery")
    for who in (
        "jos\u00e9@example.com",
        " JOS\u00c9@EXAMPLE.COM ",
        "jose\u0301@example.com",
        user.id,
        user.id.upper(),
    ):
        assert told("show", who)["user"]["user_id"] == user.id


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_says_which_database_it_worked_on(
    users: Run, told: Callable[..., Any], ann: Account, database_url: str, name: str
) -> None:
    who = {"list": (), "invite": (), "add": ("new@example.com",)}.get(name, (ann.email,))
    more = ("--yes",) if name == "delete" else ()
    ended = users(name, *who, *more)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"database: {place_of(database_url)}"
    who = {"add": ("newer@example.com",), "delete": ()}.get(name, who)
    if who or name != "delete":
        assert told(name, *who)["database"] == place_of(database_url)


@pytest.mark.parametrize("name", NAMES)
def test_a_database_that_is_away_is_one_line(users: Run, name: str) -> None:
    who = () if name in ("list", "invite") else ("ann@example.com",)
    more = ("--yes",) if name == "delete" else ()
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://ann:Pa55word@127.0.0.1:{taken.getsockname()[1]}/todo"
        ended = users(name, *who, *more, DATABASE_URL=url)
    assert (ended.status, ended.out) == (1, "")
    assert "can't be reached" in ended.complaint
    assert "Pa55word" not in ended.err


@pytest.mark.slow
def test_a_login_that_only_serves_is_told_in_one_line_which_one_is_needed(
    users: Run, ann: Account, database_url: str, admin: Superuser
) -> None:
    admin.execute("CREATE ROLE serves_only LOGIN IN ROLE todo_app")
    try:
        narrow = make_conninfo(database_url, user="serves_only")
        for name in NAMES:
            who = () if name in ("list", "invite") else (ann.email,)
            more = ("--yes",) if name == "delete" else ()
            ended = users(name, *who, *more, DATABASE_URL=narrow)
            assert (ended.status, ended.out) == (1, "")
            assert "MIGRATE_URL" in ended.complaint
        by_owner = users("list", DATABASE_URL=narrow, MIGRATE_URL=database_url)
        assert by_owner.status == 0
    finally:
        admin.execute("DROP ROLE serves_only")
    assert ann.get(ann.tasks).status_code == 200


def test_a_database_without_the_schema_is_one_line(users: Run, empty_database_url: str) -> None:
    ended = users("list", DATABASE_URL=empty_database_url)
    assert (ended.status, ended.out) == (1, "")
    assert "todo-api migrate" in ended.complaint


# --- what they do ---


@pytest.mark.slow
def test_the_list_has_everybody_by_address(
    users: Run, told: Callable[..., Any], ann: Account, bob: Account, superuser: Superuser
) -> None:
    ann.add()
    ann.add()
    bob.add()
    told("disable", bob.email)
    told("add", "carl@example.com")
    found = told("list")["users"]
    assert [user["email"] for user in found] == [ann.email, bob.email, "carl@example.com"]
    assert [user["user_id"] for user in found[:2]] == [ann.id, bob.id]
    assert [user["tasks"] for user in found] == [2, 1, 0]
    assert [user["disabled_at"] is None for user in found] == [True, False, True]
    assert [user["last_sign_in"] is None for user in found] == [False, False, True]
    for moment in (*(user["created_at"] for user in found), found[0]["last_sign_in"]):
        assert re.fullmatch(MOMENT, moment)
    assert found[0] == told("show", ann.id)["user"]
    lines = users("list").out.splitlines()
    assert lines[0].split() == [
        "user_id",
        "created",
        "last",
        "sign-in",
        "tasks",
        "disabled",
        "email",
    ]
    assert [line.split()[0] for line in lines[1:4]] == [user["user_id"] for user in found]
    assert [line.split()[-3:] for line in lines[1:4]] == [
        ["2", "no", ann.email],
        ["1", "yes", bob.email],
        ["0", "no", "carl@example.com"],
    ]
    assert lines[4] == "3 accounts"


@pytest.mark.slow
def test_a_list_of_nobody_is_a_list(users: Run, told: Callable[..., Any]) -> None:
    assert told("list")["users"] == []
    assert "0 accounts" in users("list").out


def test_a_list_of_many_pages_has_each_account_once(
    told: Callable[..., Any], superuser: Superuser
) -> None:
    superuser.execute(
        "INSERT INTO users SELECT gen_random_uuid(), 'user' || n || '@example.com', %s"
        " FROM generate_series(1, 1500) AS n",
        [HASH],
    )
    found = [user["email"] for user in told("list")["users"]]
    assert len(found) == 1500
    assert set(found) == {f"user{n}@example.com" for n in range(1, 1501)}


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_the_list_quietly(
    desk: Desk, database_url: str, superuser: Superuser
) -> None:
    superuser.execute(
        "INSERT INTO users SELECT gen_random_uuid(), 'user' || n || '@example.com', %s"
        " FROM generate_series(1, 3000) AS n",
        [HASH],
    )
    command = desk.start("users", "list", DATABASE_URL=database_url)
    assert command.process.stdout is not None
    command.process.stdout.readline()
    command.process.stdout.close()
    assert command.process.stderr is not None
    assert command.process.stderr.read() == ""
    command.process.stderr.close()
    assert command.process.wait(PATIENCE) == 1


@pytest.mark.slow
def test_an_address_that_the_terminal_can_not_show_ends_nothing(
    desk: Desk, database_url: str, client: Any
) -> None:
    Account(client, "\u7528\u6237@example.com", "correct horse battery")
    latin = {"DATABASE_URL": database_url, "PYTHONIOENCODING": "latin-1"}
    ended = desk.run("users", "list", **latin)
    assert (ended.status, ended.err) == (0, "")
    assert "\\u7528\\u6237@example.com" in ended.out


def test_show_tells_of_one(users: Run, told: Callable[..., Any], ann: Account) -> None:
    assert log_in(ann) == 200
    found = told("show", ann.email)
    assert found["sessions"] == 2
    assert found["user"]["email"] == ann.email
    lines = users("show", ann.email).out.splitlines()
    assert lines[:2] == [f"user id: {ann.id}", f"email: {ann.email}"]
    assert "sessions: 2" in lines


def test_an_added_user_sets_a_password_by_the_code(
    users: Run, told: Callable[..., Any], client: Any, events: Callable[[], list[Any]]
) -> None:
    ended = users("add", " Ann@Example.com")
    code = code_of(ended)
    assert "added ann@example.com" in ended.out
    assert "POST /api/auth/reset" in ended.out
    assert re.search(rf"until {MOMENT}", ended.out)
    user_id = told("show", "ann@example.com")["user"]["user_id"]
    assert events() == [("account_added", user_id)]
    body = {"code": code, "new_password": "staple battery horse"}
    assert client.post("/api/auth/reset", json=body).status_code == 204
    login = {"email": "ann@example.com", "password": "staple battery horse"}
    assert client.post("/api/auth/login", json=login).json["data"]["user_id"] == user_id


@pytest.mark.slow
def test_a_taken_or_impossible_address_is_not_added(
    users: Run, ann: Account, events: Callable[[], list[Any]], superuser: Superuser
) -> None:
    for name in ("add", "invite"):
        ended = users(name, "ANN@example.com")
        assert (ended.status, ended.out) == (1, "")
        assert "there is an account with this address" in ended.complaint
        for address in ("ann", "", "a\u200bnn@example.com", "x" * 300 + "@example.com"):
            ended = users(name, address)
            assert (ended.status, ended.out) == (1, "")
            assert ended.complaint.startswith("the address must")
    assert events() == []
    assert superuser.execute("SELECT count(*) FROM users").fetchall() == [(1,)]
    assert superuser.execute("SELECT count(*) FROM invites").fetchall() == [(0,)]
    assert ann.get(ann.tasks).status_code == 200


@pytest.mark.slow
def test_an_invite_lets_one_in_where_nobody_else_gets_in(
    users: Run, told: Callable[..., Any], make_app: Any, events: Callable[[], list[Any]]
) -> None:
    client = make_app(signup="invite").test_client()
    ended = users("invite")
    assert "POST /api/auth/signup" in ended.out
    assert re.search(rf"until {MOMENT}", ended.out)
    bound = told("invite", "Bob@example.com")
    assert events() == [("account_invited", None)] * 2
    bob = {"email": "bob@example.com", "password": "correct horse battery"}
    assert client.post("/api/auth/signup", json=ACCOUNT).status_code == 403
    other = ACCOUNT | {"invite": bound["invite"]}
    assert client.post("/api/auth/signup", json=other).status_code == 403
    assert (
        client.post("/api/auth/signup", json=bob | {"invite": bound["invite"]}).status_code == 201
    )
    body = ACCOUNT | {"invite": code_of(ended)}
    assert client.post("/api/auth/signup", json=body).status_code == 201


@pytest.mark.parametrize(
    ("signup", "warning"),
    [("invite", ""), ("closed", "nobody can sign up"), ("open", "anybody can sign up")],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_invite_that_is_of_no_use_here_comes_with_a_warning(
    users: Run, form: tuple[str, ...], signup: str, warning: str
) -> None:
    ended = users("invite", *form, SIGNUP=signup)
    assert ended.status == 0
    assert re.search(CODE, ended.out)
    assert warning in ended.err
    assert ended.err.startswith(f"warning: SIGNUP={signup}" if warning else "")
    assert len(ended.err.splitlines()) == bool(warning)


def test_a_reset_code_is_printed_and_voids_the_former(
    users: Run, told: Callable[..., Any], ann: Account, events: Callable[[], list[Any]]
) -> None:
    former = told("reset-password", ann.email)
    assert former["user"]["user_id"] == ann.id
    assert re.fullmatch(CODE, former["code"])
    assert re.fullmatch(MOMENT, former["expires_at"])
    assert former["call"] == "POST /api/auth/reset"
    newer = code_of(users("reset-password", ann.id))
    assert events() == [("reset_code_made", ann.id)] * 2
    for code, status in ((former["code"], 401), (newer, 204), (newer, 401)):
        body = {"code": code, "new_password": "staple battery horse"}
        assert ann.client.post("/api/auth/reset", json=body).status_code == status


@pytest.mark.slow
def test_disabled_is_out_until_enabled_and_what_ended_stays_ended(
    users: Run, told: Callable[..., Any], ann: Account, bob: Account,
    events: Callable[[], list[Any]], superuser: Superuser,
) -> None:  # fmt: skip
    code = told("reset-password", ann.email)["code"]
    events()
    assert told("disable", ann.email)["changed"] is True
    assert events() == [("logout", ann.id), ("account_disabled", ann.id)]
    assert ann.get(ann.tasks).status_code == 401
    assert bob.get(bob.tasks).status_code == 200
    ended = users("disable", ann.email)
    assert ended.status == 0
    assert re.search(rf"nothing to do: {ann.email} was disabled at {MOMENT}", ended.out)
    assert events() == []
    refused = users("reset-password", ann.email)
    assert (refused.status, refused.out) == (1, "")
    assert "disabled" in refused.complaint
    assert told("enable", ann.email)["changed"] is True
    assert events() == [("account_enabled", ann.id)]
    assert "nothing to do" in users("enable", ann.email).out
    assert events() == []
    assert ann.get(ann.tasks).status_code == 401
    body = {"code": code, "new_password": "staple battery horse"}
    assert ann.client.post("/api/auth/reset", json=body).status_code == 401
    assert log_in(ann) == 200


@pytest.mark.slow
def test_delete_removes_every_row_and_leaves_others_theirs(
    users: Run, told: Callable[..., Any], ann: Account, bob: Account,
    events: Callable[[], list[Any]], superuser: Superuser,
) -> None:  # fmt: skip
    for user in (ann, bob):
        user.add()
        batch = {"operations": [{"op": "delete", "id": user.add()["id"]}]}
        user.post(f"{user.tasks}/batch", json=batch, headers={"Idempotency-Key": "l"})
        user.post(user.tasks, json={"title": "x"}, headers={"Idempotency-Key": "k"})
        user.post(f"/api/{user.id}/tokens", json={"name": "x", "scope": "read"})
        told("reset-password", user.email)
    tables = [
        name
        for (name,) in superuser.execute(
            "SELECT attrelid::regclass::text FROM pg_attribute INNER JOIN pg_class ON oid = attrelid"
            " WHERE attname = 'user_id' AND relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition"
        ).fetchall()
    ]
    assert len(tables) >= 7

    def rows(user: Account) -> dict[str, int]:
        return {
            table: superuser.execute(
                f"SELECT count(*) FROM {table} WHERE user_id = %s".encode(), [user.id]
            ).fetchall()[0][0]
            for table in tables
        }

    # on Citus no foreign key takes the events along
    superuser.execute("ALTER TABLE auth_events DROP CONSTRAINT auth_events_user_id_fkey")
    before = rows(bob)
    assert 0 not in rows(ann).values()
    ended = users("delete", ann.email, "--yes")
    assert (ended.status, ended.err) == (0, "")
    assert f"deleted {ann.email}, user {ann.id}, tasks: 2" in ended.out
    assert set(rows(ann).values()) == {0}
    assert rows(bob) == before
    assert ("account_deleted", None) in events()
    assert ann.get(ann.tasks).status_code == 401
    assert (log_in(ann), bob.get(bob.tasks).status_code) == (401, 200)
    assert users("delete", ann.email, "--yes").status == 1


# --- delete asks ---


def test_delete_refuses_without_a_terminal(users: Run, ann: Account) -> None:
    for more in ((), ("--json",)):
        ended = users("delete", ann.email, *more)
        assert (ended.status, ended.out) == (2, "")
        assert "--yes" in ended.complaint
    assert ann.get(ann.tasks).status_code == 200


@pytest.fixture
def answered(desk: Desk, database_url: str) -> Iterator[Callable[..., Ended]]:
    """Runs the command on a terminal of which only the keyboard is one, and types an answer."""
    keyboard, terminal = pty.openpty()

    def run(typed: bytes, *arguments: str) -> Ended:
        os.write(keyboard, typed)
        done = subprocess.run(
            [*MODULE, "users", "delete", *arguments], cwd=desk.folder, stdin=terminal,
            env=PLAIN | {"DATABASE_URL": database_url}, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    yield run
    os.close(keyboard)
    os.close(terminal)


@pytest.mark.slow
@pytest.mark.parametrize("typed", [b"\n", b"no\n", b"y\n", b"yes please\n", b"\x04"])
def test_what_is_not_yes_deletes_nothing(
    answered: Callable[..., Ended], ann: Account, typed: bytes
) -> None:
    ended = answered(typed, ann.email)
    assert ended.status == 1
    assert "nothing was deleted" in ended.out
    assert ann.get(ann.tasks).status_code == 200


@pytest.mark.slow
def test_after_yes_it_is_gone(
    answered: Callable[..., Ended], ann: Account, database_url: str
) -> None:
    ann.add()
    ended = answered(b"yes\n", ann.email)
    assert ended.status == 0
    for told in (ann.email, ann.id, "(1)", place_of(database_url)):
        assert told in ended.err
    assert ann.get(ann.tasks).status_code == 401


# --- on the embedded database, while the service runs ---


@pytest.mark.slow
def test_it_works_on_the_embedded_database_while_the_service_runs(desk: Desk) -> None:
    def users(*arguments: str) -> Any:
        ended = desk.run("users", *arguments, "--json", DATA_DIR="data")
        assert (ended.status, ended.err) == (0, "")
        answer = json.loads(ended.out)
        assert answer["database"] == f"embedded, in {desk.folder / 'data'}"
        return answer

    service = desk.start("serve", "--port", "0", DATA_DIR="data", SIGNUP="closed").ready()
    assert service.call("POST", "/api/auth/signup", ACCOUNT)[0] == 403
    code = users("add", ACCOUNT["email"])["code"]
    reset = {"code": code, "new_password": ACCOUNT["password"]}
    assert service.call("POST", "/api/auth/reset", reset)[0] == 204
    status, answer = service.call("POST", "/api/auth/login", ACCOUNT)
    assert status == 200
    assert service.titles(answer["data"]) == []
    assert [user["email"] for user in users("list")["users"]] == [ACCOUNT["email"]]
    users("disable", ACCOUNT["email"])
    path = f"/api/{answer['data']['user_id']}/tasks"
    assert service.call("GET", path, token=answer["data"]["access_token"])[0] == 401
    users("enable", ACCOUNT["email"])
    assert service.call("POST", "/api/auth/login", ACCOUNT)[0] == 200
    users("delete", ACCOUNT["email"], "--yes")
    assert service.call("POST", "/api/auth/login", ACCOUNT)[0] == 401
    # one line, though the embedded PostgreSQL has much to say
    unknown = desk.run("users", "show", ACCOUNT["email"], DATA_DIR="data")
    assert (unknown.status, unknown.out) == (1, "")
    assert unknown.complaint


def test_without_an_embedded_database_it_makes_none(desk: Desk) -> None:
    ended = desk.run("users", "list", DATA_DIR="data")
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint
    assert not (desk.folder / "data" / "pg").exists()


def test_a_setting_that_can_not_be_used_is_status_2(desk: Desk) -> None:
    ended = desk.run("users", "list", SIGNUP="maybe", JWT_SECRET=SECRET)
    assert ended.status == 2
    assert "SIGNUP" in ended.err
    assert "open, invite, closed" in ended.err
