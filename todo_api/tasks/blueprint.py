"""The calls on a user's tasks, always for the token's own user."""

from http import HTTPStatus

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.body.media_types import JSON, MERGE_PATCH
from todo_api.body.reading import read_body
from todo_api.database.calls import Call
from todo_api.tasks import etags, idempotency
from todo_api.tasks.answers import one_task
from todo_api.tasks.judging import Judged, accepted, create_with_id, no_such_task
from todo_api.tasks.parameters import DELETE_QUERY, of_change, of_deletion, of_new_task
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskChange, TaskCreate
from todo_api.tasks.turn import in_turn, number_tasks
from todo_api.web.answers import no_content, not_modified
from todo_api.web.conditions import is_held
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.query import read_query
from todo_api.web.request import current_request
from todo_api.web.schemas import is_id

tasks = Blueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")

tasks.before_request(admit)


class _TaskId(BaseConverter):
    """Any text but `batch`: on that path another method than POST is 405, as on all known paths."""

    regex = r"(?!batch\Z)[^/]+"
    part_isolating = True  # it has no slash


@tasks.record_once
def _know_task_ids(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["task"] = _TaskId


@tasks.post("")
@for_api_tokens
def create_task() -> Response:
    """Add a task; with an Idempotency-Key only once, and only one with an id."""
    # From the environ: request.headers would cost every create 3 µs for a key that few send.
    sent = current_request().environ.get(idempotency.ENVIRON)
    with session_first:
        key = None if sent is None else idempotency.key_of(sent)
        body = read_body(TaskCreate)
    headers, is_new = {}, True
    if key is not None:
        with session_first:  # as below
            task, is_new, is_replay = idempotency.create(
                database(), signed_in(), key, body, current_app.config
            )
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
    elif body.id:
        with session_first:
            task, is_new = create_with_id(body)
    else:
        call = Call("tasks/create", of_new_task(body, current_app.config), as_task)
        [created] = in_turn(database(), signed_in(), call)
        with session_first:  # of a user who was deleted meanwhile nothing is counted either
            if not created:
                raise Problem("task-quota-exceeded")
        [task] = created
    if not is_new:
        return one_task(task, headers=headers)
    # The path of the request plus the id: url_for would take 20 µs.
    headers["Location"] = f"{current_request().path_of_client}/{task.id}"
    return one_task(task, HTTPStatus.CREATED, headers)


@tasks.get("/<task:task_id>")
@for_api_tokens
def get_task(task_id: str) -> Response:
    """One task."""
    task = _one(task_id)
    if not task.revision:
        number_tasks(database(), signed_in().user_id)
        task = _one(task_id)
    headers = etags.headers(tag := etags.of(task.revision))
    if is_held(tag):
        return not_modified(headers)
    return one_task(task, headers=headers)


@tasks.put("/<task:task_id>")
@for_api_tokens
def update_task(task_id: str) -> Response:
    """Change the fields that the body has."""
    return _update(task_id, JSON)


@tasks.patch("/<task:task_id>")
@for_api_tokens
def patch_task(task_id: str) -> Response:
    """The same: absent fields keep their values with both methods, as in a merge patch (RFC 7396)."""
    return _update(task_id, JSON, MERGE_PATCH)


@tasks.patch("/<task:task_id>/complete")
@for_api_tokens
def complete_task(task_id: str) -> Response:
    """Complete a task; completing it again changes nothing."""
    call = Call("tasks/complete", {"task_id": _uuid(task_id)}, as_task)
    [found] = in_turn(database(), signed_in(), call)
    if not found:
        raise no_such_task()
    return one_task(found[0])


@tasks.delete("/<task:task_id>")
@for_api_tokens
def delete_task(task_id: str) -> Response:
    """Delete a task for good."""
    with session_first:
        query = read_query(DELETE_QUERY)
    parameters = of_deletion(_uuid(task_id), query.get("if_revision"), current_app.config)
    [found] = in_turn(database(), signed_in(), Call("tasks/delete", parameters, Judged.of))
    accepted(found)
    return no_content()


def _update(task_id: str, *media_types: str) -> Response:
    with session_first:
        change = read_body(TaskChange, media_types)
    parameters = of_change(change, current_app.config) | {"task_id": _uuid(task_id)}
    [found] = in_turn(database(), signed_in(), Call("tasks/update", parameters, Judged.of))
    return one_task(accepted(found))


def _one(task_id: str) -> Task:
    call = Call("tasks/get", {"task_id": _uuid(task_id)}, as_task)
    [found] = database().as_user(signed_in(), call)
    if not found:
        raise no_such_task()
    return found[0]  # type: ignore[no-any-return]


def _uuid(text: str) -> str:
    """A task's id. A text that is not a UUID gets 404 without a search, but after the check for 401."""
    with session_first:
        if not is_id(text):
            raise no_such_task()
    return text
