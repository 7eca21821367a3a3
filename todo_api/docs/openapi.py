"""The OpenAPI 3.1 document, built by apispec from the URL map and the classes that validate bodies."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec
from werkzeug.routing import Map

from todo_api.docs.headers import HEADERS
from todo_api.docs.responses import COMPONENT, failure, reference, success
from todo_api.docs.routes import Route, routes_of
from todo_api.docs.vocabulary import (
    EVERY_CALL,
    EVERY_CALL_BUT_HEALTH,
    REQUEST_ID,
    Operation,
    Parameter,
)
from todo_api.web.problem_codes import CODES
from todo_api.web.schemas import ProblemAnswer

_ABOUT = """\
Tasks for many users, each of whom sees only their own.

Sign up, take the `access_token` and the `user_id` of the answer, press **Authorize**, and go on to the tasks.
Every failure is a problem document; [the error codes](problems) say what to do about each. A method that
a path does not know is answered 405, with the methods that it knows in `Allow`. A `GET` can be a `HEAD` too.
Unknown query parameters are ignored, and so is the body of a call that takes none.
"""


def document(url_map: Map, operations: Mapping[str, Operation], root: str) -> dict[str, Any]:
    """The whole document, ready for JSON. The keys of `operations` are endpoints of `url_map`.

    `root` is the path under which clients find the service, such as /todo, or "".
    """
    routes = routes_of(url_map, operations)
    spec = APISpec(
        title="Todo API",
        version=version("todo-api"),
        openapi_version="3.1.0",
        info={"description": _ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": root or "/", "description": "This server"}],
        tags=[
            {"name": "auth", "description": "Accounts and sessions"},
            {"name": "tasks", "description": "The tasks of one user, for this user only"},
            {"name": "health", "description": "For load balancers and monitoring"},
            {"name": "docs", "description": "These pages"},
        ],
    )
    spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of signup or login.",
        },
    )
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    for parameter in _parameters(operations.values()):
        spec.components.parameter(parameter.name, parameter.location, _described(parameter))
    for name, schema in _schemas(operations.values()).items():
        spec.components.schema(name, schema)
    for code in CODES:  # also method-not-allowed, which no operation lists
        spec.components.response(code, failure(CODES[code].status, [code]))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.values():
        paths.setdefault(route.path, {})[route.method] = _call(route, routes)
    for path, calls in paths.items():
        spec.path(path, operations=calls)
    return spec.to_dict()


def _parameters(operations: Iterable[Operation]) -> list[Parameter]:
    """Every parameter, once."""
    used = [parameter for operation in operations for parameter in operation.parameters]
    return list({parameter.name: parameter for parameter in [*used, REQUEST_ID]}.values())


def _described(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"in": parameter.location}
    if parameter.location == "path":
        described["required"] = True
    described |= {"description": parameter.description, "schema": parameter.schema}
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """The schemas of all classes for bodies and answers, and of the classes inside them."""
    classes: list[type[msgspec.Struct]] = [ProblemAnswer]
    for operation in operations:
        kinds = [operation.body, *(answer.body for answer in operation.answers.values())]
        classes += [kind for kind in kinds if kind is not None and kind not in classes]
    _, components = msgspec.json.schema_components(classes, ref_template=COMPONENT)
    return components


def _call(route: Route, routes: Mapping[str, Route]) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": route.id,
        "summary": operation.summary,
        "tags": [route.tag],
        "security": [{"token": []}] if operation.needs_token else [],
        "parameters": [one.name for one in (*operation.parameters, REQUEST_ID)],
        "responses": {
            str(status): success(status, answer, operation, routes)
            for status, answer in operation.answers.items()
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body:
        examples = {name: {"value": value} for name, value in operation.body_examples.items()}
        media = {"schema": reference(operation.body), "examples": examples}
        content = dict.fromkeys(operation.body_types, media)
        described["requestBody"] = {"required": True, "content": content}
    codes = (*operation.problems, *EVERY_CALL)
    if route.tag != "health":
        codes += EVERY_CALL_BUT_HEALTH
    for status in sorted({CODES[code].status for code in codes}):
        named = [code for code in codes if CODES[code].status == status]
        described["responses"][str(status)] = (
            {"$ref": f"#/components/responses/{named[0]}"}
            if len(named) == 1 and not operation.limited
            else failure(status, named, limited=operation.limited)
        )
    return described
