"""The bounds on large answers that are held for clients; most are made small here."""

from __future__ import annotations

import pytest

from todo_api.web import unsent
from todo_api.web.problems import Problem
from todo_api.web.unsent import LARGE, MIB, Content, InTheMaking, Unsent

PIECE = b"x" * LARGE


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Unsent:
    """A user may have four pieces, a process six."""
    monkeypatch.setattr(unsent, "USER_BYTES", 4 * LARGE)
    monkeypatch.setattr(unsent, "PROCESS_BYTES", 6 * LARGE)
    return Unsent(return_memory=lambda: None)


def made(held: Unsent, owner: str, pieces: int, tag: str = "") -> Content:
    content = Content(held, owner)
    for _ in range(pieces):
        content.add(PIECE, 1)
    return held.complete(content, tag or f"{owner} {pieces}")


def test_what_nobody_is_sent_any_more_is_not_held(held: Unsent) -> None:
    content = made(held, "ann", 2)
    assert held.load().held == 2 * LARGE
    assert held.find("ann", "ann 2") is content
    del content
    assert held.load().held == 0
    assert held.find("ann", "ann 2") is None


def test_the_same_content_is_held_once(held: Unsent) -> None:
    first = made(held, "ann", 2, "a tag")
    assert made(held, "ann", 2, "a tag") is first
    assert made(held, "bob", 2, "a tag") is not first
    assert held.load().held == 2 * LARGE


def test_a_user_gets_no_more_than_a_users_part(held: Unsent) -> None:
    first = made(held, "ann", 3)
    with pytest.raises(Problem) as refusal:
        made(held, "ann", 2)
    assert refusal.value.code == "unavailable"
    assert refusal.value.headers == {"Retry-After": "5"}
    second = made(held, "bob", 2)  # others are untouched
    assert not first.is_given_up
    assert not second.is_given_up
    assert held.load().refused == 1


def test_the_first_content_may_be_as_large_as_it_is(held: Unsent) -> None:
    assert made(held, "ann", 20).size == 20 * LARGE


def test_a_first_content_is_not_refused_for_a_later_one(held: Unsent) -> None:
    first, later = Content(held, "ann"), Content(held, "ann")
    first.add(PIECE, 1)
    for _ in range(3):
        later.add(PIECE, 1)
    first.add(PIECE, 1)
    with pytest.raises(Problem):
        later.add(PIECE, 1)


def test_the_user_with_most_loses_the_oldest_content_when_it_was_there_for_long(
    held: Unsent, monkeypatch: pytest.MonkeyPatch
) -> None:
    bobs, oldest, newer = made(held, "bob", 1), made(held, "ann", 2), made(held, "ann", 1)
    with pytest.raises(Problem):  # all are safe still
        made(held, "eve", 3)
    monkeypatch.setattr(unsent, "SAFE_S", 0.0)
    eves = made(held, "eve", 3)
    given_up = [one.is_given_up for one in (bobs, oldest, newer, eves)]
    assert given_up == [False, True, False, False]
    assert held.find("ann", "ann 2") is None  # nobody joins its readers


def test_small_contents_are_not_counted(held: Unsent) -> None:
    contents = []
    for _ in range(100):
        content = Content(held, "ann")
        content.add(PIECE[1:], 1)
        contents.append(held.complete(content, "a tag"))
    assert held.load().held == 0


def test_a_large_content_is_what_was_added(held: Unsent) -> None:
    content, pieces = Content(held, "ann"), [bytes([n]) * 300_000 for n in range(9)]
    for piece in pieces:
        content.add(piece, 1)
    assert b"".join(content.parts()) == b"".join(pieces)
    assert content.count == 9


def test_a_list_that_turns_out_large_waits_for_the_one_that_is_being_made() -> None:
    held = Unsent(return_memory=lambda: None)
    first = Content(held, "ann", is_whole_list=True)
    first.add(b"x" * MIB, 1)
    second = Content(held, "ann", is_whole_list=True)
    with pytest.raises(InTheMaking):
        second.add(b"x" * MIB, 1)
    page = Content(held, "ann")
    page.add(b"x" * MIB, 1)
