"""What the call for changes takes."""

from todo_api.web.query import whole_number

LIMIT, LIMIT_MAX = 500, 1000
# Higher than any revision is 410, as far as PostgreSQL counts.
SINCE_MAX = 2**63 - 1

QUERY = (
    whole_number(
        "since",
        "The `meta.revision` of the answer before. Without it, or with 0: every task, and nothing deleted.",
        minimum=0,
        maximum=SINCE_MAX,
    ),
    whole_number(
        "limit",
        f"How many changes to answer at most; {LIMIT} without it.",
        minimum=1,
        maximum=LIMIT_MAX,
    ),
)
