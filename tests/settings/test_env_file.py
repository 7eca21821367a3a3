"""The .env file: whose it may be, what it may be, and what is said about keys that are no settings."""

import os
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import MODULE, PLAIN
from todo_api.settings.config import Config
from todo_api.settings.load import ConfigError, load

SECRET = "0123456789abcdefghijklmnopqrstuv"
ANOTHER = 54321


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A .env file as `umask 022` makes one, in a folder of its owner's."""
    tmp_path.chmod(0o755)
    path = tmp_path / ".env"
    path.write_text("PORT=3\n")
    path.chmod(0o644)
    return path


@pytest.fixture
def given_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a file or folder another account's, as root; for others, asks as another account."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, ANOTHER, -1, follow_symlinks=False)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: ANOTHER)

    return give


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load({}, {}, folder)
    return caught.value.problems


def warnings_of(folder: Path, **environ: str) -> list[str]:
    found: list[str] = []
    load({}, environ, folder, warn=found.append)
    return found


class TestWhoseItIs:
    def test_ones_own_is_read(self, file: Path) -> None:
        assert load({}, {}, file.parent).port == 3

    def test_another_accounts_is_refused(
        self, file: Path, given_away: Callable[[Path], None]
    ) -> None:
        given_away(file)
        [problem] = problems_of(file.parent)
        assert problem.startswith(".env belongs to another account")

    def test_one_in_another_accounts_folder_is_refused(
        self, file: Path, given_away: Callable[[Path], None]
    ) -> None:
        given_away(file.parent)
        [problem] = problems_of(file.parent)
        assert problem.startswith((".env is in a folder", ".env belongs to another account"))

    @pytest.mark.parametrize("mode", [0o666, 0o646, 0o602])
    def test_one_that_everybody_can_change_is_refused(self, file: Path, mode: int) -> None:
        file.chmod(mode)
        [problem] = problems_of(file.parent)
        assert problem.startswith(".env can be changed by other accounts")

    @pytest.mark.parametrize(
        ("group", "members", "is_read"),
        [("ann", [], True), ("ann", ["ann"], True), ("ann", ["ann", "bob"], False), ("staff", [], False)],
    )  # fmt: skip
    def test_of_groups_only_ones_own_may_change_it(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, group: str, members: list[str], is_read: bool
    ) -> None:  # fmt: skip
        file.chmod(0o664)
        account = type("", (), {"pw_name": "ann"})
        found = type("", (), {"gr_name": group, "gr_mem": members})
        monkeypatch.setattr("pwd.getpwuid", lambda _: account)
        monkeypatch.setattr("grp.getgrgid", lambda _: found)
        if is_read:
            assert load({}, {}, file.parent).port == 3
        else:
            [problem] = problems_of(file.parent)
            assert problem.startswith(".env can be changed by other accounts")

    def test_one_of_a_group_without_a_name_is_refused(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nobody(_: int) -> None:
            raise KeyError

        file.chmod(0o664)
        monkeypatch.setattr("pwd.getpwuid", nobody)
        [problem] = problems_of(file.parent)
        assert problem.startswith(".env can be changed by other accounts")

    def test_one_in_a_folder_where_everybody_can_write_is_refused(self, file: Path) -> None:
        file.parent.chmod(0o777)
        [problem] = problems_of(file.parent)
        assert problem.startswith(".env is in a folder in which other accounts")

    def test_ones_own_in_a_folder_like_tmp_is_read(self, file: Path) -> None:
        file.parent.chmod(0o1777)
        assert load({}, {}, file.parent).port == 3

    def test_a_link_is_judged_by_itself_and_by_what_it_leads_to(
        self, tmp_path: Path, file: Path, given_away: Callable[[Path], None]
    ) -> None:
        folder, elsewhere = tmp_path / "a", tmp_path / "b"
        folder.mkdir(), elsewhere.mkdir()
        target = elsewhere / "settings"
        target.write_text("PORT=4\n")
        (folder / ".env").symlink_to(target)
        assert load({}, {}, folder).port == 4
        elsewhere.chmod(0o777)
        [problem] = problems_of(folder)
        assert problem.startswith(".env is in a folder")
        elsewhere.chmod(0o755)
        target.chmod(0o666)
        [problem] = problems_of(folder)
        assert problem.startswith(".env can be changed")
        target.chmod(0o644)
        given_away(folder / ".env")
        [problem] = problems_of(folder)
        assert problem.startswith(".env belongs to another account")

    def test_every_link_on_the_way_is_judged(
        self, tmp_path: Path, file: Path, given_away: Callable[[Path], None]
    ) -> None:
        folder, between = tmp_path / "a", tmp_path / "b"
        folder.mkdir(), between.mkdir()
        (folder / ".env").symlink_to("../b/link")
        (between / "link").symlink_to(file)
        assert load({}, {}, folder).port == 3
        between.chmod(0o777)
        [problem] = problems_of(folder)
        assert problem.startswith(".env is in a folder")
        between.chmod(0o755)
        given_away(between / "link")
        [problem] = problems_of(folder)
        assert problem.startswith(".env belongs to another account")

    def test_one_that_a_list_of_accounts_lets_others_change_is_refused(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("todo_api.settings.env_file._is_private", lambda *_: True)
        file.chmod(0o660)
        assert load({}, {}, file.parent).port == 3
        # owner, another, group, the most that the last two may, everybody
        named = [(1, 6, -1), (2, 6, ANOTHER), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
        entries = b"".join(struct.pack("<HHi", *entry) for entry in named)
        try:
            os.setxattr(file, "system.posix_acl_access", struct.pack("<I", 2) + entries)
        except OSError:  # this file system has no lists
            monkeypatch.setattr("os.getxattr", lambda *_: entries)
        [problem] = problems_of(file.parent)
        assert problem.startswith(".env can be changed by other accounts")

    def test_the_programs_that_somebody_elses_names_are_not_run(
        self, file: Path, tmp_path: Path
    ) -> None:
        planted = tmp_path / "bin"
        planted.mkdir()
        for name in ("postgres", "initdb", "pg_ctl"):
            (planted / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            (planted / name).chmod(0o755)
        file.write_text(f"PG_BIN={planted}\nDATA_DIR={tmp_path / 'data'}\n")
        file.chmod(0o666)
        run = subprocess.run(
            [*MODULE, "serve"], cwd=tmp_path, env=PLAIN, capture_output=True, text=True, check=False
        )
        assert run.returncode == 2
        assert ".env can be changed by other accounts" in run.stderr
        assert not (tmp_path / "ran").exists()


class TestWhatItIs:
    def test_a_fifo_is_refused_at_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / ".env")
        assert problems_of(tmp_path) == [".env must be a file"]

    def test_a_loop_of_links_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / ".env").symlink_to(".env")
        [problem] = problems_of(tmp_path)
        assert problem.startswith(".env can't be read: ")

    def test_a_link_to_nowhere_is_none(self, tmp_path: Path) -> None:
        (tmp_path / ".env").symlink_to("nowhere")
        assert load({}, {}, tmp_path) == Config()

    def test_a_huge_file_is_refused_after_its_first_64_kib(self, file: Path) -> None:
        with file.open("r+b") as opened:
            opened.truncate(1 << 40)  # without blocks on the disk
        assert problems_of(file.parent) == [".env has more than 65536 bytes"]


class TestSecretsThatOthersCanRead:
    @pytest.mark.parametrize(
        ("line", "name"),
        [
            (f"JWT_SECRET={SECRET}", "JWT_SECRET"),
            (f"JWT_SECRET_PREVIOUS={SECRET}", "JWT_SECRET_PREVIOUS"),
            (
                f"JWT_SECRET={SECRET}\nDATABASE_URL=postgresql://ann:s3cret@db/todo",
                "JWT_SECRET, DATABASE_URL",
            ),
            (f"JWT_SECRET={SECRET}\nDATABASE_URL=host=db password=s3cret", "JWT_SECRET, DATABASE_URL"),
        ],
    )  # fmt: skip
    def test_they_are_named_and_not_shown(self, file: Path, line: str, name: str) -> None:
        file.write_text(f"{line}\n")
        [warning] = warnings_of(file.parent)
        assert warning == f".env can be read by other accounts, and holds {name}: chmod 600 .env"

    def test_nothing_is_said_when_only_the_owner_can_or_nothing_is_secret(self, file: Path) -> None:
        assert warnings_of(file.parent) == []
        file.write_text(f"JWT_SECRET={SECRET}\n")
        file.chmod(stat.S_IRUSR | stat.S_IWUSR)
        assert warnings_of(file.parent) == []
        file.chmod(0o644)
        file.parent.chmod(0o700)
        assert warnings_of(file.parent) == []

    @pytest.mark.parametrize(("members", "says"), [([], 0), (["ann", "bob"], 1)])
    def test_a_group_of_several_is_others(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], says: int
    ) -> None:
        file.write_text(f"JWT_SECRET={SECRET}\n")
        file.chmod(0o640)
        monkeypatch.setattr("pwd.getpwuid", lambda _: type("", (), {"pw_name": "ann"}))
        monkeypatch.setattr(
            "grp.getgrgid", lambda _: type("", (), {"gr_name": "ann", "gr_mem": members})
        )
        assert len(warnings_of(file.parent)) == says
        file.parent.chmod(0o700)
        assert warnings_of(file.parent) == []


class TestKeysThatAreNoSettings:
    @pytest.mark.parametrize(
        ("key", "setting"),
        [
            ("DATABSE_URL", "DATABASE_URL"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("DATABASEURL", "DATABASE_URL"),
            ("database-url", "DATABASE_URL"),
            ("JWT_SECRETS", "JWT_SECRET"),
            ("JWT_SERCET", "JWT_SECRET"),
            ("Port", "PORT"),
            ("port", "PORT"),
            ("PROT", "PORT"),
            ("CORS_ORIGIN", "CORS_ORIGINS"),
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("loglevel", "LOG_LEVEL"),
        ],
    )
    def test_what_is_nearly_one_ends_the_start(self, file: Path, key: str, setting: str) -> None:
        file.write_text(f"{key}={SECRET}\n")
        assert problems_of(file.parent) == [f"{key} in .env is no setting: did you mean {setting}?"]

    def test_any_other_is_named_without_its_value(self, file: Path) -> None:
        file.write_text(f"POSTGRES_PASSWORD={SECRET}\nDATABASE_USER=ann\nPORT=3\n")
        assert warnings_of(file.parent) == [
            ".env has what is no setting: POSTGRES_PASSWORD, DATABASE_USER"
        ]

    def test_what_may_be_a_secret_out_of_place_is_named_by_its_line(self, file: Path) -> None:
        file.write_text("PORT=3\nc2VjcmV0IHNlY3JldA==\nabcdef0123456789\n")
        assert warnings_of(file.parent) == [".env has what is no setting: line 2, line 3"]

    def test_in_the_environment_it_is_a_warning(self, tmp_path: Path) -> None:
        environ = {"DATABSE_URL": SECRET, "POSTS": "1", "HOSTS": "1", "HOME": "/", "PATH": "/bin"}
        assert warnings_of(tmp_path, **environ) == [
            "DATABSE_URL in the environment is no setting: did you mean DATABASE_URL?"
        ]
