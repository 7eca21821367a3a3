"""The call for what has changed, always for the token's own user."""

from functools import partial

from flask import Blueprint, Response

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.database.calls import Call
from todo_api.sync.changes import ChangesTaker
from todo_api.sync.marks import Since
from todo_api.sync.parameters import LIMIT, QUERY
from todo_api.sync.schemas import ChangesMeta
from todo_api.tasks import etags
from todo_api.tasks.turn import STATE, read_in_step
from todo_api.web import answers
from todo_api.web.conditions import has_condition, is_held
from todo_api.web.current import database, unsent
from todo_api.web.problems import Problem
from todo_api.web.query import read_query
from todo_api.web.request import current_request

sync = Blueprint("sync", __name__, url_prefix="/api/<user_id>/changes")
sync.before_request(admit)


@sync.get("")
@for_api_tokens
def list_changes() -> Response:
    """Every task that has changed after a revision, and every id that was deleted after it."""
    with session_first:
        query = read_query(QUERY)
    since, limit = Since.of(query.get("since", 0)), query.get("limit", LIMIT)
    if has_condition():
        [state] = database().as_user(signed_in(), STATE)
        if state and state[0].is_in_step:
            latest, forgotten = state[0].revision, state[0].forgotten_revision
            if since.is_expired(latest, forgotten):
                raise Problem("sync-expired")
            if is_held(tag := _tag(since, latest, forgotten)):
                return answers.not_modified(etags.headers(tag))
    found = _changes(since, limit)
    meta = ChangesMeta(
        timestamp=answers.timestamp(),
        request_id=current_request().id,
        revision=found.next_since,
        has_more=found.has_more,
    )
    tag = _tag(since, found.latest, found.forgotten)
    # What is under the same tag is of the same moment, so it is the same.
    content = unsent().complete(found.content, f"changes {tag} {since} {limit}")
    return answers.content_answer(content, meta, etags.headers(tag), around="{}")


def _changes(since: Since, limit: int) -> ChangesTaker:
    who = signed_in()
    values = {"since": since.revision, "page_size": limit}
    taker = partial(ChangesTaker, unsent(), who.user_id, since, limit)
    call = Call("tasks/changes", values, taker=taker)
    found: ChangesTaker
    [found] = read_in_step(database(), who, lambda taken: taken[0].is_in_step, call)
    if found.is_expired:
        raise Problem("sync-expired")
    found.end()
    return found


def _tag(since: Since, latest: int, forgotten: int) -> str:
    """The latest revision; and what is forgotten, where an answer may have a walking mark."""
    return etags.of(latest) + (f"-{forgotten}" if since.revision < forgotten else "")
