"""The method, path, id and tag of each described call, found in the URL map by its endpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.routing import Map

from todo_api.docs.vocabulary import Operation


@dataclass(frozen=True)
class Route:
    """A described call with its method and path from the URL map."""

    endpoint: str
    method: str
    path: str
    operation: Operation

    @property
    def id(self) -> str:
        """The view's name in camel case, as client generators expect it: getTask for tasks.get_task."""
        first, *others = self.endpoint.rpartition(".")[2].split("_")
        return first + "".join(map(str.capitalize, others))

    @property
    def example_path(self) -> str:
        """The path with example values in the places of its parameters."""
        values = {one.name: one.in_paths for one in self.operation.parameters if one.in_paths}
        return self.path.format_map(values)

    @property
    def tag(self) -> str:
        return self.operation.tag or self.endpoint.partition(".")[0]


def routes_of(url_map: Map, operations: Mapping[str, Operation]) -> dict[str, Route]:
    """Each operation's route, by endpoint. Raises ValueError if `url_map` has none, or more than one."""
    return {endpoint: _route(url_map, endpoint, one) for endpoint, one in operations.items()}


def _route(url_map: Map, endpoint: str, operation: Operation) -> Route:
    [rule] = url_map.iter_rules(endpoint)
    [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    return Route(endpoint, method.lower(), path, operation)
