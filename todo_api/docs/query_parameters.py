"""Describes the parameters that a call reads from its query."""

from collections.abc import Iterable

from todo_api.docs.vocabulary import Parameter
from todo_api.web.query import QueryParameter


def of_query(
    parameters: Iterable[QueryParameter], component: str = "{name}"
) -> tuple[Parameter, ...]:
    """The parameters that a call reads from its query."""
    return tuple(
        Parameter(
            name=one.name,
            location="query",
            description=one.description,
            schema=one.schema,
            component=component.format(name=one.name),
        )
        for one in parameters
    )
