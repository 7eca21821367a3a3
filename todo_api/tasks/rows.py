"""Rows of statements on tasks as the classes that become JSON."""

from todo_api.tasks.schemas import Task


def as_task(
    task_id: str,
    user_id: str,
    title: str,
    is_completed: bool,
    completed_at: str | None,
    created_at: str,
    updated_at: str,
) -> Task:
    """A task, of the columns that all statements on tasks return."""
    created = rfc3339(created_at)
    return Task(
        task_id,
        user_id,
        title,
        is_completed,
        completed_at and rfc3339(completed_at),
        created,
        created if updated_at == created_at else rfc3339(updated_at),
    )


def rfc3339(text: str) -> str:
    """A timestamptz, as PostgreSQL writes it in UTC, in RFC 3339 with all six digits.

    0.2 µs; through a datetime it takes 1.7, and a list of 1 000 tasks has at least 2 000 timestamps.
    """
    if len(text) == 29:  # 2026-11-24 19:46:48.478611+00
        return f"{text[:10]}T{text[11:26]}Z"
    seconds, _, fraction = text.removesuffix("+00").partition(
        "."
    )  # PostgreSQL leaves zeros at the end out
    return f"{seconds.replace(' ', 'T')}.{fraction:0<6}Z"
