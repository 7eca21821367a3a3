"""The call for the list of tasks, described for the OpenAPI document."""

from todo_api.docs.query_parameters import of_query
from todo_api.docs.vocabulary import (
    EXAMPLE_META,
    IF_NONE_MATCH,
    JSON,
    NOT_MODIFIED,
    TOKEN_PROBLEMS,
    USER_ID,
    Answer,
    Operation,
)
from todo_api.lists.pages import QUERY
from todo_api.lists.schemas import TaskListAnswer
from todo_api.tasks.operations import EXAMPLE_TASK

OPERATIONS = {
    "lists.list_tasks": Operation(
        summary="All tasks, newest first",
        tag="tasks",
        description="The whole list or, with a `limit`, a page of it. A page's `meta` has `next_cursor`, "
        "and the header `Link` where that leads. Going through the pages finds each task that was there all "
        "along once. A `limit` or `cursor` of another form, and a `cursor` without `limit`, are 422. Of "
        "lists and pages above 64 KiB, a user may leave few that differ unread at the same time: more are "
        "503. A client that reads less than 16 KiB/s on average is cut off. Short pages are always served.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID, *of_query(QUERY), IF_NONE_MATCH),
        answers={
            200: Answer(
                description="Every task of the user, or a page of them.",
                body=TaskListAnswer,
                media_types=(JSON,),
                headers=("ETag", "Link"),
                example={
                    "data": [EXAMPLE_TASK],
                    "meta": EXAMPLE_META | {"count": 1, "revision": 7},
                },
            ),
            304: NOT_MODIFIED,
        },
        problems=(*TOKEN_PROBLEMS, "validation-error", "unavailable"),
    ),
}
