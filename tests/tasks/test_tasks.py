"""The calls on tasks: API.md, Tasks."""

import json
import re
import threading
from functools import partial

import pytest

pytestmark = pytest.mark.contract
FIELDS = [
    "id", "user_id", "title", "notes", "due_date", "due_at", "priority", "tags", "is_completed",
    "completed_at", "created_at", "updated_at", "revision",
]  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MISSING = "3a1c7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"


def test_create_answers_201_with_the_task_and_where_it_is(ann):
    answer = ann.post(ann.tasks, json={"title": "Buy oat milk"})
    assert answer.status_code == 201
    assert answer.json.keys() == {"data", "meta"}
    assert answer.json["meta"].keys() == {"timestamp", "request_id"}
    task = answer.json["data"]
    assert list(json.loads(answer.text)["data"]) == FIELDS
    assert task["notes"] is task["due_date"] is task["due_at"] is None
    assert (task["priority"], task["tags"], task["revision"]) == (0, [], 1)
    assert (task["user_id"], task["title"]) == (ann.id, "Buy oat milk")
    assert (task["is_completed"], task["completed_at"]) == (False, None)
    assert task["created_at"] == task["updated_at"]
    assert MOMENT.fullmatch(task["created_at"])
    assert MOMENT.fullmatch(answer.json["meta"]["timestamp"])
    assert ann.get(answer.headers["Location"]).json["data"] == task


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  Buy milk\t\r\n", "Buy milk"),
        ("\u00a0\u2003x\u3000\u2028", "x"),
        ("x" * 500, "x" * 500),
        (" " * 300 + "x" * 500 + "\n" * 300, "x" * 500),
        ("\U0001f600" * 500, "\U0001f600" * 500),
        ("👩‍👩‍👧 naïve שלום مرحبا \u202eabc", "👩‍👩‍👧 naïve שלום مرحبا \u202eabc"),
        ("e\u0301", "e\u0301"),  # a title is not normalised
        ("'; DROP TABLE tasks; --", "'; DROP TABLE tasks; --"),
        ("%s %(title)s $1 {} \\", "%s %(title)s $1 {} \\"),
        ("a\u2028b", "a\u2028b"),
        ("\ufeffx", "\ufeffx"),
    ],
)
def test_a_title_is_trimmed_and_comes_back_as_sent(ann, sent, kept):
    task = ann.add(sent)
    assert task["title"] == kept
    assert ann.get(ann.path_of(task)).json["data"]["title"] == kept
    assert ann.put(ann.path_of(task), json={"title": sent}).json["data"]["title"] == kept
    assert [task["title"] for task in ann.get(ann.tasks).json["data"]] == [kept]


@pytest.mark.parametrize(
    "title",
    [
        "", " ", "\u2003\u3000\n", "x" * 501, "\U0001f600" * 501, "a\nb", "a\tb", "a\x00b", "\x1fa", "a\x7f",
        "a\x85b", "\x9ba", "lone \ud800", "\udfff", "\u200b", "\u200b\u200d\u2060\ufeff", "\u00ad \u00ad",
        "\u3164", "\u2800", "\U000e0041",
        "\U0001d173\U0001d17a", "\U0001bca0",
    ],
)  # fmt: skip
def test_a_title_outside_the_limits_is_422(ann, title):
    task = ann.add()
    for answer in (
        ann.post(ann.tasks, json={"title": title}),
        ann.put(ann.path_of(task), json={"title": title}),
    ):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["errors"]] == ["title"]
    assert ann.get(ann.tasks).json["data"] == [task]


def test_the_list_has_every_task_newest_first_and_counts_them(ann, superuser):
    superuser.execute(
        "INSERT INTO tasks (user_id, title, created_at) "
        "SELECT %s, 'task ' || n, now() - make_interval(secs => n / 3) FROM generate_series(1, 1200) AS n",
        [ann.id],
    )
    answer = ann.get(ann.tasks)
    tasks = answer.json["data"]
    assert answer.status_code == 200
    assert answer.json["meta"].keys() == {"timestamp", "request_id", "count", "revision"}
    assert answer.json["meta"]["count"] == len(tasks) == 1200
    assert all(task.keys() == set(FIELDS) for task in tasks)
    order = [(task["created_at"], task["id"]) for task in tasks]
    assert order == sorted(order, reverse=True)
    assert len({task["created_at"] for task in tasks}) < 1200  # so the ids had to decide


def test_the_list_of_nobodys_tasks_is_empty(ann):
    assert ann.get(ann.tasks).json["data"] == []
    assert ann.get(ann.tasks).json["meta"]["count"] == 0


def test_query_parameters_are_ignored_where_none_are_taken(ann):
    path = ann.path_of(ann.add())
    assert ann.get(f"{path}?colour=blue&user_id={MISSING}").status_code == 200


def test_an_unknown_query_parameter_of_the_list_is_refused(ann):
    answer = ann.get(f"{ann.tasks}?colour=blue")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "colour")


