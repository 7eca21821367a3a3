"""The call that takes many changes at once."""

from typing import Any

from flask import Blueprint, Response, current_app

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.batches import keeping
from todo_api.batches.running import steps
from todo_api.batches.schemas import Batch, BatchAnswer
from todo_api.tasks.idempotency import key_of
from todo_api.tasks.turn import in_turn
from todo_api.web import answers
from todo_api.web.bodies import read_body
from todo_api.web.current import database
from todo_api.web.request import current_request

MAX_BATCH_BYTES = 512 * 1024

batches = Blueprint("batches", __name__, url_prefix="/api/<user_id>/tasks/batch")
batches.before_request(admit)


@batches.post("")
@for_api_tokens
def run_batch() -> Response:
    """Do what can be done, in one transaction, and answer what became of each operation."""
    sent = current_request().headers.get("Idempotency-Key")
    with session_first:
        key = None if sent is None else key_of(sent)
        batch = read_body(Batch, most_bytes=MAX_BATCH_BYTES)
    planned = steps(batch, current_app.config)
    headers: dict[str, str] = {}
    found: list[Any]
    if key is None:
        found = in_turn(database(), signed_in(), *[step.call for step in planned])
    else:
        with session_first:
            claim = keeping.claim_of(key, batch, current_app.config)
            found, is_replay = keeping.once(database(), signed_in(), claim, planned)
        if is_replay:
            headers["Idempotent-Replayed"] = "true"
    results = [
        result
        for step, rows in zip(planned, found, strict=True)
        for result in step.results(step.places, rows)
    ]
    return answers.json_answer(BatchAnswer(data=results, meta=answers.meta()), headers=headers)
