"""The default of WORKERS: the cores that the machine, a container or a service manager gives."""

import os
from pathlib import Path

import pytest

from todo_api.settings import cores as cores_of_machine
from todo_api.settings.config import Config


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of 64 cores whose control groups are files in this folder: `self`, and `fs` for the rest."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(cores_of_machine, "OWN_CGROUPS", tmp_path / "self")
    monkeypatch.setattr(cores_of_machine, "CGROUPS", tmp_path / "fs")
    return tmp_path


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("cores", "quota", "workers", "slots"),
    [
        (1, None, 1, 1),
        (4, None, 4, 1),
        (64, None, 8, 8),
        (64, "max 100000", 8, 8),
        (64, "200000 100000", 2, 1),  # as `docker run --cpus 2`
        (64, "150000 100000", 2, 1),
        (64, "50000 100000", 1, 1),
        (2, "800000 100000", 2, 1),
    ],
)
def test_the_defaults_suit_the_cores_that_a_machine_or_container_gives(
    monkeypatch: pytest.MonkeyPatch,
    groups: Path,
    cores: int,
    quota: str | None,
    workers: int,
    slots: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    if quota:
        put(groups / "fs/cpu.max", quota)
    assert (Config().workers, Config().hashing_slots) == (workers, slots)


@pytest.mark.parametrize(
    ("own", "above", "workers"),
    [
        ("300000 100000", "max 100000", 3),  # CPUQuota=300%
        ("max 100000", "300000 100000", 3),  # that of a slice
        ("300000 100000", "200000 100000", 2),
        ("300000 100000", None, 3),
        ("0 100000", "nonsense", 8),
        ("300000 0", "", 8),
    ],
)
def test_the_least_quota_of_its_group_and_of_those_above_counts(
    groups: Path, own: str, above: str | None, workers: int
) -> None:
    put(groups / "self", "0::/system.slice/todo-api.service")
    put(groups / "fs/system.slice/todo-api.service/cpu.max", own)
    if above is not None:
        put(groups / "fs/system.slice/cpu.max", above)
    assert Config().workers == workers


def test_a_group_s_files_may_all_be_missing(groups: Path) -> None:
    put(groups / "self", "no group at all\n0::/gone (deleted)\n\n7:cpu:/gone")
    assert Config().workers == 8


@pytest.mark.parametrize("group", ["/../other", "/../../../other"])
def test_a_group_outside_of_the_container_is_not_looked_for(groups: Path, group: str) -> None:
    put(groups / "self", f"0::{group}")
    put(groups / "other/cpu.max", "100000 100000")
    put(groups / "fs/cpu.max", "300000 100000")
    assert Config().workers == 3


@pytest.mark.parametrize("mounted", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize(
    "place",
    [
        "docker/0123",  # all groups of the host are seen
        "docker",
        ".",  # only the container's own, whatever its path
    ],
)
@pytest.mark.parametrize(("quota", "workers"), [("250000", 3), ("-1", 8)])
def test_groups_of_version_1_count_too(
    groups: Path, mounted: str, place: str, quota: str, workers: int
) -> None:
    put(groups / "self", f"9:memory:/docker/0123\n4:{mounted}:/docker/0123\n0::/")
    put(groups / "fs" / mounted / place / "cpu.cfs_quota_us", quota)
    put(groups / "fs" / mounted / place / "cpu.cfs_period_us", "100000")
    # Another controller's group says nothing of the cores.
    put(groups / "fs/memory/docker/0123/cpu.cfs_quota_us", "100000")
    put(groups / "fs/memory/docker/0123/cpu.cfs_period_us", "100000")
    assert Config().workers == workers
