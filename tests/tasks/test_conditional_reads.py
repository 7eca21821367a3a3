"""Reads that the client has already: API.md, ETag and If-None-Match (RFC 9110, 13.1.2)."""

import logging
import re

import pytest

pytestmark = pytest.mark.contract
WEAK = re.compile(r'W/"[\x21\x23-\x7e]+"')
MISSING = "3a1c7a52-9c84-4f0e-8f3c-6f1f1c0d9f10"
ORIGIN = "https://app.example.com"
CONTENT = {"Content-Type", "Content-Length"}
READS = ["task", "list", "page", "last page"]


@pytest.fixture(params=READS)
def path(request, ann):
    """A path to read from, where there is something."""
    task = ann.add("Buy milk")
    ann.add("Buy bread")
    return {
        "task": ann.path_of(task),
        "list": ann.tasks,
        "page": f"{ann.tasks}?limit=1",
        "last page": f"{ann.tasks}?limit=5",
    }[request.param]


def again(account, path, condition, method="GET"):
    return account.call(method, path, headers={"If-None-Match": condition})


def test_a_read_is_tagged_weakly_and_kept_for_its_user_only(ann, path):
    answer = ann.get(path)
    assert answer.status_code == 200
    assert WEAK.fullmatch(answer.headers["ETag"])
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert ann.get(path).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    "condition",
    ["W/{}", "{}", '"x", W/{}', 'W/{} , "x"', 'W/"x",{},"y"', '"a,b", W/{}', "*"],
)
def test_what_the_client_has_is_304_without_a_body(ann, path, condition):
    fresh = ann.get(path)
    tag = fresh.headers["ETag"].removeprefix("W/")
    answer = again(ann, path, condition.format(tag))
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == fresh.headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert set(answer.headers.keys()) == set(fresh.headers.keys()) - CONTENT - {"Link"}


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
@pytest.mark.parametrize("condition", ['{}"', '"x-gzip", {}"', '{}", W/"x"', '"x",{}" , "y"'])
def test_a_tag_is_known_with_what_a_compressing_proxy_appends(ann, path, coding, condition):
    tag = ann.get(path).headers["ETag"].removesuffix('"') + f"-{coding}"
    for spelling in (tag, tag.removeprefix("W/")):
        assert again(ann, path, condition.format(spelling)).status_code == 304


@pytest.mark.parametrize("end", ["-", "-GZIP", "-xz", "gzip", "-gzip-br"])
def test_a_tag_with_another_end_is_another_tag(ann, path, end):
    tag = ann.get(path).headers["ETag"].removesuffix('"') + f'{end}"'
    assert again(ann, path, tag).status_code == 200


@pytest.mark.parametrize("condition", ["", "x", '"x"', 'W/"x"', '"*"', "W/", ",", '"', "\xff"])
def test_any_other_condition_is_a_plain_read(ann, path, condition):
    answer = again(ann, path, condition)
    assert (answer.status_code, answer.json["meta"].keys() >= {"timestamp"}) == (200, True)


def test_a_condition_on_time_is_none(ann, path):
    answer = ann.get(path, headers={"If-Modified-Since": "Tue, 24 Nov 2099 12:00:00 GMT"})
    assert answer.status_code == 200


def test_head_is_answered_like_get(ann, path):
    fresh = ann.call("HEAD", path)
    assert (fresh.status_code, fresh.data) == (200, b"")
    assert fresh.headers["ETag"] == ann.get(path).headers["ETag"]
    answer = again(ann, path, fresh.headers["ETag"], "HEAD")
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_tag_is_the_revision_of_the_task_or_the_users_latest(ann):
    first, second = ann.add(), ann.add()
    for path, revision in (
        (ann.path_of(first), first["revision"]),
        (ann.path_of(second), second["revision"]),
        (ann.tasks, second["revision"]),
        (f"{ann.tasks}?limit=1", second["revision"]),
    ):
        assert ann.get(path).headers["ETag"] == f'W/"{revision}"'


def test_a_task_has_another_tag_after_each_change_and_no_other_after_none(ann):
    path = ann.path_of(ann.add("Buy milk"))
    seen = [ann.get(path).headers["ETag"]]
    for change in ({"title": "Buy bread"}, {"is_completed": True}, {"is_completed": False}):
        for _ in range(2):  # the second time it changes nothing
            assert ann.put(path, json=change).status_code == 200
        assert again(ann, path, ", ".join(seen)).status_code == 200
        seen.append(ann.get(path).headers["ETag"])
        assert again(ann, path, seen[-1]).status_code == 304
    assert len(set(seen)) == 4


def test_a_page_has_another_tag_when_its_tasks_or_what_follows_changed(ann):
    older, newer = ann.add("older"), ann.add("newer")
    path = f"{ann.tasks}?limit=2"
    seen = [ann.get(path).headers["ETag"]]
    for change in (
        lambda: ann.put(ann.path_of(older), json={"title": "changed"}),
        lambda: ann.patch(f"{ann.path_of(newer)}/complete"),
        lambda: ann.delete(ann.path_of(older)),
        lambda: ann.add("another"),
        lambda: ann.add("one more, so that there is a next page"),
    ):
        change()
        assert again(ann, path, ", ".join(seen)).status_code == 200
        seen.append(ann.get(path).headers["ETag"])
        assert again(ann, path, seen[-1]).status_code == 304


