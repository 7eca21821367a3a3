"""The call for the list of a user's tasks, always for the token's own user."""

from flask import Blueprint, Response

from todo_api.auth.admission import admit, for_api_tokens, session_first
from todo_api.lists import pages, reading

lists = Blueprint("lists", __name__, url_prefix="/api/<user_id>/tasks")

lists.before_request(admit)


@lists.get("")
@for_api_tokens
def list_tasks() -> Response:
    """All tasks, newest first; with a limit, a page of them."""
    with session_first:
        page = pages.requested_page()
    if page:
        return reading.page(page)
    return reading.whole_list()
