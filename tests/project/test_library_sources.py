"""No library has changed a function that todo_api overrides, or whose inside it counts on, unnoticed."""

import inspect
from functools import cache
from importlib.metadata import packages_distributions, version

import pytest

from support import library_sources
from support.library_sources import overridden, source_hash, used, written

USED = used()
distributions = cache(packages_distributions)  # it reads every package's list of files


def test_the_page_has_every_function_and_no_other() -> None:
    assert written().keys() == USED.keys()


@pytest.mark.parametrize("function", USED)
def test_a_library_s_function_is_as_it_was_when_somebody_last_looked(function: str) -> None:
    [distribution, *_] = distributions()[function.partition(".")[0]]
    assert source_hash(function) == written()[function], (
        f"{function} is another one in {distribution} {version(distribution)}. {USED[function]} overrides it "
        "or counts on its inside: look there, then run tests/tools/renew_library_sources.py"
    )


@pytest.mark.parametrize(
    "function",
    [
        "waitress.channel.HTTPChannel.writable",
        "waitress.task.Task.build_response_header",
        "flask.app.Flask.ensure_sync",
        "yoyo.backends.base.DatabaseBackend.apply_one",
    ],
)
def test_what_is_overridden_is_found(function: str) -> None:
    assert function in dict(overridden())


def test_another_source_has_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    function = "waitress.channel.HTTPChannel.writable"
    before, getsource = source_hash(function), inspect.getsource
    monkeypatch.setattr(
        library_sources.inspect, "getsource", lambda one: getsource(one).replace("return", "yield")
    )
    assert source_hash(function) != before
