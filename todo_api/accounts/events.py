"""What happened at the door of the account, in pages."""

from flask import Blueprint, Response

from todo_api.accounts.event_pages import Position, cursor, requested_page
from todo_api.accounts.rows import as_event
from todo_api.accounts.sign_in_schemas import EventListAnswer, EventMeta
from todo_api.auth.admission import admit, session_first, signed_in
from todo_api.database.calls import Call
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.request import current_request

events = Blueprint("events", __name__, url_prefix="/api/<user_id>/events")
events.before_request(admit)


@events.get("")
def list_events() -> Response:
    """A page of the events, newest first."""
    with session_first:
        page = requested_page(signed_in().user_id)
    position = {"last_occurred_at": page.after.occurred_at, "last_number": page.after.number}
    call = Call("auth_events/page", position | {"page_size": page.limit})
    [rows] = database().as_user(signed_in(), call)
    next_cursor, headers = None, {}
    if len(rows) > page.limit:
        number, occurred_at, *_ = rows[page.limit - 1]
        next_cursor = cursor(Position(occurred_at, number), signed_in().user_id)
        headers["Link"] = (
            f'<{current_request().path_of_client}?limit={page.limit}&cursor={next_cursor}>; rel="next"'
        )
    found = [as_event(*row) for row in rows[: page.limit]]
    meta = EventMeta(
        timestamp=answers.timestamp(),
        request_id=current_request().id,
        count=len(found),
        next_cursor=next_cursor,
    )
    return answers.json_answer(EventListAnswer(data=found, meta=meta), headers=headers)
