"""The call for changes, described for the OpenAPI document."""

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
from todo_api.sync.parameters import QUERY
from todo_api.sync.schemas import ChangesAnswer
from todo_api.tasks.operations import EXAMPLE_TASK

OPERATIONS = {
    "sync.list_changes": Operation(
        summary="What has changed since a revision",
        tag="tasks",
        description="Every task whose latest change came after `since`, as it is now, and every id that was "
        "deleted after it, lowest revisions first over both. Nothing is missed and nothing comes twice, "
        "whatever is changed meanwhile: keep `meta.revision`, and send it as `since` the next time. "
        "Deletions are remembered for 30 days; with an older `since`, or one that is higher "
        "than the latest revision, the answer is 410: start over without `since`.",
        needs_token=True,
        takes_api_tokens=True,
        parameters=(USER_ID, *of_query(QUERY, "changes_{name}"), IF_NONE_MATCH),
        answers={
            200: Answer(
                description="What has changed, or a part of it.",
                body=ChangesAnswer,
                media_types=(JSON,),
                headers=("ETag",),
                example={
                    "data": {
                        "tasks": [EXAMPLE_TASK],
                        "deleted": [{"id": "5f0c2a51-9f4e-4c55-8d0a-6a3c1c2f7b10", "revision": 8}],
                    },
                    "meta": EXAMPLE_META | {"revision": 8, "has_more": False},
                },
            ),
            304: NOT_MODIFIED,
        },
        problems=(*TOKEN_PROBLEMS, "validation-error", "sync-expired", "unavailable"),
    ),
}
