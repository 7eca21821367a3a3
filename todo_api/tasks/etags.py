"""The tags of answers, for conditional reads (RFC 9110, 13).

Tags are weak, because each answer has its own timestamp and request id. They are made of revisions: that of
the task, or the user's latest for a list.
"""

import hashlib

from todo_api.tasks.schemas import Task

# A release that changes the members of a task gives it another value, such as ".2". So clients fetch tasks
# again that have not changed since. A test notices when members() returns something else.
SHAPE = ""


def members() -> str:
    """A hash of the names of a task's members."""
    return hashlib.sha256(",".join(Task.__struct_fields__).encode()).hexdigest()[:4]


def of(revision: int) -> str:
    """The tag of a task, or of a list."""
    return f"{revision}{SHAPE}"


def headers(tag: str) -> dict[str, str]:
    """The headers of a tagged answer: the client may cache it, and has to revalidate it each time."""
    return {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
