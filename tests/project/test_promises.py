"""What CHANGELOG.md promises for every version 1.x: no name is lost, and no exit status changes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.credentials import SECRET
from support.logging_kept import logging_as_before
from support.promises import broken, kept, promised
from todo_api import cli

COMMANDS = [
    "serve", "migrate", "rollback", "end-sessions", "after-restore", "prune", "check", "upgrade-data",
    "users",    "users list", "users invite", "users show ann@example.com", "users add ann@example.com",
    "users reset-password ann@example.com", "users disable ann@example.com", "users enable ann@example.com",
    "users delete ann@example.com --yes",
]  # fmt: skip


def test_no_promise_is_broken() -> None:
    assert broken(promised(), kept()) == []


def test_what_is_new_is_promised_too() -> None:
    assert kept() - promised() == set(), "tests/tools/renew_promised.py adds it"


def test_each_line_that_goes_is_noticed() -> None:
    now = kept()
    assert all(broken(now, now - {line}) == [f"lost: {line}"] for line in now)


@pytest.mark.parametrize(
    "line",
    [
        "sent TaskCreate.colour string required",
        "sent listTasks.limits query required",
        "sent todo-api-users-list.GROUP argument required",
    ],
)
def test_what_must_be_sent_from_now_on_is_noticed(line: str) -> None:
    now = kept()
    assert broken(now, now | {line}) == [f"needed from now on: {line}"]
    assert broken(now, now | {line.replace("required", "optional")}) == []


def test_a_new_call_may_need_what_it_likes() -> None:
    new = {"call share POST /share", "sent share.with query required", "sent Share.with x required"}
    assert broken(kept(), kept() | new) == []


@pytest.fixture
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    at_sigterm = signal.getsignal(signal.SIGTERM)
    with logging_as_before():
        yield
    signal.signal(signal.SIGTERM, at_sigterm)


def _status(*arguments: str) -> int:
    try:
        return cli.main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)


def test_every_command_has_its_exit_statuses() -> None:
    names = {"-".join(["todo-api", *one.partition(" ann@")[0].split()]) for one in COMMANDS}
    assert names == {line.split()[1] for line in kept() if line.startswith("command ")}


@pytest.mark.slow
@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_exit_statuses_stay(command: str) -> None:
    given = command.split()
    assert _status(*given, "--help") == 0
    assert _status(*given, "--port", "none") == 2
    if command == "users":
        return
    database = ["--database-url", "postgresql://127.0.0.1:9/none", "--jwt-secret", SECRET]
    away = {"check": 2, "upgrade-data": 2}.get(command, 1)  # the latter takes no DATABASE_URL
    assert _status(*given, *database, "--bcrypt-rounds", "4") == away
