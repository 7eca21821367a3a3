"""The answer of the health checks, as the class that becomes JSON and that OpenAPI shows."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Health(Struct):
    """The state of the service."""

    status: Annotated[Literal["ok", "unavailable"], Meta(extra_json_schema={"type": "string"})]
