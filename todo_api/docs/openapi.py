"""The OpenAPI 3.1 document, built by apispec from the URL map and the classes that validate bodies."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec
from werkzeug.routing import Map

from todo_api.docs.about import ABOUT
from todo_api.docs.failures import ANOTHER_METHOD, another_method, failures
from todo_api.docs.headers import HEADERS
from todo_api.docs.responses import COMPONENT, reference, success
from todo_api.docs.routes import Route, routes_of
from todo_api.docs.vocabulary import REQUEST_ID, Operation, Parameter
from todo_api.web.schemas import ProblemAnswer


def document(url_map: Map, operations: Mapping[str, Operation], root: str) -> dict[str, Any]:
    """The whole document, ready for JSON. The keys of `operations` are endpoints of `url_map`.

    `root` is the path under which clients find the service, such as /todo, or "".
    """
    routes = routes_of(url_map, operations)
    spec = APISpec(
        title="Todo API",
        version=version("todo-api"),
        openapi_version="3.1.0",
        info={
            "description": ABOUT,
            "contact": {"name": "The operator of this service"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        servers=[{"url": root or "/", "description": "This server"}],
        tags=[
            {
                "name": "auth",
                "description": "How an account is opened and entered: sessions and their tokens.",
            },
            {
                "name": "accounts",
                "description": "What users may do with their own account.",
            },
            {
                "name": "sessions",
                "description": "Where the user is signed in, and the end of it.",
            },
            {"name": "events", "description": "What happened at the door of the account."},
            {"name": "export", "description": "All that is stored about the user."},
            {
                "name": "tokens",
                "description": "API tokens, with which programs act for their user.",
            },
            {"name": "tasks", "description": "The tasks of one user, for this user only."},
            {"name": "batches", "description": "Many changes of tasks at once."},
            {"name": "health", "description": "For load balancers and monitoring."},
            {
                "name": "docs",
                "description": "The documentation: pages for people, a document for programs.",
            },
        ],
    )
    spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of signup, login or a renewal.",
        },
    )
    spec.components.security_scheme(
        "api_token",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "todo_ and 60 characters of 0-9A-Za-z",
            "description": "An API token, for scripts and other programs. With the scope `read` it is "
            "refused where something would change.",
        },
    )
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    for parameter in _parameters(operations.values()):
        spec.components.parameter(parameter.key, parameter.location, _described(parameter))
    for name, schema in _schemas(operations.values()).items():
        spec.components.schema(name, schema)
    spec.components.response(ANOTHER_METHOD, another_method(routes["docs.home"]))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.values():
        paths.setdefault(route.path, {})[route.method] = _call(route, routes)
    for path, calls in paths.items():
        spec.path(path, operations=calls)
    return spec.to_dict()


def _parameters(operations: Iterable[Operation]) -> list[Parameter]:
    """Every parameter, once."""
    used = [parameter for operation in operations for parameter in operation.parameters]
    return list({parameter.key: parameter for parameter in [*used, REQUEST_ID]}.values())


def _described(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"in": parameter.location, "name": parameter.name}
    if parameter.location == "path":
        described["required"] = True
    return described | {"description": parameter.description, "schema": parameter.schema}


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """The schemas of all classes for bodies and answers, and of the classes inside them."""
    classes: list[type[msgspec.Struct]] = [ProblemAnswer]
    for operation in operations:
        kinds = [operation.body, *(answer.body for answer in operation.answers.values())]
        classes += [kind for kind in kinds if kind is not None and kind not in classes]
    _, components = msgspec.json.schema_components(classes, ref_template=COMPONENT)
    for schema in components.values():
        if (
            schema.get("required") == []
        ):  # allowed since JSON Schema's draft 5, but not all readers know
            del schema["required"]
        for member in schema.get("properties", {}).values():
            if "enum" in member:  # the tag of a class, which msgspec gives no type
                member.setdefault("type", "string")
            # Each class of the union names its own tag. Generators make wrong types of a discriminator, and
            # JSON Schema does not know it.
            member.get("items", {}).pop("discriminator", None)
    return components


def _schemes(operation: Operation) -> list[str]:
    """The kinds of tokens that a call takes."""
    api_token = ["api_token"] if operation.takes_api_tokens else []
    return ["token", *api_token] if operation.needs_token else []


def _call(route: Route, routes: Mapping[str, Route]) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": route.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [route.tag],
        "security": [{name: []} for name in _schemes(operation)],
        "parameters": [one.key for one in (*operation.parameters, REQUEST_ID)],
        "responses": {
            str(status): success(status, answer, operation, routes)
            for status, answer in operation.answers.items()
        }
        | failures(route),
    }
    if operation.body:
        examples = {name: {"value": value} for name, value in operation.body_examples.items()}
        media = {"schema": reference(operation.body), "examples": examples}
        content = dict.fromkeys(operation.body_types, media)
        described["requestBody"] = {"required": True, "content": content}
    return described
