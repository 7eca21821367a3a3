"""The filters of the list: what the query takes, and the parameters that they are of the statements."""

from collections.abc import Mapping
from typing import Any

from todo_api.tasks.fields import (
    DATE,
    PUBLISHED_LINES,
    TAG_MAX,
    clean_date,
    clean_tag,
    refuse_control_of_lines,
    with_line_feeds,
)
from todo_api.tasks.letter_case import without_case
from todo_api.tasks.schemas import TAG_PATTERN
from todo_api.web.query import QueryParameter, one_of, whole_number

Q_MAX = 100


def of_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that a query has, by name."""
    return {one.name: query[one.name] for one in FILTERS if one.name in query}


def parameters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the statements that take filters: null for each filter that is absent."""
    found = {one.name: filters.get(one.name) for one in FILTERS}
    if "tag" not in filters:
        return found | {"capitals": "", "letters": ""}
    tag = without_case(filters["tag"])
    return found | {"tag": tag.text, "capitals": tag.capitals, "letters": tag.letters}


def _clean_q(text: str) -> str:
    text = with_line_feeds(text)  # as notes have them
    if len(text) > Q_MAX:
        raise ValueError(f"must have 1 to {Q_MAX} characters")
    refuse_control_of_lines(text)
    return text


def _day(name: str, description: str) -> QueryParameter:
    schema = {"type": "string", "format": "date", "pattern": f"^{DATE}$"}
    return QueryParameter(name, description, schema, clean_date)


FILTERS = (
    QueryParameter(
        "is_completed",
        "Only tasks that are completed (`true`), or those that are not (`false`).",
        {"type": "boolean"},
        one_of({"true": True, "false": False}),
    ),
    QueryParameter(
        "q",
        "Only tasks that have this text in the title or in the notes, letter case aside as the database's "
        "locale knows it. `%`, `_` and `\\` mean themselves.",
        {
            "type": "string",
            "minLength": 1,
            "maxLength": Q_MAX,
            "pattern": PUBLISHED_LINES,
        },
        _clean_q,
    ),
    QueryParameter(
        "tag",
        "Only tasks with this tag, letter case aside.",
        {"type": "string", "minLength": 1, "maxLength": TAG_MAX, "pattern": TAG_PATTERN},
        clean_tag,
    ),
    whole_number(
        "min_priority", "Only tasks with this priority, or a higher one.", minimum=1, maximum=3
    ),
    _day(
        "due_from",
        "Only tasks that are due on this day, or later. A `due_at` counts by its day in UTC.",
    ),
    _day(
        "due_to",
        "Only tasks that are due on this day, or earlier. A `due_at` counts by its day in UTC.",
    ),
)
