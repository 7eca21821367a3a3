"""The statements of a batch, and what became of each of its operations."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from todo_api.batches.schemas import (
    Batch,
    CompleteOperation,
    CreateOperation,
    DeleteOperation,
    Operation,
    Result,
    UpdateOperation,
)
from todo_api.database.calls import Call
from todo_api.tasks.fields import NOTES_MAX, TAG_MAX, TAGS_MAX, TITLE_MAX
from todo_api.tasks.parameters import of_change, of_deletion, of_new_task
from todo_api.tasks.rows import as_task
from todo_api.web.problem_codes import CODES

# As JSON, where each character of the texts has four bytes
LONGEST_TASK = 4 * (TITLE_MAX + NOTES_MAX + TAGS_MAX * (TAG_MAX + 1)) + 500
Row = tuple[Any, ...]


class Step(NamedTuple):
    """A statement, the places in the batch of what it does, and the results by the rows that it returns."""

    call: Call
    places: range
    results: Callable[[range, list[Row]], Iterable[Result]]


def longest_answer(batch: Batch, sent: int) -> int:
    """How many bytes the results can have at most, of a body with `sent` bytes."""
    of_stored_tasks = sum(
        bool(operation.id) and not isinstance(operation, DeleteOperation)
        for operation in batch.operations
    )
    # What a create sends comes back, and the other members of the task with it.
    return sent + 500 * len(batch.operations) + LONGEST_TASK * of_stored_tasks


def steps(batch: Batch, quotas: Mapping[str, Any]) -> list[Step]:
    """What to run for a batch, in its order: creates that follow one another are one statement."""
    planned: list[Step] = []
    creates: dict[str, CreateOperation] = {}  # by their ids
    for place, operation in enumerate((*batch.operations, None)):
        if isinstance(operation, CreateOperation) and operation.id not in creates:
            creates[operation.id or str(place)] = operation
            continue
        if creates:
            planned.append(_create(place - len(creates), creates.values(), quotas))
            creates = {}
        if isinstance(operation, CreateOperation):  # the id again: the task is there by then
            creates[str(operation.id)] = operation
        elif operation:
            planned.append(_STEPS[type(operation)](place, operation, quotas))
    return planned


def _create(start: int, operations: Iterable[CreateOperation], quotas: Mapping[str, Any]) -> Step:
    tasks = []
    parameters: dict[str, Any] = {}
    for place, operation in enumerate(operations, start):
        task = of_new_task(operation, quotas)
        parameters = {name: task.pop(name) for name in ("max_tasks", "max_text")}
        tasks.append({"place": place, "id": operation.id or None, **task})
    parameters |= {"creates": msgspec.json.encode(tasks).decode(), "key": None, "place": start}
    return Step(Call("batches/create", parameters), range(start, start + len(tasks)), _created)


def _update(place: int, operation: UpdateOperation, quotas: Mapping[str, Any]) -> Step:
    parameters = of_change(operation, quotas)
    parameters["task_id"] = operation.id
    return Step(Call("tasks/update", parameters), range(place, place + 1), _changed)


def _complete(place: int, operation: CompleteOperation, _: Mapping[str, Any]) -> Step:
    call = Call("tasks/complete", {"task_id": operation.id})
    return Step(call, range(place, place + 1), _completed)


def _delete(place: int, operation: DeleteOperation, quotas: Mapping[str, Any]) -> Step:
    parameters = of_deletion(operation.id, operation.if_revision, quotas)
    return Step(Call("tasks/delete", parameters), range(place, place + 1), _deleted)


_STEPS: dict[type[Operation], Callable[[int, Any, Mapping[str, Any]], Step]] = {
    UpdateOperation: _update,
    CompleteOperation: _complete,
    DeleteOperation: _delete,
}


def _created(places: range, rows: list[Row]) -> Iterable[Result]:
    found = {place: rest for place, *rest in rows}
    for place in places:
        if place not in found:
            yield _refused("task-quota-exceeded")
            continue
        refusal, *task = found[place]
        if refusal:
            yield _refused(refusal)
            continue
        is_new, *columns = task
        yield Result(HTTPStatus.CREATED if is_new else HTTPStatus.OK, as_task(*columns))


def _changed(_: range, rows: list[Row]) -> Iterable[Result]:
    for refusal, *columns in rows:
        yield _refused(refusal) if refusal else Result(HTTPStatus.OK, as_task(*columns))
    if not rows:
        yield _refused("not-found")


def _completed(places: range, rows: list[Row]) -> Iterable[Result]:
    return _changed(places, [(None, *row) for row in rows])


def _deleted(_: range, rows: list[Row]) -> Iterable[Result]:
    for refusal, *_task in rows:
        yield _refused(refusal) if refusal else Result(HTTPStatus.NO_CONTENT)
    if not rows:
        yield _refused("not-found")


def _refused(code: str) -> Result:
    return Result(CODES[code].status, code=code)
