"""Beside the version before revisions, in a rolling update: its changes are counted, no copy misses them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support import former
from support.at_once import at_once
from support.waiting import until
from todo_api.operator.after_restore import after_restore
from todo_api.tasks import idempotency, turn
from todo_api.tasks.schemas import TaskCreate

WAITS = "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"


@pytest.fixture
def old(superuser, ann):
    """Runs a statement of the former version for ann; the id that it returns."""

    def run(statement, **values):
        cursor = superuser.execute(statement, {"user": ann.id, **values})
        return str(cursor.fetchone()[0]) if cursor.description else None

    return run


def changes(account, since=0):
    return account.get(f"/api/{account.id}/changes?since={since}")


def in_full(account, superuser):
    """The tasks, once list, changes and counter agree with the table and with each other."""
    listed = {task["id"]: task["revision"] for task in account.get(account.tasks).json["data"]}
    copied = {task["id"]: task["revision"] for task in changes(account).json["data"]["tasks"]}
    rows = superuser.execute(
        "SELECT id::text, revision, octet_length(title) FROM tasks WHERE user_id = %s", [account.id]
    ).fetchall()
    assert listed == copied == {task: revision for task, revision, _ in rows}
    assert 0 not in listed.values()
    assert len(set(listed.values())) == len(rows)
    counter = superuser.execute(
        "SELECT tasks, numbered, text_bytes FROM task_counts WHERE user_id = %s", [account.id]
    ).fetchone()
    assert counter == (len(rows), len(rows), sum(size for _, _, size in rows))
    return listed


def test_a_copy_of_the_latest_state_starts_over_after_a_deletion_without_a_mark(
    ann, old, superuser
):
    kept, gone = ann.add("kept"), ann.add("gone")
    known = changes(ann).json["meta"]["revision"]
    tag = ann.get(ann.tasks).headers["ETag"]
    old(former.DELETE, task=gone["id"])
    assert ann.get(ann.tasks, headers={"If-None-Match": tag}).status_code == 200
    assert changes(ann, known).status_code == 410
    assert list(in_full(ann, superuser)) == [kept["id"]]


def test_what_it_adds_and_deletes_is_noticed_by_the_next_request(ann, old, superuser):
    first = ann.add("first")
    added = old(former.CREATE, title="added")
    assert set(in_full(ann, superuser)) == {first["id"], added}
    old(former.DELETE, task=first["id"])
    mine = ann.add("mine")
    assert set(in_full(ann, superuser)) == {added, mine["id"]}


@pytest.mark.parametrize("change", ["another in its place", "a title"])
def test_after_restore_finds_what_the_number_does_not_tell(
    ann, old, superuser, database_url, change
):
    gone, task = ann.add("gone"), ann.add("of four")
    known = changes(ann).json["meta"]["revision"]
    if change == "a title":
        old(former.UPDATE, task=task["id"], title="longer than that")
    else:
        old(former.DELETE, task=gone["id"])
        old(former.CREATE, title="in its place")
    assert after_restore(database_url) == 1
    assert changes(ann, known).status_code == 410
    assert len(in_full(ann, superuser)) == 2


def test_a_key_that_it_kept_is_answered_with_the_task(ann, old):
    task = old(former.CREATE, title="once")
    body = idempotency.hash_of(TaskCreate("once"))
    old(former.KEEP, task=task, key="k", hash=body)
    answer = ann.post(ann.tasks, json={"title": "once"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert answer.json["data"]["id"] == task
    assert len(ann.get(ann.tasks).json["data"]) == 1


@pytest.mark.parametrize("counter", ["none", "the former version's"])
def test_each_of_many_first_requests_is_done_once(ann, superuser, counter):
    """All find that numbering is due; one does it, and all others have waited for it."""
    tasks = [ann.add(f"old {number}") for number in range(4)]
    superuser.execute("UPDATE tasks SET revision = 0 WHERE user_id = %s", [ann.id])
    superuser.execute("DELETE FROM task_counts WHERE user_id = %s", [ann.id])
    if counter != "none":
        superuser.execute("INSERT INTO task_counts (user_id, tasks) VALUES (%s, 4)", [ann.id])
    headers = {"Authorization": f"Bearer {ann.token}"}

    def send(number):
        client = ann.client.application.test_client()
        if number < 4:
            return client.delete(ann.path_of(tasks[number]), headers=headers).status_code
        body = {"title": f"new {number}"}
        return client.post(ann.tasks, json=body, headers=headers).status_code

    assert at_once(10, send) == [204] * 4 + [201] * 6
    assert len(in_full(ann, superuser)) == 6


@pytest.mark.parametrize("made", ["plain", "key", "batch", "batch with a key"])
def test_what_it_adds_after_the_turn_was_taken_is_no_used_up_quota(ann, old, superuser, made):
    """It takes no turn: a request that has it may still wait for the former version's commit."""
    ann.add("first")
    headers = {"Authorization": f"Bearer {ann.token}"} | (
        {"Idempotency-Key": "k"} if "key" in made else {}
    )
    path, body = ann.tasks, {"title": "new"}
    if made.startswith("batch"):
        path, body = f"{ann.tasks}/batch", {"operations": [{"op": "create", "title": "new"}]}
    client = ann.client.application.test_client()
    with ThreadPoolExecutor(1) as thread:
        with superuser.transaction():
            old(former.CREATE, title="between")
            sent = thread.submit(client.post, path, json=body, headers=headers)
            until(lambda: superuser.execute(WAITS).fetchone() is not None)
        answer = sent.result()
    if made.startswith("batch"):
        assert [one["status"] for one in answer.json["data"]] == [201]
    else:
        assert answer.status_code == 201
    assert len(in_full(ann, superuser)) == 3


