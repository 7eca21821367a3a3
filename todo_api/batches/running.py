"""Runs the operations of a batch, and says what became of each."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

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
from todo_api.tasks.parameters import of_change, of_deletion, of_new_task
from todo_api.tasks.rows import as_task
from todo_api.web.problem_codes import CODES

Row = tuple[Any, ...]


class Step(NamedTuple):
    """The statement of one operation, and what the rows that it returns mean."""

    call: Call
    result: Callable[[list[Row]], Result]


def steps(batch: Batch, quotas: Mapping[str, Any]) -> list[Step]:
    """What to run for a batch, in its order."""
    return [_STEPS[type(operation)](operation, quotas) for operation in batch.operations]


def _create(operation: CreateOperation, quotas: Mapping[str, Any]) -> Step:
    parameters = of_new_task(operation, quotas)
    if not operation.id:
        return Step(Call("tasks/create", parameters), _created)
    parameters["new_id"] = operation.id
    return Step(Call("tasks/create_with_id", parameters), _created_with_id)


def _update(operation: UpdateOperation, quotas: Mapping[str, Any]) -> Step:
    parameters = of_change(operation, quotas)
    parameters["task_id"] = operation.id
    return Step(Call("tasks/update", parameters), _updated)


def _complete(operation: CompleteOperation, _: Mapping[str, Any]) -> Step:
    return Step(Call("tasks/complete", {"task_id": operation.id}), _completed)


def _delete(operation: DeleteOperation, quotas: Mapping[str, Any]) -> Step:
    parameters = of_deletion(operation.id, operation.if_revision, quotas)
    return Step(Call("tasks/delete", parameters), _deleted)


_STEPS: dict[type[Operation], Callable[[Any, Mapping[str, Any]], Step]] = {
    CreateOperation: _create,
    UpdateOperation: _update,
    CompleteOperation: _complete,
    DeleteOperation: _delete,
}


def _created(rows: list[Row]) -> Result:
    if not rows:
        return _refused("task-quota-exceeded")
    return Result(HTTPStatus.CREATED, as_task(*rows[0]))


def _created_with_id(rows: list[Row]) -> Result:
    if not rows:
        return _refused("task-quota-exceeded")
    [(refusal, is_new, *columns)] = rows
    if refusal:
        return _refused(refusal)
    return Result(HTTPStatus.CREATED if is_new else HTTPStatus.OK, as_task(*columns))


def _updated(rows: list[Row]) -> Result:
    if not rows:
        return _refused("not-found")
    [(refusal, *columns)] = rows
    return _refused(refusal) if refusal else Result(HTTPStatus.OK, as_task(*columns))


def _completed(rows: list[Row]) -> Result:
    if not rows:
        return _refused("not-found")
    return Result(HTTPStatus.OK, as_task(*rows[0]))


def _deleted(rows: list[Row]) -> Result:
    if not rows:
        return _refused("not-found")
    refusal = rows[0][0]
    return _refused(refusal) if refusal else Result(HTTPStatus.NO_CONTENT)


def _refused(code: str) -> Result:
    return Result(CODES[code].status, code=code)
