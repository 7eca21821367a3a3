"""The embedded PostgreSQL starts: for whom, as whom, and what it refuses to start on."""

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from embedded.desk import (
    ACTORS,
    NEWEST,
    Desk,
    answers,
    for_each_account,
    log,
    postmaster,
    query,
)
from support.waiting import until


class TestStart:
    @pytest.mark.slow
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
        assert query(first.url, "SHOW jit") == "off"
        query(first.url, "CREATE TABLE kept AS SELECT 1 AS it")
        first.leave()

        second = desk.start(data_dir)
        assert query(second.url, "SELECT it FROM kept") == 1

    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("wanted", "least"), [(0, 100), (64, 100), (128, 128 + 10), (8192, 8202)]
    )
    def test_the_server_takes_the_connections_that_its_service_may_open_and_some_more(
        self, desk: Desk, data_dir: Path, wanted: int, least: int
    ) -> None:
        service = desk.start(data_dir, f"connections={wanted}")
        for_others = int(query(service.url, "SHOW superuser_reserved_connections"))
        assert int(query(service.url, "SHOW max_connections")) - for_others >= least - 3
        os.kill(postmaster(data_dir), signal.SIGKILL)  # its successor takes as many
        until(lambda: not answers(service.url))
        until(lambda: answers(service.url))
        assert int(query(service.url, "SHOW max_connections")) >= least

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

    @pytest.mark.parametrize("way", ["finds", "makes"])
    def test_a_folder_that_is_closed_to_the_account_is_named_with_the_reason(
        self, desk: Desk, data_dir: Path, way: str
    ) -> None:
        data_dir.chmod(0)
        other = Desk(ACTORS[-1], desk.base, desk.room, desk.services)
        try:
            said = other.refused(data_dir, way)
        finally:
            data_dir.chmod(0o700)
        assert str(data_dir) in said
        assert "Permission denied" in said
        assert len(said.splitlines()) == 1

    @pytest.mark.parametrize("content", [b"", b"\xff\n"])
    def test_a_cluster_that_does_not_say_its_version_is_refused_in_one_line(
        self, desk: Desk, data_dir: Path, content: bytes
    ) -> None:
        (data_dir / "pg/data/PG_VERSION").write_bytes(content)
        said = desk.refused(data_dir)
        assert f"{data_dir}/pg/data/PG_VERSION holds no version" in said
        assert len(said.splitlines()) == 1

    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_a_server_that_was_never_ready_is_given_up_though_its_keeper_was_killed(
        self, desk: Desk
    ) -> None:
        # An account may kill the keeper only if it is its own.
        other = Desk(ACTORS[-1], desk.base, desk.room, desk.services, desk.closed)
        data_dir = other.folder()
        killing = desk.base / "killing"
        killing.mkdir()
        once = "[ -e killed ] || { touch killed; kill -9 $PPID; }"
        served = f"if [ $1 = -D ]; then cd {data_dir}; {once}; echo broken; exit 1; fi\n"
        for name, instead in (("initdb", ""), ("postgres", served)):
            (killing / name).write_text(f'#!/bin/sh\n{instead}exec {NEWEST / name} "$@"\n')
            (killing / name).chmod(0o755)
        assert "broken" in other.refused(data_dir, pg_bin=killing)
        assert (data_dir / "killed").exists()
