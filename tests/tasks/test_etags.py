"""Tags: what the contract's tests can't see, because a release doesn't change while they run."""

from todo_api.tasks import etags


def test_another_member_of_a_task_needs_another_shape_in_the_tags() -> None:
    assert (etags.members(), etags.SHAPE) == ("8d55", ""), (
        "the members of a task changed: clients would keep tasks without them, so etags.SHAPE needs another "
        "value; then write both here"
    )
    assert etags.of(7) == f"7{etags.SHAPE}"
