"""The failures of a call, as the OpenAPI document describes them."""

from typing import Any

from todo_api.docs.headers import EXAMPLE_REQUEST_ID
from todo_api.docs.responses import headers_of, reference
from todo_api.docs.routes import Route
from todo_api.docs.vocabulary import EVERY_CALL, EVERY_CALL_BUT_HEALTH
from todo_api.web.problem_codes import CODES
from todo_api.web.problems import MEDIA_TYPE
from todo_api.web.schemas import ProblemAnswer

# Of any path, for another method than those it knows. No call can give it; OpenAPI has no better place for
# it than the components and the answer `default` of a call that has no answer 2xx.
ANOTHER_METHOD = "method-not-allowed"


def failures(route: Route) -> dict[str, Any]:
    """The answers of a call that fails, by status."""
    codes = (*route.operation.problems, *EVERY_CALL)
    if route.tag != "health":
        codes += EVERY_CALL_BUT_HEALTH
    statuses = sorted({CODES[code].status for code in codes})
    described = {
        str(status): _failure(route, [code for code in codes if CODES[code].status == status])
        for status in statuses
    }
    if not any(status < 300 for status in route.operation.answers):
        described["default"] = {"$ref": f"#/components/responses/{ANOTHER_METHOD}"}
    return described


def another_method(route: Route) -> dict[str, Any]:
    """What the path of this call answers to another method."""
    return _failure(route, [ANOTHER_METHOD])


def _failure(route: Route, codes: list[str]) -> dict[str, Any]:
    """A failure with one of these codes, all of which have the same status."""
    examples = {code: {"value": _problem(code, route)} for code in codes}
    return {
        "description": " · ".join(CODES[code].title for code in codes),
        "headers": headers_of(CODES[codes[0]].status, limited=route.operation.limited),
        "content": {MEDIA_TYPE: {"schema": reference(ProblemAnswer), "examples": examples}},
    }


def _problem(code: str, route: Route) -> dict[str, Any]:
    example = {
        "type": f"/problems#{code}",
        "title": CODES[code].title,
        "status": CODES[code].status,
        "detail": CODES[code].detail,
        "instance": route.example_path,
        "code": code,
        "request_id": EXAMPLE_REQUEST_ID,
    }
    if code == "validation-error":
        example["errors"] = [_wrong(route)]
    if code == "idempotency-key-reused":
        example["errors"] = [
            {"field": "Idempotency-Key", "message": "was sent with another body before"}
        ]
    return example


def _wrong(route: Route) -> dict[str, str]:
    """One thing that can be wrong: with a field of the body, or with a parameter of the query."""
    if body := route.operation.body:
        return {"field": body.__struct_fields__[0], "message": "is required"}
    query = [one.name for one in route.operation.parameters if one.location == "query"]
    return {"field": query[0], "message": "must be given once"}
