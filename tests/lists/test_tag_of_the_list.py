"""A list that the client has already is not read again to say so."""

import pytest
from flask import request, request_finished

from support.watched import had_a_bug
from todo_api.web.unsent import CONTENT


@pytest.mark.parametrize("query", ["", "?limit=2"])
def test_the_lists_tag_is_confirmed_without_the_tasks_themselves(ann, superuser, watched, query):
    for title in ("one", "two", "three"):
        ann.add(title)
    path = f"{ann.tasks}{query}"
    fresh = ann.get(path)
    superuser.execute("REVOKE SELECT ON tasks FROM todo_app")
    assert ann.get(path).status_code == 500
    had_a_bug(watched)
    held = ann.get(path, headers={"If-None-Match": fresh.headers["ETag"]})
    assert held.status_code == 304
    assert held.headers["ETag"] == fresh.headers["ETag"]


@pytest.mark.parametrize("query", ["q=milk", "sort=title", "q=milk&sort=due", "is_completed=false"])
def test_a_large_list_that_is_being_sent_is_not_read_again_for_the_same_filters_and_order(
    ann, superuser, watched, query
):
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT %s, n || repeat(' milk', 90)"
        " FROM generate_series(1, 300) AS n",
        (ann.id,),
    )
    path, kept = f"{ann.tasks}?{query}", []

    def keep(*_: object, **__: object) -> None:
        kept.append(request.environ.get(CONTENT))

    with request_finished.connected_to(keep):  # as the server does while a client reads
        being_sent = ann.get(path)
    superuser.execute("REVOKE SELECT ON tasks FROM todo_app")
    again = ann.get(path)
    for other in (ann.tasks, f"{path}&min_priority=1", f"{ann.tasks}?q=ilk"):
        assert ann.get(other).status_code == 500
        had_a_bug(watched)
    assert kept != [None]
    assert again.status_code == 200
    assert again.json["data"] == being_sent.json["data"]
    assert again.json["meta"]["count"] == 300
