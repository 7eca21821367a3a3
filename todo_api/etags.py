"""Conditional reads (RFC 9110, 13): the tag of what is answered, and whether the client has it already.

Tags are weak: each answer has a timestamp and a request id of its own. Every change of a task moves its
updated_at, so that the tags need nothing else of it.
"""

import hashlib
from collections.abc import Iterable

import msgspec
from flask import request
from werkzeug.http import parse_etags

from todo_api.schemas import Task


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]


def shape(kind: type[msgspec.Struct]) -> str:
    """Of a class, by its members: a release that adds one outdates what clients hold of unchanged tasks."""
    return _hash(kind.__struct_fields__)[:4]


_SHAPE = shape(Task)


def of_task(task: Task) -> str:
    """The tag of a single task."""
    return f"{_SHAPE}.{task.updated_at}"


def of_list(tasks: list[Task]) -> str:
    """The tag of all tasks."""
    return f"{_SHAPE}.{_hash(task.updated_at for task in tasks)}"


def of_page(tasks: list[Task], next_cursor: str | None) -> str:
    """The tag of a page: of its tasks, and of whether there are more."""
    # with ids: tasks that were imported together share a time, and one may move up into another's place
    parts = [part for task in tasks for part in (task.id, task.updated_at)]
    return f"{_SHAPE}.{_hash([*parts, str(next_cursor)])}"


def is_held(tag: str) -> bool:
    """Whether the client has it already: If-None-Match, compared weakly (RFC 9110, 13.1.2)."""
    sent = request.headers.get("If-None-Match")
    return sent is not None and parse_etags(sent).contains_weak(tag)


def headers(tag: str) -> dict[str, str]:
    """What a tagged answer carries: the client may keep it, and asks each time whether it still holds."""
    return {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
