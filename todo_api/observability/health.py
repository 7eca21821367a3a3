"""Health checks for load balancers and operators: is the process alive, and can it serve?"""

import logging
from http import HTTPStatus

import msgspec
from flask import Blueprint

from todo_api.database.calls import Call, StatementFailed, Unavailable
from todo_api.observability.schemas import Health
from todo_api.upkeep.migration_files import shipped_checksums
from todo_api.web.current import database
from todo_api.web.problems import RETRY_AFTER_S
from todo_api.web.response import Response

logger = logging.getLogger("todo_api.health")

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Response:
    """200 while the process runs."""
    return _answer(Health(status="ok"))


@health.get("/ready")
def ready() -> Response:
    """200 when the database answers and has every migration of this version; it may have newer ones too."""
    try:
        [applied] = database().before_sign_in(Call("before_sign_in/applied_migrations"))
    except Unavailable:
        return _answer(Health(status="unavailable"))
    except StatementFailed as failure:  # a right or a role is gone
        logger.error("not ready: %s", failure)
        return _answer(Health(status="unavailable"))
    if shipped_checksums().keys() - {migration_id for migration_id, _ in applied}:
        return _answer(Health(status="unavailable"))
    return _answer(Health(status="ok"))


def _answer(state: Health) -> Response:
    if state.status == "ok":
        return Response(msgspec.json.encode(state), content_type="application/json")
    return Response(
        msgspec.json.encode(state),
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"Retry-After": str(RETRY_AFTER_S)},
        content_type="application/json",
    )
