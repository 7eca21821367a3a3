"""The calls on a user's tasks, always for the token's own user."""

from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.database.calls import Call
from todo_api.tasks import etags, idempotency, pages
from todo_api.tasks.answers import one_task, task_list
from todo_api.tasks.contents import ListTaker, PageTaker
from todo_api.tasks.making import Makers
from todo_api.tasks.pages import Page
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskChange, TaskCreate
from todo_api.web.answers import no_content, not_modified
from todo_api.web.bodies import JSON, MERGE_PATCH, read_body
from todo_api.web.conditions import has_condition, is_held
from todo_api.web.current import database, unsent
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import is_id, unset_as_none
from todo_api.web.unsent import InTheMaking

tasks = Blueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")

tasks.before_request(admit)


@tasks.get("")
@for_api_tokens
def list_tasks() -> Response:
    """All tasks, newest first; with a limit, a page of them."""
    with session_first:
        page = pages.requested_page()
    if page:
        return _page(page)
    return _whole_list()


@tasks.post("")
@for_api_tokens
def create_task() -> Response:
    """Add a task; with an Idempotency-Key only once."""
    max_tasks, headers = current_app.config["MAX_TASKS_PER_USER"], {}
    # From the environ: request.headers would cost every create 3 µs for a key that few send.
    sent = current_request().environ.get(idempotency.ENVIRON)
    with session_first:
        key = None if sent is None else idempotency.key_of(sent)
        body = read_body(TaskCreate)
    if key is None:
        parameters = {"title": body.title, "max_tasks": max_tasks}
        [created] = database().as_user(signed_in(), Call("tasks/create", parameters, as_task))
        if not created:
            with session_first:  # of a user who was deleted meanwhile nothing is counted either
                raise Problem("task-quota-exceeded")
        [task] = created
    else:
        with session_first:
            task, is_replay = idempotency.create(database(), signed_in(), key, body, max_tasks)
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
    # The path of the request plus the id: url_for would take 20 µs.
    headers["Location"] = f"{_path()}/{task.id}"
    return one_task(task, HTTPStatus.CREATED, headers)


@tasks.get("/<task_id>")
@for_api_tokens
def get_task(task_id: str) -> Response:
    """One task."""
    task = _one("tasks/get", task_id)
    tag = etags.of_task(task)
    if is_held(tag):
        return not_modified(etags.headers(tag))
    return one_task(task, headers=etags.headers(tag))


@tasks.put("/<task_id>")
@for_api_tokens
def update_task(task_id: str) -> Response:
    """Change the fields that the body has."""
    return _update(task_id, JSON)


@tasks.patch("/<task_id>")
@for_api_tokens
def patch_task(task_id: str) -> Response:
    """The same: absent fields keep their values with both methods, as in a merge patch (RFC 7396)."""
    return _update(task_id, JSON, MERGE_PATCH)


@tasks.patch("/<task_id>/complete")
@for_api_tokens
def complete_task(task_id: str) -> Response:
    """Complete a task; completing it again changes nothing."""
    return one_task(_one("tasks/complete", task_id))


@tasks.delete("/<task_id>")
@for_api_tokens
def delete_task(task_id: str) -> Response:
    """Delete a task for good."""
    [deleted] = database().as_user(signed_in(), Call("tasks/delete", {"task_id": _uuid(task_id)}))
    if not deleted:
        raise _no_such_task()
    return no_content()


def _whole_list() -> Response:
    user_id, held = signed_in().user_id, unsent()
    while True:
        # Nobody takes a user's turn to make a list who has not been found to be that user.
        if has_condition() or held.has_some_of(user_id) or current_request().is_unproven:
            [[(state,)]] = database().as_user(signed_in(), Call("tasks/list_state"))
            tag = etags.of_list(state)
            if is_held(tag):
                return not_modified(etags.headers(tag))
            if content := held.find(user_id, tag):
                return task_list(content, etags.headers(tag))
        with suppress(InTheMaking), _makers().turn(user_id):
            call = Call("tasks/list", taker=partial(ListTaker, held, user_id))
            [taker] = database().as_user(signed_in(), call)
            tag = etags.of_list(taker.state())
            return task_list(held.complete(taker.content, tag), etags.headers(tag))


def _page(page: Page) -> Response:
    position = {"last_created_at": page.after.created_at, "last_id": page.after.id}
    taker = partial(PageTaker, unsent(), signed_in().user_id, page.limit)
    call = Call("tasks/page", position | {"page_size": page.limit}, taker=taker)
    [found] = database().as_user(signed_in(), call)
    cursor = pages.cursor(found.last) if found.has_next else None
    tag = etags.of_page(found.marks, cursor)
    headers = etags.headers(tag)
    if is_held(tag):
        return not_modified(headers)
    if cursor:
        headers["Link"] = f'<{_path()}?limit={page.limit}&cursor={cursor}>; rel="next"'
    return task_list(unsent().complete(found.content, tag), headers, next_cursor=cursor)


def _update(task_id: str, *media_types: str) -> Response:
    with session_first:
        change = read_body(TaskChange, media_types)
    return one_task(_one("tasks/update", task_id, **unset_as_none(change)))


def _one(statement: str, task_id: str, **parameters: Any) -> Task:
    call = Call(statement, {"task_id": _uuid(task_id), **parameters}, as_task)
    [found] = database().as_user(signed_in(), call)
    if not found:
        raise _no_such_task()
    return found[0]  # type: ignore[no-any-return]


def _uuid(text: str) -> str:
    """A task's id. A text that is not a UUID gets 404 without a search, but after the check for 401."""
    with session_first:
        if not is_id(text):
            raise _no_such_task()
    return text


def _no_such_task() -> Problem:
    return Problem("not-found", "There is no such task.")


def _makers() -> Makers:
    return current_app.extensions["makers"]  # type: ignore[no-any-return]


def _path() -> str:
    """The request's path as its client sees it."""
    request = current_request()
    return f"{request.script_root}{request.path}"