def test_get_answers_the_task(ann):
    task = ann.add()
    answer = ann.get(ann.path_of(task))
    assert (answer.status_code, answer.json["data"]) == (200, task)


def test_an_id_is_found_in_any_letter_case_and_answered_in_lower_case(ann):
    task = ann.add()
    assert ann.get(f"/api/{ann.id.upper()}/tasks/{task['id'].upper()}").json["data"] == task
    made = ann.post(f"/api/{ann.id.upper()}/tasks", json={"title": "another"})
    assert made.headers["Location"] == ann.path_of(made.json["data"])
    page = ann.get(f"/api/{ann.id.upper()}/tasks?limit=1")
    assert page.headers["Link"].startswith(f"<{ann.tasks}?")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_keeps_what_is_absent(ann, method):
    task = ann.add("Buy milk")
    update = partial(ann.call, method, ann.path_of(task))
    renamed = update(json={"title": "Buy bread"}).json["data"]
    assert renamed["updated_at"] > task["updated_at"]
    moved = {"updated_at": renamed["updated_at"], "revision": task["revision"] + 1}
    assert renamed == task | {"title": "Buy bread"} | moved
    done = update(json={"is_completed": True}).json["data"]
    assert done["title"] == "Buy bread"
    assert done["is_completed"] is True
    assert done["completed_at"] == done["updated_at"] > renamed["updated_at"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_of_nothing_changes_nothing(ann, method):
    task = ann.add()
    answer = ann.call(method, ann.path_of(task), json={})
    assert (answer.status_code, answer.json["data"]) == (200, task)


MERGE_PATCH = "application/merge-patch+json"


@pytest.mark.parametrize("content_type", [MERGE_PATCH, f"{MERGE_PATCH}; charset=utf-8"])
def test_a_patch_may_be_a_merge_patch_by_its_type(ann, content_type):
    path = ann.path_of(ann.add("Buy milk"))
    sent = {"data": '{"title": "Buy bread"}', "content_type": content_type}
    answer = ann.patch(path, **sent)
    assert (answer.status_code, answer.json["data"]["title"]) == (200, "Buy bread")
    for refused in (ann.put(path, **sent), ann.post(ann.tasks, **sent)):
        assert (refused.status_code, refused.json["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize("field", ["title", "is_completed"])
def test_a_patch_can_not_clear_what_every_task_has(ann, field):
    answer = ann.patch(ann.path_of(ann.add()), json={field: None})
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_put_of_what_is_there_already_changes_nothing(ann):
    task = ann.add("Buy milk")
    same = {"title": " Buy milk ", "is_completed": False}
    assert ann.put(ann.path_of(task), json=same).json["data"] == task
    done = ann.patch(ann.path_of(task) + "/complete").json["data"]
    assert ann.put(ann.path_of(task), json={"is_completed": True}).json["data"] == done


def test_put_of_is_completed_sets_completed_at_once_and_clears_it(ann):
    path = ann.path_of(ann.add())
    first = ann.put(path, json={"is_completed": True}).json["data"]
    renamed = ann.put(path, json={"is_completed": True, "title": "Other"}).json["data"]
    assert renamed["completed_at"] == first["completed_at"]
    opened = ann.put(path, json={"is_completed": False}).json["data"]
    assert (opened["is_completed"], opened["completed_at"]) == (False, None)
    again = ann.put(path, json={"is_completed": True}).json["data"]
    assert again["completed_at"] > first["completed_at"]


@pytest.mark.slow
def test_complete_completes_and_a_second_call_changes_nothing(ann):
    task = ann.add()
    first = ann.patch(ann.path_of(task) + "/complete")
    assert first.status_code == 200
    done = first.json["data"]
    assert done["is_completed"] is True
    assert done["completed_at"] == done["updated_at"] > task["updated_at"]
    assert ann.patch(ann.path_of(task) + "/complete").json["data"] == done
    assert ann.get(ann.path_of(task)).json["data"] == done


def test_delete_answers_204_and_a_second_call_404(ann):
    task, kept = ann.add(), ann.add()
    answer = ann.delete(ann.path_of(task))
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert ann.delete(ann.path_of(task)).status_code == 404
    assert ann.get(ann.path_of(task)).status_code == 404
    assert ann.get(ann.tasks).json["data"] == [kept]


def test_calls_without_a_body_ignore_one(ann):
    task = ann.add()
    junk = {"data": b"\xff{not json", "content_type": "text/plain"}
    assert ann.get(ann.path_of(task), **junk).status_code == 200
    assert ann.patch(ann.path_of(task) + "/complete", **junk).status_code == 200
    assert ann.delete(ann.path_of(task), **junk).status_code == 204


SINGLE = [
    ("GET", "", None),
    ("PUT", "", {"title": "Mine now"}),
    ("PUT", "", {}),
    ("PATCH", "", {"title": "Mine now"}),
    ("PATCH", "/complete", None),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "end", "body"), SINGLE)
def test_a_foreign_task_and_a_missing_one_look_alike(ann, bob, method, end, body, superuser):
    task = bob.add("Bob's")

    def refused(task_id):
        answer = ann.call(method, f"{ann.tasks}/{task_id}{end}", json=body)
        volatile = {"request_id", "instance"}
        return answer.status_code, {k: v for k, v in answer.json.items() if k not in volatile}

    assert refused(task["id"]) == refused(MISSING)
    assert refused(MISSING)[0] == 404
    assert refused(MISSING)[1]["code"] == "not-found"
    assert bob.get(bob.tasks).json["data"] == [task]


@pytest.mark.parametrize(("method", "end", "body"), SINGLE)
@pytest.mark.parametrize(
    "task_id",
    [
        "1",
        "xyz",
        "0" * 36,
        MISSING.replace("-", ""),
        f"{{{MISSING}}}",
        f"{MISSING}x",
        "%00",
        "null",
    ],
)
def test_a_task_id_that_is_not_a_uuid_is_404(ann, method, end, body, task_id):
    answer = ann.call(method, f"{ann.tasks}/{task_id}{end}", json=body)
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


ALL = [("GET", "", None), ("POST", "", {"title": "Mine now"})] + [
    (method, f"/{{task}}{end}", body) for method, end, body in SINGLE
]


@pytest.mark.parametrize(("method", "end", "body"), SINGLE)
def test_a_dead_session_is_told_so_before_an_id_that_is_none(ann, method, end, body):
    assert ann.post("/api/auth/logout").status_code == 204
    assert ann.call(method, f"{ann.tasks}/xyz{end}", json=body).status_code == 401


@pytest.mark.parametrize(
    ("method", "end", "wrong"),
    [
        ("GET", "?limit=0", {}),
        ("POST", "", {"data": "{", "content_type": "application/json"}),
        ("POST", "", {"data": "{}", "content_type": "text/plain"}),
        ("POST", "", {"json": {"titel": "x"}}),
        ("POST", "", {"json": {"title": "x"}, "headers": {"Idempotency-Key": "a b"}}),
        ("PUT", "/{task}", {"json": {"titel": "x"}}),
        ("PATCH", "/{task}", {"json": {"titel": "x"}}),
    ],
)
def test_a_dead_session_is_told_so_before_what_is_wrong_with_the_request(ann, method, end, wrong):
    path = ann.tasks + end.format(task=ann.add()["id"])
    assert ann.call(method, path, **wrong).status_code in (400, 415, 422)
    assert ann.post("/api/auth/logout").status_code == 204
    assert ann.call(method, path, **wrong).status_code == 401


@pytest.mark.parametrize(("method", "end", "body"), ALL)
def test_a_foreign_user_and_a_missing_one_look_alike(ann, bob, method, end, body):
    task = bob.add("Bob's")

    def refused(user):
        path = f"/api/{user}/tasks" + end.format(task=task["id"])
        answer = ann.call(method, path, json=body)
        volatile = {"request_id", "instance"}
        return answer.status_code, {k: v for k, v in answer.json.items() if k not in volatile}

    assert refused(bob.id) == refused(MISSING) == refused("not-a-uuid")
    assert refused(bob.id)[0] == 403
    assert refused(bob.id)[1]["code"] == "forbidden"
    assert bob.get(bob.tasks).json["data"] == [task]


def test_a_task_that_was_added_by_hand_is_deleted_like_any_other(ann, superuser):
    superuser.execute("INSERT INTO tasks (user_id, title) VALUES (%s, 'by hand')", [ann.id])
    [task] = ann.get(ann.tasks).json["data"]
    assert ann.delete(ann.path_of(task)).status_code == 204
    assert ann.delete(ann.path_of(task)).status_code == 404


def test_the_quota_is_409_and_a_deleted_task_makes_room(make_app, sign_up):
    ann = sign_up()
    ann.client = make_app(max_tasks_per_user=3).test_client()
    tasks = [ann.add() for _ in range(3)]
    answer = ann.post(ann.tasks, json={"title": "One too many"})
    assert (answer.status_code, answer.json["code"]) == (409, "task-quota-exceeded")
    ann.delete(ann.path_of(tasks[0]))
    ann.delete(ann.path_of(tasks[0]))
    ann.add()
    assert ann.post(ann.tasks, json={"title": "One too many"}).status_code == 409
    assert ann.get(ann.tasks).json["meta"]["count"] == 3


def test_the_quota_is_each_users_own_and_holds_under_parallel_creates(make_app, sign_up):
    app = make_app(max_tasks_per_user=5)
    ann, bob = sign_up(), sign_up()
    statuses = []

    def create():
        answer = app.test_client().post(
            ann.tasks, json={"title": "x"}, headers={"Authorization": f"Bearer {ann.token}"}
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=create) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 5 + [409] * 15
    assert ann.get(ann.tasks).json["meta"]["count"] == 5
    bob.client = app.test_client()
    bob.add()
