"""The health checks, described for the OpenAPI document."""

from todo_api.docs.vocabulary import JSON, Answer, Operation
from todo_api.observability.schemas import Health


def _health(status: str, description: str) -> Answer:
    return Answer(
        description=description, body=Health, media_types=(JSON,), example={"status": status}
    )


OPERATIONS = {
    "health.live": Operation(
        summary="Whether the process runs",
        description="Asks nobody, not even the database.",
        answers={200: _health("ok", "It runs.")},
    ),
    "health.ready": Operation(
        summary="Whether it can serve",
        description="The database answers, and its schema is up to date.",
        answers={
            200: _health("ok", "It can."),
            503: _health("unavailable", "Not now."),
        },
    ),
}
