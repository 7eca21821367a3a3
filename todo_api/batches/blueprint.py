"""The call that takes many changes at once."""

from flask import Blueprint, Response, current_app

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.batches.running import steps
from todo_api.batches.schemas import Batch, BatchAnswer
from todo_api.tasks.turn import in_turn
from todo_api.web import answers
from todo_api.web.bodies import read_body
from todo_api.web.current import database

MAX_BATCH_BYTES = 512 * 1024

batches = Blueprint("batches", __name__, url_prefix="/api/<user_id>/tasks/batch")
batches.before_request(admit)


@batches.post("")
@for_api_tokens
def run_batch() -> Response:
    """Do what can be done, in one transaction, and answer what became of each operation."""
    with session_first:
        batch = read_body(Batch, most_bytes=MAX_BATCH_BYTES)
    planned = steps(batch, current_app.config)
    found = in_turn(database(), signed_in(), *[step.call for step in planned])
    results = [
        result
        for step, rows in zip(planned, found, strict=True)
        for result in step.results(step.places, rows)
    ]
    return answers.json_answer(BatchAnswer(data=results, meta=answers.meta()))
