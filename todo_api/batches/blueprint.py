"""The call that takes many changes at once."""

import uuid
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app

from todo_api.auth.admission import admit, for_api_tokens, session_first, signed_in
from todo_api.batches import keeping
from todo_api.batches.running import longest_answer, steps
from todo_api.batches.schemas import Batch
from todo_api.body.reading import read_body
from todo_api.tasks.idempotency import key_of
from todo_api.tasks.turn import in_turn
from todo_api.web import answers
from todo_api.web.current import database, unsent
from todo_api.web.request import current_request
from todo_api.web.unsent import Content

MAX_BATCH_BYTES = 512 * 1024
_AT_ONCE = 10  # results: no other thread can run while they are encoded
_encode = msgspec.json.Encoder().encode

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
        content = Content(unsent(), signed_in().user_id)
        content.reserve(longest_answer(batch, current_request().content_length or 0))
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
    for start in range(0, len(results), _AT_ONCE):
        some = _encode(results[start : start + _AT_ONCE])[1:-1]
        content.add(b"," + some if start else some, 1)
    # A tag of its own: nobody else is sent this content.
    content = unsent().complete(content, f"batch {uuid.uuid4()}")
    return answers.content_answer(content, answers.meta(), headers)
