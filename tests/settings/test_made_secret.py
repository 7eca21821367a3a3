"""The secret that the service makes for itself: one for all, whole, and nobody else's."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from todo_api.settings.made_secret import SecretError, made_secret


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file, not there yet."""
    return tmp_path / "jwt_secret"


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_it_is_made_once_for_this_account_alone(kept: Path) -> None:
    before = os.umask(0)
    try:
        made = made_secret(kept.parent)
    finally:
        os.umask(before)
    assert len(made) == 64  # 48 random bytes
    assert mode(kept) == 0o600
    assert made_secret(kept.parent) == made
    assert list(kept.parent.iterdir()) == [kept]


def test_it_belongs_to_the_owner_of_the_folder_even_when_root_makes_it(kept: Path) -> None:
    if os.geteuid() == 0:  # others can make one in no folder of another account
        os.chown(kept.parent, 4242, 4243)
    made = made_secret(kept.parent)
    found, folder = kept.stat(), kept.parent.stat()
    assert found.st_uid == folder.st_uid
    assert mode(kept) == 0o600
    if os.geteuid() == 0:
        assert found.st_gid == folder.st_gid
    assert made_secret(kept.parent) == made


def test_each_folder_has_another_one(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert made_secret(tmp_path / "a") != made_secret(tmp_path / "b")


def test_parallel_first_calls_agree(tmp_path: Path) -> None:
    count = 16
    with ThreadPoolExecutor(count) as threads:
        for attempt in range(20):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            together = threading.Barrier(count)

            def first(folder: Path = folder, together: threading.Barrier = together) -> str:
                together.wait()
                return made_secret(folder)

            calls = [threads.submit(first) for _ in range(count)]
            assert len({call.result() for call in calls}) == 1
            assert [file.name for file in folder.iterdir()] == ["jwt_secret"]


def test_a_killed_first_call_does_not_keep_the_next_from_making_one(kept: Path) -> None:
    # As containers have it: each start is the same process number.
    for name in f"jwt_secret.{os.getpid()}", ".jwt_secret-half-made":
        (kept.parent / name).touch(0o600)
    assert len(made_secret(kept.parent)) == 64


def test_one_written_by_hand_may_end_its_line(kept: Path) -> None:
    kept.touch(0o600)
    kept.write_text(f"{'é' * 16}\n", "utf-8")
    assert made_secret(kept.parent) == "é" * 16


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "at least 32 bytes"),
        (b"\n" * 64, "at least 32 bytes"),
        (b"x" * 31, "at least 32 bytes"),
        (b"x" * 31 + b"\n", "at least 32 bytes"),
        (b"change-me-change-me-change-me-change-me", "example"),
        (b"\xff" * 64, "must be UTF-8"),
        (b"x" * 40 + b"\0" * 24, "control characters"),
        (b"x" * 40 + b"\n" + b"y" * 40, "control characters"),
    ],
)
def test_one_that_is_cut_short_or_no_secret_is_refused_and_left_alone(
    kept: Path, content: bytes, why: str
) -> None:
    kept.touch(0o600)
    kept.write_bytes(content)
    with pytest.raises(SecretError, match=why) as caught:
        made_secret(kept.parent)
    assert str(caught.value).startswith(str(kept))
    assert "remove it" in str(caught.value)
    assert kept.read_bytes() == content


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o666, 0o644])
def test_one_that_others_could_read_is_closed_to_them_with_a_warning(
    kept: Path, open_to: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = made_secret(kept.parent)
    assert caplog.messages == []
    kept.chmod(open_to)
    assert made_secret(kept.parent) == made
    assert mode(kept) == 0o600
    [warning] = caplog.messages
    assert str(kept) in warning
    assert made not in warning


def test_one_of_another_account_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_secret(kept.parent)
    stat_of = os.fstat

    def of_another(descriptor: int) -> os.stat_result:
        found = list(stat_of(descriptor))
        found[stat.ST_UID] += 1
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", of_another)
    with pytest.raises(SecretError, match="belongs to another account"):
        made_secret(kept.parent)


def test_a_link_is_not_followed(kept: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x" * 64)
    elsewhere.chmod(0o644)
    kept.symlink_to(elsewhere)
    with pytest.raises(SecretError):
        made_secret(kept.parent)
    assert mode(elsewhere) == 0o644


def test_what_is_no_file_is_refused(kept: Path) -> None:
    kept.mkdir()
    with pytest.raises(SecretError, match="Is a directory"):
        made_secret(kept.parent)
    kept.rmdir()
    os.mkfifo(kept)
    with pytest.raises(SecretError, match="must be a file"):
        made_secret(kept.parent)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=rf"^{tmp_path}/none/jwt_secret can't be used: No such"):
        made_secret(tmp_path / "none")
