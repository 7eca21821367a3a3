"""Converts rows of statements on tasks to the class that becomes JSON."""

from todo_api.tasks.schemas import Task
from todo_api.web.moments import rfc3339


def as_task(
    task_id: str,
    user_id: str,
    title: str,
    notes: str | None,
    due_date: str | None,
    due_at: str | None,
    priority: int,
    tags: str,
    is_completed: bool,
    completed_at: str | None,
    created_at: str,
    updated_at: str,
    revision: int,
) -> Task:
    """A task, made of the columns that all statements on tasks return."""
    created = rfc3339(created_at)
    return Task(
        task_id,
        user_id,
        title,
        notes,
        due_date,
        due_at and rfc3339(due_at),
        priority,
        tuple(tags.split(",")) if tags else (),
        is_completed,
        completed_at and rfc3339(completed_at),
        created,
        created if updated_at == created_at else rfc3339(updated_at),
        revision,
    )