def test_the_list_has_another_tag_after_each_change(ann):
    first = ann.add()
    seen = [ann.get(ann.tasks).headers["ETag"]]
    for change in (
        lambda: ann.add("another"),
        lambda: ann.put(ann.path_of(first), json={"title": "changed"}),
        lambda: ann.patch(f"{ann.path_of(first)}/complete"),
        lambda: ann.put(ann.path_of(first), json={"is_completed": False}),
        lambda: ann.delete(ann.path_of(first)),
        lambda: ann.add("as many as before"),
    ):
        change()
        assert again(ann, ann.tasks, ", ".join(seen)).status_code == 200
        seen.append(ann.get(ann.tasks).headers["ETag"])
        assert again(ann, ann.tasks, seen[-1]).status_code == 304
    assert len(set(seen)) == 7


def test_the_tag_of_an_empty_list_is_one_too(ann):
    tag = ann.get(ann.tasks).headers["ETag"]
    assert again(ann, ann.tasks, tag).status_code == 304
    task = ann.add()
    assert again(ann, ann.tasks, tag).status_code == 200
    ann.delete(ann.path_of(task))
    answer = again(ann, ann.tasks, tag)  # its revision is another one
    assert (answer.status_code, answer.json["data"]) == (200, [])


def test_a_page_of_tasks_that_came_at_once_has_another_tag_when_one_takes_anothers_place(
    ann, superuser
):
    superuser.execute(
        "INSERT INTO tasks (user_id, title) SELECT %s, 'imported' FROM generate_series(1, 3)",
        [ann.id],
    )
    path = f"{ann.tasks}?limit=2"
    tag = ann.get(path).headers["ETag"]
    ann.delete(ann.path_of(ann.get(path).json["data"][0]))
    superuser.execute(
        "INSERT INTO tasks (user_id, title, created_at, updated_at)"
        " SELECT %s, 'oldest', '2020-01-01', min(updated_at) FROM tasks",
        [ann.id],
    )
    assert again(ann, path, tag).status_code == 200


def test_the_order_of_checks_stays(client, ann, bob):
    task = ann.add()
    tag = ann.get(ann.path_of(task)).headers["ETag"]
    for condition in (tag, "*"):
        assert again(ann, f"{ann.tasks}/{MISSING}", condition).status_code == 404
        assert again(bob, ann.path_of(task), condition).status_code == 403
        assert again(bob, ann.tasks, condition).status_code == 403
        assert again(ann, f"{ann.tasks}?limit=0", condition).status_code == 422
        headers = {"If-None-Match": condition}
        assert client.get(ann.path_of(task), headers=headers).status_code == 401
    assert ann.post("/api/auth/logout").status_code == 204
    for condition in (tag, "*"):
        assert again(ann, ann.path_of(task), condition).status_code == 401
        assert again(ann, ann.tasks, condition).status_code == 401


def test_a_change_is_never_held_back_and_its_answer_never_kept(ann):
    task = ann.add()
    for answer in (
        ann.post(ann.tasks, json={"title": "x"}, headers={"If-None-Match": "*"}),
        ann.put(ann.path_of(task), json={"title": "x"}, headers={"If-None-Match": "*"}),
        ann.patch(f"{ann.path_of(task)}/complete", headers={"If-None-Match": "*"}),
        ann.delete(ann.path_of(task), headers={"If-None-Match": "*"}),
    ):
        assert answer.status_code in (200, 201, 204)
        assert "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_304_has_its_line_in_the_log(ann, path, caplog):
    tag = ann.get(path).headers["ETag"]
    caplog.clear()
    with caplog.at_level(logging.INFO, "todo_api"):
        again(ann, path, tag)
    [line] = [record.fields for record in caplog.records if record.getMessage() == "request"]
    assert (line["status"], line["user_id"]) == (304, ann.id)


def test_pages_of_other_origins_may_send_the_condition_and_read_tag_and_link(make_app, sign_up):
    ann = sign_up()
    ann.add()
    ann.add()
    browser = make_app(cors_origins=(ORIGIN,)).test_client()
    ann.client = browser
    asked = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "if-none-match",
    }
    allowed = browser.options(ann.tasks, headers={"Origin": ORIGIN, **asked})
    assert allowed.headers["Access-Control-Allow-Headers"].lower() == "if-none-match"
    path = f"{ann.tasks}?limit=1"
    fresh = ann.get(path, headers={"Origin": ORIGIN})
    exposed = set(fresh.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed >= {"ETag", "Link"}
    held = ann.get(path, headers={"Origin": ORIGIN, "If-None-Match": fresh.headers["ETag"]})
    assert held.status_code == 304
    assert held.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in held.vary
