"""The embedded PostgreSQL and its services are killed: nothing is lost, half made or left behind."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from embedded.desk import (
    ROOT,
    Desk,
    answers,
    for_each_account,
    postmaster,
    query,
    stopped,
)
from support.processes import alive, children, keepers
from support.waiting import until


class TestCrashes:
    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
    @for_each_account
    @pytest.mark.parametrize(
        ("content", "works_in"),
        [("{other}\n", "/"), ("{other}\n", "pg/data"), ("", "/"), ("-{other}\n", "/")],
    )
    def test_pid_files_of_a_killed_server_do_not_stop_the_next_start(
        self, desk: Desk, data_dir: Path, content: str, works_in: str
    ) -> None:
        service = desk.start(data_dir)
        query(service.url, "INSERT INTO kept VALUES ('later')")
        server = postmaster(data_dir)
        kin = children(server)
        # The keepers stand still meanwhile: if they die first, the server shuts down in order, and
        # may have removed its pid files before it is killed.
        keeping = keepers(data_dir)
        for keeper in keeping:
            os.kill(keeper, signal.SIGSTOP)
        for pid in (server, *kin, *keeping):
            with contextlib.suppress(ProcessLookupError):  # the backend of the query is leaving
                os.kill(pid, signal.SIGKILL)
        service.kill()
        until(lambda: not any(map(alive, (server, *kin))))
        # Meanwhile the number goes to an unrelated process, of the same account at that.
        owner = (data_dir / "pg/data").stat()
        ids = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if ROOT else {}
        with subprocess.Popen(["sleep", "600"], cwd=data_dir / works_in, **ids) as other:  # type: ignore[call-overload]
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

    @pytest.mark.slow
    @pytest.mark.parametrize("made", ["new", "new/global/pg_control", "new/base/5"])
    def test_a_killed_first_start_leaves_nothing_half_made(self, desk: Desk, made: str) -> None:
        data_dir = desk.folder()
        service = desk.start(data_dir)
        until((data_dir / "pg" / made).exists)
        service.kill()

        again = desk.start(data_dir)

        assert query(again.url, "SELECT current_database()") == "todo"
        assert not (data_dir / "pg/new").exists()

    @pytest.mark.slow
    def test_a_service_that_waits_takes_over_a_first_start_that_is_killed(self, desk: Desk) -> None:
        data_dir = desk.folder()
        first = desk.start(data_dir)
        until((data_dir / "pg/new/base").exists)
        os.kill(first.process.pid, signal.SIGSTOP)
        second = desk.start(data_dir)
        until(lambda: "waiting" in second.said())
        first.kill()
        assert query(second.url, "SELECT current_database()") == "todo"
