"""The six calls on a user's tasks, only ever for the token's own user."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app

from todo_api.auth import events, tokens
from todo_api.database.data import Call, SignedIn
from todo_api.tasks import etags, idempotency, pages
from todo_api.tasks.pages import Page
from todo_api.tasks.rows import as_task
from todo_api.web import answers
from todo_api.web.bodies import Body, read_body
from todo_api.web.current import database, request
from todo_api.web.problems import Problem
from todo_api.web.schemas import NewTask, Task, TaskChange, without_unset

tasks = Blueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")

Asked = TypeVar("Asked")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@tasks.before_request
def admit() -> None:
    """Let only the token's own user in: 401, then 403."""
    # The path's user goes no further than here: the handlers act for the token's.
    asked = request()
    path_user: str = asked.view_args.pop("user_id")  # type: ignore[union-attr]
    if asked.method == "OPTIONS":
        return
    who = tokens.verify()
    if path_user.lower() != who.user_id:
        database().as_user(who, events.event("foreign_user"))
        raise Problem("forbidden")


@tasks.get("")
def list_tasks() -> Response:
    """All tasks, newest first; with a limit, a page of them."""
    page = _judged(pages.asked)
    if page:
        return _page(page)
    if etags.are_asked():
        [[(state,)]] = database().as_user(_who(), Call("tasks/list_state"))
        tag = etags.of_list(state)
        if etags.is_held(tag):
            return answers.not_modified(etags.headers(tag))
    [rows] = database().as_user(_who(), Call("tasks/list"))
    tag = etags.of_list(etags.state_of(row[-1] for row in rows))
    return answers.task_list([as_task(*row) for row in rows], etags.headers(tag))


@tasks.post("")
def create_task() -> Response:
    """Add a task; with an Idempotency-Key only once."""
    max_tasks, headers = current_app.config["MAX_TASKS_PER_USER"], {}
    # Not by `headers`, where everyone would pay 3 µs for a key that few send.
    sent = request().environ.get(idempotency.ENVIRON)
    if sent is None:
        parameters = {"title": _body(NewTask).title, "max_tasks": max_tasks}
        [created] = database().as_user(_who(), Call("tasks/create", parameters, as_task))
        if not created:
            raise Problem("task-quota-exceeded")
        [task] = created
    else:
        key = _judged(lambda: idempotency.key_of(sent))
        task, is_replay = idempotency.create(database(), _who(), key, _body(NewTask), max_tasks)
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
    # Not by url_for, which takes 20 µs: it is this path, and the id behind it.
    headers["Location"] = f"{_path()}/{task.id}"
    return answers.one_task(task, HTTPStatus.CREATED, headers)


@tasks.get("/<task_id>")
def get_task(task_id: str) -> Response:
    """One task."""
    task = _one("tasks/get", task_id)
    tag = etags.of_task(task)
    if etags.is_held(tag):
        return answers.not_modified(etags.headers(tag))
    return answers.one_task(task, headers=etags.headers(tag))


@tasks.put("/<task_id>")
def update_task(task_id: str) -> Response:
    """Change what the body names."""
    return answers.one_task(_one("tasks/update", task_id, **without_unset(_body(TaskChange))))


@tasks.patch("/<task_id>/complete")
def complete_task(task_id: str) -> Response:
    """Complete a task; once more changes nothing."""
    return answers.one_task(_one("tasks/complete", task_id))


@tasks.delete("/<task_id>")
def delete_task(task_id: str) -> Response:
    """Delete a task for good."""
    [deleted] = database().as_user(_who(), Call("tasks/delete", {"task_id": _uuid(task_id)}))
    if not deleted:
        raise _no_such_task()
    return answers.nothing()


def _page(page: Page) -> Response:
    place = {"last_created_at": page.after.created_at, "last_id": page.after.id}
    call = Call("tasks/page", place | {"page_size": page.limit}, as_task)
    [found] = database().as_user(_who(), call)
    here = found[: page.limit]
    cursor = pages.cursor(here[-1]) if len(found) > len(here) else None
    tag = etags.of_page(here, cursor)
    headers = etags.headers(tag)
    if etags.is_held(tag):
        return answers.not_modified(headers)
    if cursor:
        headers["Link"] = f'<{_path()}?limit={page.limit}&cursor={cursor}>; rel="next"'
    return answers.task_list(here, headers, next_cursor=cursor)


def _one(statement: str, task_id: str, **parameters: Any) -> Task:
    call = Call(statement, {"task_id": _uuid(task_id), **parameters}, as_task)
    [found] = database().as_user(_who(), call)
    if not found:
        raise _no_such_task()
    return found[0]  # type: ignore[no-any-return]


def _uuid(text: str) -> str:
    """A task's id; what is not a UUID is no task's, which a dead session is not told."""
    if not _UUID.fullmatch(text):
        database().as_user(_who())
        raise _no_such_task()
    return text


def _no_such_task() -> Problem:
    return Problem("not-found", "There is no such task.")


def _body(kind: type[Body]) -> Body:
    return _judged(lambda: read_body(kind))


def _judged(read: Callable[[], Asked]) -> Asked:
    """What is asked for; a dead session is told first: 401 comes before 400, 415 and 422."""
    try:
        return read()
    except Problem:
        database().as_user(_who())
        raise


def _who() -> SignedIn:
    who = request().signed_in
    assert who  # noqa: S101 (admit has let them in)
    return who


def _path() -> str:
    """Of the request, as its client sees it."""
    asked = request()
    return f"{asked.script_root}{asked.path}"
