"""What the statements that change a task answer: the task, or the code of the problem."""

from typing import Any, NamedTuple

from flask import current_app

from todo_api.auth.admission import signed_in
from todo_api.database.calls import Call
from todo_api.tasks.parameters import of_new_task
from todo_api.tasks.rows import as_task
from todo_api.tasks.schemas import Task, TaskCreate
from todo_api.tasks.turn import in_turn
from todo_api.web.current import database
from todo_api.web.problems import Problem


class Judged(NamedTuple):
    """The task that a statement found, and why it did not do what was asked, if it did not."""

    refusal: str | None
    task: Task

    @classmethod
    def of(cls, refusal: str | None, *columns: Any) -> "Judged":
        return cls(refusal, as_task(*columns))


def accepted(found: list[Judged]) -> Task:
    """The task that was changed. Raises Problem."""
    if not found:
        raise no_such_task()
    [(refusal, task)] = found
    if refusal:
        raise Problem(refusal, current=task if refusal == "revision-conflict" else None)
    return task


def create_with_id(body: TaskCreate) -> tuple[Task, bool]:
    """The task with the id that the client has chosen, and whether it is new. Raises Problem."""
    parameters = of_new_task(body, current_app.config) | {"new_id": body.id}
    [found] = in_turn(database(), signed_in(), Call("tasks/create_with_id", parameters))
    if not found:
        raise Problem("task-quota-exceeded")
    [(refusal, is_new, *columns)] = found
    if refusal:
        raise Problem(refusal)
    return as_task(*columns), is_new


def no_such_task() -> Problem:
    """404: gone, of another user, or never there."""
    return Problem("not-found", "There is no such task.")
