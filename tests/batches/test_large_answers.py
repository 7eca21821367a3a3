"""The answer of a batch may be large: room for it is made sure of before anything is done."""

import pytest

from support.batches import complete, create, new_id, results, send, update
from todo_api.web.unsent import Content

pytestmark = pytest.mark.contract


def test_a_large_answer_is_whole(ann):
    long = [create("t" * 500, notes="\U0001f600" * 4000) for _ in range(5)]
    tasks = [result["task"] for _ in range(4) for result in results(ann, *long)]
    found = results(ann, *[update(task["id"], title="t" * 499) for task in tasks] * 5)
    assert [result["task"]["notes"] for result in found] == ["\U0001f600" * 4000] * 100
    assert [result["task"]["title"] for result in found] == ["t" * 499] * 100


def test_without_room_for_its_answer_a_batch_is_503_and_nothing_is_done(ann, app, monkeypatch):
    task = ann.add()
    monkeypatch.setattr("todo_api.web.unsent.PROCESS_BYTES", 300_000)
    unread = send(ann, *[complete(task["id"])] * 12)
    assert unread.status_code == 200
    held = app.extensions["unsent"]
    other = Content(held, "somebody else")
    other.add(b"x" * 200_000, 1)
    answer = send(ann, *[update(task["id"], title="New")] * 12)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert ann.get(ann.path_of(task)).json["data"]["title"] == task["title"]
    # what can't be large needs no room
    assert send(ann, *[create("x") for _ in range(20)]).status_code == 200
    del other
    assert send(ann, *[update(task["id"], title="New")] * 12).status_code == 200


def test_nothing_is_held_after_an_answer(ann, app):
    send(ann, *[create("x", id=new_id()) for _ in range(100)])
    assert app.extensions["unsent"].load().held == 0
