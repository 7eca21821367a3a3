"""The answer of the health checks, as the class that becomes JSON and that OpenAPI shows."""

from typing import Literal

from msgspec import Struct


class Health(Struct):
    """The state of the service."""

    status: Literal["ok", "unavailable"]
