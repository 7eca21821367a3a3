"""What the query asks for: which tasks, in which order, how many; and the cursor of the next page."""

from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from todo_api.lists import filters
from todo_api.lists.orders import FEWEST_BYTES, MOST_BYTES, NEWEST_FIRST, ORDERS, Order
from todo_api.tasks.schemas import Task
from todo_api.web.query import (
    NOT_OF_THIS_LIST,
    QueryParameter,
    cursor_length,
    judged_query,
    list_key,
    one_of,
    read_cursor,
    refused,
    whole_number,
    write_cursor,
)
from todo_api.web.request import current_request
from todo_api.web.schemas import FieldError

LIMIT_MAX = 1000
_SHORTEST, _LONGEST = cursor_length(FEWEST_BYTES), cursor_length(MOST_BYTES)
# The only key of the cursors that there were before there were filters: of anybody's newest tasks
_FORMER_KEY = b""


class Asked(NamedTuple):
    """A requested list: its order and filters; for a page the number of tasks, and what comes before them."""

    user_id: str
    order: Order
    filters: dict[str, Any]
    limit: int | None = None
    after: dict[str, Any] | None = None  # None: from the start

    @property
    def is_plain(self) -> bool:
        """Whether all tasks are asked for, newest first."""
        return self.order is NEWEST_FIRST and not self.filters

    def position(self) -> dict[str, Any]:
        """The parameters that say where a page starts."""
        return self.after or self.order.from_start()

    def key(self) -> bytes:
        """What the cursors of this list are bound to."""
        return list_key(self.user_id, self.order.statement, sorted(self.filters.items()))

    def cursor(self, last: Task) -> str:
        """The cursor of the page that follows this task."""
        return write_cursor(self.order.position(last), self.key())


def asked_of(user_id: str) -> Asked:
    """What the query asks for. Raises Problem."""
    query, errors = judged_query(QUERY)
    if not (query or errors):  # the usual case
        return Asked(user_id, NEWEST_FIRST, {})
    wrong = {error.field for error in errors}
    asked = Asked(
        user_id, query.get("sort", NEWEST_FIRST), filters.of_query(query), query.get("limit")
    )
    if "cursor" in query:
        if "limit" not in query and "limit" not in wrong:
            errors.append(FieldError(field="limit", message="is required with a cursor"))
        if not wrong - {"limit"}:  # otherwise it is unknown which list it has to be of
            try:
                asked = asked._replace(after=_after(asked, query["cursor"]))
            except ValueError:
                errors.append(FieldError(field="cursor", message=NOT_OF_THIS_LIST))
    if errors:
        raise refused(*errors)
    return asked


def next_page(limit: int, cursor: str) -> str:
    """The address of the next page, with the filters and the order of this one."""
    request = current_request()
    kept = {name: text for name, text in request.args.items() if name not in ("limit", "cursor")}
    before = urlencode(kept, quote_via=quote) + "&" if kept else ""
    return f"{request.path_of_client}?{before}limit={limit}&cursor={cursor}"


def _after(asked: Asked, cursor: str) -> dict[str, Any]:
    keys = [asked.key(), _FORMER_KEY] if asked.is_plain else [asked.key()]
    return asked.order.after(read_cursor(cursor, *keys))


def _read_cursor(text: str) -> str:
    # whose it is can be told when filters and order are known
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise ValueError(NOT_OF_THIS_LIST)
    return text


# What the list takes.
QUERY = (
    *filters.FILTERS,
    QueryParameter(
        "sort",
        "`-created_at`, newest first, without it; `created_at`, oldest first; `-updated_at`, last changed "
        "first; `due`, soonest first, a `due_date` as the start of its day in UTC, and without either last; "
        "`-priority`, highest first; `title`, letter case aside, by code point. Ties are broken by `id`, "
        "from the highest down where there is a `-`.",
        {"type": "string", "enum": list(ORDERS)},
        one_of(ORDERS),
    ),
    whole_number(
        "limit",
        "Asks for a page of at most so many tasks. Without it the list comes whole.",
        minimum=1,
        maximum=LIMIT_MAX,
    ),
    QueryParameter(
        "cursor",
        "With a `limit`: the `next_cursor` of the page before. It leads on from there whatever was added or "
        "deleted since, with another `limit` too, and only with the same filters and the same `sort`.",
        {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{{_SHORTEST},{_LONGEST}}}$"},
        _read_cursor,
    ),
)
