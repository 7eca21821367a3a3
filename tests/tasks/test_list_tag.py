"""A list that the client has already is not read again to say so."""

from support.watched import had_a_bug


def test_the_lists_tag_is_confirmed_without_the_tasks_themselves(ann, superuser, watched):
    for microseconds in ("", ".1", ".120000", ".000001", ".999999"):
        superuser.execute(
            "INSERT INTO tasks (user_id, title, updated_at)"
            " VALUES (%s, 'x', ('2026-11-24 12:00:00' || %s::text)::timestamptz)",
            [ann.id, microseconds],
        )
    fresh = ann.get(ann.tasks)
    assert fresh.json["meta"]["count"] == 5
    superuser.execute(
        "REVOKE SELECT ON tasks FROM todo_app;"
        " GRANT SELECT (user_id, id, created_at, updated_at) ON tasks TO todo_app"
    )
    assert ann.get(ann.tasks).status_code == 500
    had_a_bug(watched)
    held = ann.get(ann.tasks, headers={"If-None-Match": fresh.headers["ETag"]})
    assert held.status_code == 304
    assert held.headers["ETag"] == fresh.headers["ETag"]
