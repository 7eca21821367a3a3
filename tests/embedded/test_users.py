"""The embedded PostgreSQL runs as long as somebody uses it, and no longer."""

import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest

from embedded.desk import Desk, answers, for_each_account, log, postmaster, query, stopped
from support.processes import alive, keepers
from support.waiting import until


class TestUsers:
    @pytest.mark.slow
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

    @pytest.mark.slow
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

    @pytest.mark.slow
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
