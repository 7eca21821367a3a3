"""Bodies and queries as parameters of the statements in sql/tasks."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from todo_api.tasks.schemas import LAST_REVISION, TaskChange, TaskCreate
from todo_api.web.query import whole_number

# that are remembered of a user; as many as the user may have tasks, where that is more
MOST_DELETIONS = 100_000

DELETE_QUERY = (
    whole_number(
        "if_revision",
        "Refuses the deletion unless the task has this revision.",
        minimum=0,
        maximum=LAST_REVISION,
    ),
)


def of_new_task(body: TaskCreate, quotas: Mapping[str, Any]) -> dict[str, Any]:
    """For tasks/create and those like it: what is absent has its default, as what is null."""
    return {
        "title": body.title,
        "notes": body.notes or None,
        "due_date": body.due_date or None,
        "due_at": body.due_at or None,
        "priority": body.priority or 0,
        "tags": ",".join(body.tags or ()),
        "max_tasks": quotas["MAX_TASKS_PER_USER"],
        "max_text": quotas["MAX_TEXT_PER_USER"],
    }


def of_change(body: TaskChange, quotas: Mapping[str, Any]) -> dict[str, Any]:
    """For tasks/update: null there means no change, so a flag goes with each field that null clears."""
    due_date, due_at = body.due_date, body.due_at
    return {
        "if_revision": _or_none(body.if_revision),
        "title": _or_none(body.title),
        "sets_notes": body.notes is not UNSET,
        "notes": body.notes or None,
        # a value of the one clears the other
        "sets_due_date": due_date is not UNSET or bool(due_at),
        "due_date": due_date or None,
        "sets_due_at": due_at is not UNSET or bool(due_date),
        "due_at": due_at or None,
        "priority": None if body.priority is UNSET else body.priority or 0,
        "tags": None if body.tags is UNSET else ",".join(body.tags or ()),
        "is_completed": _or_none(body.is_completed),
        "max_text": quotas["MAX_TEXT_PER_USER"],
    }


def of_deletion(
    task_id: str, if_revision: int | UnsetType | None, quotas: Mapping[str, Any]
) -> dict[str, Any]:
    """For tasks/delete."""
    return {
        "task_id": task_id,
        "if_revision": _or_none(if_revision),
        "max_deletions": max(MOST_DELETIONS, quotas["MAX_TASKS_PER_USER"]),
    }


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value
