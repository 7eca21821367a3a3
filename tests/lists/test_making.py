"""A large list is made once, for all who wait for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from support.waiting import until
from todo_api.lists import making
from todo_api.lists.making import Makers
from todo_api.web.problems import Problem
from todo_api.web.unsent import MIB, Content, InTheMaking, Unsent


@pytest.fixture
def makers() -> Makers:
    """Of a process with eight threads, in which Ann is known to have a large list."""
    held = Unsent(return_memory=lambda: None)
    content = Content(held, "ann", is_whole_list=True)
    content.add(b"x" * MIB, 1)
    held.complete(content, "a tag")
    return Makers(held, threads=8)


def test_a_large_list_is_made_by_one_request_at_a_time(makers: Makers) -> None:
    found: list[Any] = []

    def second() -> None:
        try:
            with makers.turn("ann"):
                found.append("a turn")
        except InTheMaking:
            found.append("look again")

    thread = threading.Thread(target=second)
    with makers.turn("ann"):
        thread.start()
        with makers.turn("bob"):  # nobody waits for another user
            pass
        assert not found
    until(lambda: found == ["look again"])
    thread.join()


def test_few_threads_wait_for_a_large_list(makers: Makers, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[Problem] = []
    monkeypatch.setattr(making, "MAKING_S", 60.0)

    def wait() -> None:
        try:
            with makers.turn("ann"):
                pass
        except InTheMaking:
            pass
        except Problem as problem:
            refused.append(problem)

    threads = [threading.Thread(target=wait) for _ in range(5)]
    with makers.turn("ann"):
        for thread in threads:
            thread.start()
        until(lambda: len(refused) == 3)  # a quarter of eight threads wait
    for thread in threads:
        thread.join()
    assert len(refused) == 3
