"""Tags: what the contract's tests can't see, because a release doesn't change while they run."""

import msgspec

from todo_api.tasks import etags
from todo_api.tasks.schemas import Task


def test_another_member_of_a_task_makes_other_tags() -> None:
    members = [(name, str) for name in Task.__struct_fields__]
    same = msgspec.defstruct("Task", members)
    longer = msgspec.defstruct("Task", [*members, ("due_at", str)])
    assert etags.shape(same) == etags.shape(Task) != etags.shape(longer)
    task = Task("id", "user_id", "title", False, None, "created_at", "updated_at")
    for tag in (
        etags.of_task(task),
        etags.of_list("0"),
        etags.of_page([task.id, task.updated_at], None),
    ):
        assert tag.startswith(f"{etags.shape(Task)}.")
