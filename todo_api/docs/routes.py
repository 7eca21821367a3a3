"""The described calls where the URL map has them: method, path, id and tag, by the call's endpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.routing import Map

from todo_api.docs.vocabulary import Operation


@dataclass(frozen=True)
class Route:
    """A call where the URL map has it."""

    endpoint: str
    method: str
    path: str
    operation: Operation

    @property
    def id(self) -> str:
        """The view's name, in the spelling that generators of clients expect: tasks.get_task is getTask."""
        first, *others = self.endpoint.rpartition(".")[2].split("_")
        return first + "".join(map(str.capitalize, others))

    @property
    def tag(self) -> str:
        return self.endpoint.partition(".")[0]


def routes_of(url_map: Map, operations: Mapping[str, Operation]) -> dict[str, Route]:
    """Each operation's route, by its endpoint. Raises ValueError where `url_map` has no single one."""
    return {endpoint: _route(url_map, endpoint, one) for endpoint, one in operations.items()}


def _route(url_map: Map, endpoint: str, operation: Operation) -> Route:
    [rule] = url_map.iter_rules(endpoint)
    [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    return Route(endpoint, method.lower(), path, operation)
