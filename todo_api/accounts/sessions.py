"""Where the user is signed in: the list, and the end of one or of all others."""

from flask import Blueprint, Response

from todo_api.accounts.rows import as_sign_in
from todo_api.accounts.sign_in_schemas import SignInListAnswer, SignInMeta
from todo_api.auth import sign_ins
from todo_api.auth.admission import admit, own_session, session_first
from todo_api.database.calls import Call
from todo_api.web import answers
from todo_api.web.current import database
from todo_api.web.problems import Problem
from todo_api.web.request import current_request
from todo_api.web.schemas import is_id

sessions = Blueprint("sessions", __name__, url_prefix="/api/<user_id>/sessions")
sessions.before_request(admit)


@sessions.get("")
def list_sessions() -> Response:
    """The living sign-ins, newest first."""
    call = Call("sessions/list", {"session_id": own_session().session_id}, as_sign_in)
    [found] = database().as_user(own_session(), call)
    meta = SignInMeta(
        timestamp=answers.timestamp(), request_id=current_request().id, count=len(found)
    )
    return answers.json_answer(SignInListAnswer(data=found, meta=meta))


@sessions.delete("/<session_id>")
def end_session(session_id: str) -> Response:
    """End a sign-in, by the id of any of its sessions."""
    no_such_session = Problem("not-found", "There is no such session.")
    with session_first:
        if not is_id(session_id):
            raise no_such_session
    if not sign_ins.end(own_session(), session_id, "session_ended"):
        raise no_such_session
    return answers.no_content()


@sessions.delete("")
def end_other_sessions() -> Response:
    """End all sign-ins but the request's own."""
    sign_ins.end_others(own_session())
    return answers.no_content()
