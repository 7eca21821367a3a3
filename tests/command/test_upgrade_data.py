"""The command todo-api upgrade-data: an embedded database of an older PostgreSQL becomes a newer one."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.desk import NEWEST, OLDER
from support.command import ACCOUNT, Desk, a_desk, processes_in
from support.waiting import until

DEBIAN = Path("/usr/lib/postgresql/15/bin")


def used(desk: Desk, programs: Path) -> dict[str, Any]:
    """The session of a user with a task, in a DATA_DIR that was made with these programs."""
    service = desk.start("serve", DATA_DIR="data", PORT="0", PG_BIN=str(programs)).ready()
    session: dict[str, Any] = service.call("POST", "/api/auth/signup", ACCOUNT)[1]["data"]
    path, token = f"/api/{session['user_id']}/tasks", session["access_token"]
    assert service.call("POST", path, {"title": "Buy oat milk"}, token)[0] == 201
    assert service.end(signal.SIGTERM).status == 0
    until(lambda: not processes_in(desk.folder))
    return session


@pytest.fixture(scope="module")
def model() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder that was used with PostgreSQL 16, and the session in it."""
    with a_desk() as desk:
        session = used(desk, OLDER)
        yield desk.folder / "data", session


@pytest.fixture
def older(desk: Desk, model: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """The session in the desk's own copy of that folder."""
    shutil.copytree(model[0], desk.folder / "data", symlinks=True)
    for path in (desk.folder / "data").rglob("*"):
        shutil.chown(path, model[0].joinpath(path.relative_to(desk.folder / "data")).stat().st_uid)
    return model[1]


def version(desk: Desk) -> str:
    return (desk.folder / "data/pg/data/PG_VERSION").read_text().strip()


def serves(desk: Desk, session: dict[str, Any], **settings: str) -> None:
    """The session and the task are there, and nothing is warned of."""
    service = desk.start("serve", **{"DATA_DIR": "data", "PORT": "0", **settings}).ready()
    assert service.titles(session) == ["Buy oat milk"]
    path, token = f"/api/{session['user_id']}/tasks", session["access_token"]
    task = service.call("GET", path, token=token)[1]["data"][0]["id"]
    assert service.call("PATCH", f"{path}/{task}/complete", token=token)[0] == 200
    ended = service.end(signal.SIGTERM)
    assert ended.status == 0
    assert ended.warnings == []


@pytest.mark.slow
def test_everything_is_there_afterwards_and_the_old_database_is_kept(
    desk: Desk, older: dict[str, Any]
) -> None:
    assert version(desk) == "16"
    ended = desk.run("upgrade-data", DATA_DIR="data", LOG_LEVEL="WARNING")
    assert (ended.status, ended.err) == (0, "")
    folder = desk.folder / "data"
    assert ended.out == (
        f"upgraded; remove the old database when all is well: {folder}/pg/data-16\n"
        f"database: embedded, in {folder}\n"
    )
    assert version(desk) == "18"
    assert not (folder / "upgrade").exists()
    serves(desk, older)
    # back to the old one, as the guide says
    shutil.rmtree(folder / "pg/data")
    (folder / "pg/data-16").rename(folder / "pg/data")
    serves(desk, older)


@pytest.mark.slow
def test_a_second_call_has_nothing_to_do(desk: Desk, older: dict[str, Any]) -> None:
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    again = desk.run("upgrade-data", DATA_DIR="data", LOG_LEVEL="WARNING")
    assert (again.status, again.err) == (0, "")
    assert again.out.startswith("nothing to do\n")


@pytest.mark.slow
@pytest.mark.parametrize("there", ["upgrade", "upgrade/pg/data/PG_VERSION", "upgrade/dump"])
def test_a_call_that_is_killed_leaves_the_old_data_in_use_and_can_be_repeated(
    desk: Desk, older: dict[str, Any], there: str
) -> None:
    command = desk.start("upgrade-data", DATA_DIR="data")
    until((desk.folder / "data" / there).exists)
    command.end(signal.SIGKILL)
    until(lambda: not processes_in(desk.folder))
    assert version(desk) == "16"
    serves(desk, older)
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    serves(desk, older)


@pytest.mark.slow
def test_what_is_written_after_a_call_was_killed_before_its_last_steps_is_copied_by_the_next(
    desk: Desk, older: dict[str, Any]
) -> None:
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    pg = desk.folder / "data/pg"
    (pg / "data").rename(pg / "data-new")
    (pg / "data-16").rename(pg / "data")
    service = desk.start("serve", DATA_DIR="data", PORT="0").ready()
    path, token = f"/api/{older['user_id']}/tasks", older["access_token"]
    [first] = service.call("GET", path, token=token)[1]["data"]
    assert service.call("DELETE", f"{path}/{first['id']}", token=token)[0] == 204
    assert service.call("POST", path, {"title": "Buy rye bread"}, token)[0] == 201
    assert service.end(signal.SIGTERM).status == 0
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    assert version(desk) == "18"
    assert sorted(path.name for path in pg.glob("data*")) == ["data", "data-16"]
    later = desk.start("serve", DATA_DIR="data", PORT="0").ready()
    assert later.titles(older) == ["Buy rye bread"]


@pytest.mark.slow
def test_a_call_that_is_killed_between_its_last_steps_is_finished_by_the_next(
    desk: Desk, older: dict[str, Any]
) -> None:
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    pg = desk.folder / "data/pg"
    (pg / "data").rename(pg / "data-new")
    for command in ("serve", "migrate", "end-sessions", "rollback"):
        ended = desk.run(command, DATA_DIR="data", LOG_LEVEL="ERROR")
        assert (ended.status, ended.out) == (1, "")
        assert "cut short. Run `todo-api upgrade-data`" in ended.complaint
    assert desk.run("upgrade-data", DATA_DIR="data").status == 0
    assert version(desk) == "18"
    assert (pg / "data-16/PG_VERSION").exists()
    serves(desk, older)


@pytest.mark.slow
def test_a_database_in_use_is_refused_and_no_service_starts_meanwhile(
    desk: Desk, older: dict[str, Any]
) -> None:
    service = desk.start("serve", DATA_DIR="data", PORT="0").ready()
    refused = desk.run("upgrade-data", DATA_DIR="data", LOG_LEVEL="ERROR")
    assert (refused.status, refused.out) == (1, "")
    assert "is in use. Stop the service first." in refused.complaint
    assert service.end(signal.SIGTERM).status == 0

    upgrading = desk.start("upgrade-data", DATA_DIR="data")
    until((desk.folder / "data/upgrade").exists)
    early = desk.run("serve", DATA_DIR="data", PORT="0", LOG_LEVEL="ERROR")
    assert "is being upgraded" in early.complaint
    assert upgrading.end().status == 0
    serves(desk, older)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"DATA_DIR": "nothing"}, "there is no database in"),
        (
            {"DATA_DIR": "data", "--old-pg-bin": str(NEWEST)},
            "DATA_DIR holds a database of PostgreSQL 16",
        ),
        ({"DATA_DIR": "data", "DATABASE_URL": "postgresql://h/d"}, "DATABASE_URL must be unset"),
    ],
)
def test_what_cannot_be_upgraded_is_told(
    desk: Desk, older: dict[str, Any], settings: dict[str, str], words: str
) -> None:
    options = [
        word for name in settings if name.startswith("--") for word in (name, settings[name])
    ]
    variables = {name: value for name, value in settings.items() if not name.startswith("--")}
    ended = desk.run("upgrade-data", *options, **variables, LOG_LEVEL="ERROR")
    assert ended.status in (1, 2)
    assert words in ended.err
    assert version(desk) == "16"
    assert not (desk.folder / "nothing").exists()


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("upgrade-data", "upgrade"),
        ("upgrade-data", "pg/data-new"),
        ("upgrade-data", "pg/upgrade.lock/folder"),
        ("upgrade-data", "pg/data/PG_VERSION"),
        ("serve", "pg/data/PG_VERSION"),
        ("end-sessions", "pg/data/PG_VERSION"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_in_one_line(
    desk: Desk, older: dict[str, Any], command: str, file: str
) -> None:
    path = desk.folder / "data" / file
    if path.name == "folder":
        path.parent.unlink(missing_ok=True)
        path.mkdir(parents=True)
    else:
        path.write_text("")
    ended = desk.run(command, DATA_DIR="data", LOG_LEVEL="ERROR")
    assert (ended.status, ended.out) == (1, "")
    assert str(desk.folder / "data") in ended.complaint
    assert (desk.folder / "data/pg/data").exists()


@pytest.mark.slow
def test_a_path_too_long_for_the_copy_is_told_before_anything_is_done(
    desk: Desk, older: dict[str, Any]
) -> None:
    path = (
        desk.folder / "d" / ("d" * (85 - len(str(desk.folder / "d")) - 1))
    )  # the longest that serves
    path.parent.mkdir(0o711)
    (desk.folder / "data").rename(path)
    serves(desk, older, DATA_DIR=str(path))
    before = sorted(path.rglob("*"))
    ended = desk.run("upgrade-data", DATA_DIR=str(path), LOG_LEVEL="INFO", LOG_FORMAT="text")
    assert (ended.status, ended.out) == (1, "")
    assert "at least 8 bytes shorter" in ended.complaint
    assert sorted(path.rglob("*")) == before


@pytest.mark.programs
def test_the_programs_of_another_installation_lead_out_of_its_version(desk: Desk) -> None:
    session = used(desk, DEBIAN)
    refused = desk.run("serve", DATA_DIR="data", LOG_LEVEL="ERROR")
    assert "todo-api upgrade-data --old-pg-bin FOLDER" in refused.complaint
    ended = desk.run(
        "upgrade-data", "--old-pg-bin", str(DEBIAN), DATA_DIR="data", LOG_LEVEL="ERROR"
    )
    assert (ended.status, ended.err) == (0, "")
    assert version(desk) == "18"
    serves(desk, session)
