"""A list that the client has already is not read again to say so."""

import pytest

from support.watched import had_a_bug


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