def test_what_it_adds_after_the_turn_was_taken_does_not_undo_a_deletion(ann, old, superuser):
    gone = ann.add("gone")
    client = ann.client.application.test_client()
    headers = {"Authorization": f"Bearer {ann.token}"}
    with ThreadPoolExecutor(1) as thread:
        with superuser.transaction():
            added = old(former.CREATE, title="between")
            sent = thread.submit(client.delete, ann.path_of(gone), headers=headers)
            until(lambda: superuser.execute(WAITS).fetchone() is not None)
        assert sent.result().status_code == 204
    assert list(in_full(ann, superuser)) == [added]


def test_a_count_that_it_moves_while_tasks_are_numbered_is_not_lost(ann, old, superuser):
    gone = ann.add("gone")
    ann.add("kept")
    superuser.execute("UPDATE task_counts SET numbered = NULL WHERE user_id = %s", [ann.id])
    known = ann.get(f"/api/{ann.id}").json["data"]
    client = ann.client.application.test_client()
    headers = {"Authorization": f"Bearer {ann.token}"}
    superuser.execute("UPDATE task_counts SET numbered = NULL WHERE user_id = %s", [ann.id])
    with ThreadPoolExecutor(1) as thread:
        with superuser.transaction():
            old(former.DELETE, task=gone["id"])
            sent = thread.submit(client.get, ann.tasks, headers=headers)
            until(lambda: superuser.execute(WAITS).fetchone() is not None)
        assert sent.result().status_code == 200
    assert (known["tasks"], len(in_full(ann, superuser))) == (2, 1)


MINE = {"operations": [{"op": "create", "title": "mine"}]}
READS = ("tasks", "tasks?limit=2", "tasks?q=e", "changes")
ASKS = {
    **{
        f"{path} {scope}": ("GET", path, None, scope, 200)
        for path in READS
        for scope in ("", "read")
    },
    "create": ("POST", "tasks", {"title": "mine"}, "", 201),
    "create with a token": ("POST", "tasks", {"title": "mine"}, "write", 201),
    "batch": ("POST", "tasks/batch", MINE, "", 200),
}


@pytest.mark.parametrize("ask", ASKS)
def test_what_it_adds_after_each_numbering_keeps_nobody_waiting(
    ann, old, superuser, monkeypatch, ask
):
    """Its next change waits for a request that has numbered the tasks, not the request for it."""
    method, path, body, scope, status = ASKS[ask]
    ann.add("first")
    number = turn.number_tasks

    def number_and_add(*its):
        number(*its)
        old(former.CREATE, title="once more")

    headers = {}
    if scope:
        made = ann.post(f"/api/{ann.id}/tokens", json={"name": "script", "scope": scope})
        headers["Authorization"] = f"Bearer {made.json['data']['token']}"
    monkeypatch.setattr(turn, "number_tasks", number_and_add)
    old(former.CREATE, title="before")
    answer = ann.call(method, f"/api/{ann.id}/{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert len(in_full(ann, superuser)) >= 3
