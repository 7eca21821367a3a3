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
        summary="The tasks, filtered and sorted",
        tag="tasks",
        description="All tasks, newest first, or those that match every filter; "
        "`sort` is another order. The whole list or, with a `limit`, a page of it. A page's `meta` has "
        "`next_cursor`, and the header `Link` where that leads, with the same filters and order. A "
        "task that matches the whole time, and is not changed, is on exactly one page. A `cursor` without "
        "`limit`, or of other filters or another order, is 422. A user can have only a few different lists "
        "or pages above 64 KiB unread at the same time: more are answered 503. A client that reads less than "
        "16 KiB/s on average is cut off. Short pages are always served.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID, *of_query(QUERY), IF_NONE_MATCH),
        answers={
            200: Answer(
                description="The tasks, or a page of them.",
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
