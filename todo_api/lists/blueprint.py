"""The call for the list of a user's tasks, always for the token's own user."""

from flask import Blueprint, Response

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.lists import pages, reading

lists = Blueprint("lists", __name__, url_prefix="/api/<user_id>/tasks")

lists.before_request(admit)


@lists.get("")
@for_api_tokens
def list_tasks() -> Response:
    """The tasks, all or those that the filters name, as a whole or in pages."""
    with session_first:
        asked = pages.asked_of(signed_in().user_id)
    if asked.limit:
        return reading.page(asked, asked.limit)
    return reading.whole_list(asked)
