"""The command todo-api without a service: help, version, and mistakes in arguments and settings."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from support.command import MODULE, PLAIN, SECRET, SETTINGS, Desk, Ended


def test_version(desk: Desk) -> None:
    assert desk.run("--version") == Ended(0, f"todo-api {version('todo-api')}\n", "")


@pytest.mark.slow
def test_the_installed_command_is_the_same_as_the_module() -> None:
    script = Path(sys.executable).with_name("todo-api")
    shown = [
        subprocess.run([*command, "--help"], env=PLAIN, capture_output=True, text=True, check=True)
        for command in ([script], MODULE)
    ]
    assert shown[0].stdout == shown[1].stdout
    assert re.findall(r"^    ([\w-]+)(?:  |$)", shown[0].stdout, re.MULTILINE) == [
        "serve",
        "migrate",
        "rollback",
        "end-sessions",
        "after-restore",
        "prune",
        "check",
        "users",
        "upgrade-data",
    ]


@pytest.mark.parametrize(
    "command", ["serve", "migrate", "rollback", "end-sessions", "prune", "check", "upgrade-data"]
)
def test_the_help_of_a_command_has_an_example(desk: Desk, command: str) -> None:
    assert f"Example: todo-api {command}" in desk.run(command, "--help").out


@pytest.mark.parametrize(
    "command",
    ["serve", "migrate", "rollback", "end-sessions", "prune", "users list", "upgrade-data"],
)
def test_the_help_of_a_command_names_every_setting_with_its_default(
    desk: Desk, command: str
) -> None:
    shown = desk.run(*command.split(), "--help")
    assert (shown.status, shown.err) == (0, "")
    for name in SETTINGS:
        assert re.search(
            rf"^  --{name.lower().replace('_', '-')} {name}\s", shown.out, re.MULTILINE
        )
    assert "(default: 8000)" in shown.out
    assert "(default: 127.0.0.1)" in shown.out


def test_without_a_command_it_shows_the_usage(desk: Desk) -> None:
    ended = desk.run()
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: todo-api ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--jwt-secret", SECRET, "serve"),
        (SECRET,),
        ("serve", SECRET),
        ("serve", "--jwt-secrt", SECRET),
        ("serve", f"--jwt-secrt={SECRET}"),
        ("serve", "--jwt", SECRET),
        ("rollback", "--count", "1", SECRET),
    ],
)
def test_a_mistake_in_the_arguments_ends_it_and_shows_no_value(
    desk: Desk, arguments: tuple[str, ...]
) -> None:
    ended = desk.run(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: todo-api ")
    assert "only these tests" not in ended.err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--prot", "--port"),
        ("--auth_rate_limit", "--auth-rate-limit"),
        ("--jwt-secrt", "--jwt-secret"),
    ],
)
def test_an_unknown_option_suggests_the_nearest(desk: Desk, given: str, meant: str) -> None:
    ended = desk.run("serve", given, "5")
    assert (ended.status, ended.out) == (2, "")
    assert f"unknown: {given} (did you mean {meant}?)" in ended.err


def test_an_option_that_is_like_no_other_suggests_none(desk: Desk) -> None:
    assert desk.run("serve", "--zzzz", "5").err.endswith("unknown: --zzzz\n")


@pytest.mark.slow
def test_bad_settings_from_everywhere_are_told_at_once(desk: Desk) -> None:
    (desk.folder / ".env").write_text("LOG_LEVEL=LOUD\nJWT_SECRET=Pa55word\nPORT=1\n")
    ended = desk.run("serve", "--port", "x", THREADS="1", DATABASE_URL="mysql://u:Pa55word@h/db")
    assert (ended.status, ended.out) == (2, "")
    first, *problems = ended.err.splitlines()
    assert first == "todo-api: the settings can't be used:"
    assert [line.split()[0] for line in problems] == [
        "DATABASE_URL", "JWT_SECRET", "PORT", "THREADS", "LOG_LEVEL",
    ]  # fmt: skip
    assert "Pa55word" not in ended.err


@pytest.mark.slow
def test_a_command_does_not_look_for_garbage_in_what_it_imports() -> None:
    """To do so took a third of the CPU of a start, and again at the end."""
    program = """
import gc
runs = []
gc.callbacks.append(lambda phase, info: runs.append(phase))
from todo_api import commands
runs.clear()
with commands.importing():
    import todo_api.app
assert (runs, gc.isenabled()) == ([], True)
assert gc.get_freeze_count() > 30_000
try:
    with commands.importing():
        import nothing_of_this_name
except ImportError:
    assert gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", program], env=PLAIN, check=True)
