"""Idempotency-Key on a batch: a repeated batch does nothing, and is answered as the first time."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from todo_api.batches.running import Step
from todo_api.batches.schemas import Batch
from todo_api.database.calls import Call, Caller, Unavailable, UniqueViolated
from todo_api.database.data import Database
from todo_api.tasks.idempotency import hash_of, most_answers, no_room, other_keys, reused
from todo_api.tasks.turn import in_turn

Rows = list[tuple[Any, ...]]

# A second try follows when the key becomes too old between two statements.
MOST_TRIES = 3

# Of each statement, what does the same and stores its rows for a key.
_KEEPING = {
    "batches/create": "batches/create",
    "tasks/update": "batches/update",
    "tasks/complete": "batches/complete",
    "tasks/delete": "batches/delete",
}


class Claim(NamedTuple):
    """A key, and what it is to be stored with."""

    key: str
    parameters: dict[str, Any]


def claim_of(key: str, batch: Batch, quotas: Mapping[str, Any]) -> Claim:
    """What claims this key for a batch."""
    return Claim(
        key,
        {
            "key": key,
            "request_hash": hash_of(batch),
            "other_keys": other_keys(quotas),
            "max_answers": most_answers(quotas),
        },
    )


def calls(claim: Claim, planned: Sequence[Step]) -> list[Call]:
    """What is run for a batch with a key."""
    return [
        Call("idempotency_keys/delete_expired", {"key": claim.key}),
        # It fails for a key that is there, and then nothing is done: only that costs a second look.
        Call("batches/claim", claim.parameters),
        *[_kept(step, claim.key) for step in planned],
    ]


def once(
    database: Database, who: Caller, claim: Claim, planned: Sequence[Step]
) -> tuple[list[Rows], bool]:
    """Run a batch unless its key has been used already: the rows of each step, and whether it had been used.

    Raises Problem for a key that came with something else, or for which there is no room.
    """
    for _ in range(MOST_TRIES):
        try:
            _, _, *found = in_turn(database, who, *calls(claim, planned))
        except UniqueViolated:
            [stored] = database.as_user(who, Call("batches/answered", claim.parameters))
        else:
            return found, False
        if stored and stored[0][0] is None:
            raise no_room(stored[0][3])
        if stored and not stored[0][0]:
            raise reused()
        if stored:
            rows = {place: msgspec.json.decode(answer) for _, place, answer, _ in stored if answer}
            return [rows.get(step.places.start, []) for step in planned], True
        # The key has become too old in this moment.
    raise Unavailable("keys become too old all the time")


def _kept(step: Step, key: str) -> Call:
    parameters = step.call.parameters | {"key": key, "place": step.places.start}
    return Call(_KEEPING[step.call.name], parameters)
