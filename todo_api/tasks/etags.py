"""Conditional reads (RFC 9110, 13): the tag of what is answered, and whether the client has it already.

Tags are weak: each answer has a timestamp and a request id of its own. Every change of a task moves its
updated_at, so that the tags need nothing else of it.
"""

import hashlib
from collections.abc import Iterable

import msgspec
from werkzeug.http import parse_etags

from todo_api.web.current import request
from todo_api.web.schemas import Task

_LENGTH = 32  # of a hash, in hexadecimal digits


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256(",".join(parts).encode()).hexdigest()[:_LENGTH]


def shape(kind: type[msgspec.Struct]) -> str:
    """Of a class, by its members: a release that adds one outdates what clients hold of unchanged tasks."""
    return _hash(kind.__struct_fields__)[:4]


_SHAPE = shape(Task)


def of_task(task: Task) -> str:
    """The tag of a single task."""
    return f"{_SHAPE}.{task.updated_at}"


def of_list(state: str) -> str:
    """The tag of the whole list, of its state."""
    return f"{_SHAPE}.{state[:_LENGTH]}"


def state_of(times: Iterable[str]) -> str:
    """The list's state, of what tasks/list returns as updated_at; tasks/list_state returns the same.

    That a list of 1 000 is still right is found out in 1.5 ms of CPU, PostgreSQL's included; to send its
    300 KB takes 4.1 ms.
    """
    return hashlib.sha256(",".join(times).encode()).hexdigest()


def of_page(tasks: list[Task], next_cursor: str | None) -> str:
    """The tag of a page: of its tasks, and of whether there are more."""
    # with ids: tasks that were imported together share a time, and one may move up into another's place
    parts = [part for task in tasks for part in (task.id, task.updated_at)]
    return f"{_SHAPE}.{_hash([*parts, str(next_cursor)])}"


def are_asked() -> bool:
    """Whether the client has something that it would rather keep."""
    return "HTTP_IF_NONE_MATCH" in request().environ


def is_held(tag: str) -> bool:
    """Whether the client has it already: If-None-Match, compared weakly (RFC 9110, 13.1.2)."""
    return are_asked() and parse_etags(request().environ["HTTP_IF_NONE_MATCH"]).contains_weak(tag)


def headers(tag: str) -> dict[str, str]:
    """What a tagged answer carries: the client may keep it, and asks each time whether it still holds."""
    return {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
