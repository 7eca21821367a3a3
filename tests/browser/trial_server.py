"""A stand-in for the service: the documentation pages, their files and an API kept in memory.

    python tests/browser/trial_server.py

serves it on a free port for a look in a browser. It has the contract's shapes and none of its
strictness: it is there to try the pages without a database.
"""

import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, redirect, request, send_from_directory
from werkzeug.serving import make_server

STATIC = Path(__file__).resolve().parents[2] / "todo_api" / "static"

SWAGGER_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'"
)
REDOC_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' "
    # ReDoc's two kinds of inline style: an empty element that its script fills rule by rule, and
    # the style sheet of its scroll bars
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; "
    "img-src 'self' data:; worker-src blob:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _envelope(data: dict[str, Any], **meta: dict[str, Any]) -> dict[str, Any]:
    return _object(
        data=data,
        meta=_object(
            timestamp={"type": "string", "format": "date-time"},
            request_id={"type": "string"},
            **meta,
        ),
    )


def _operation(tag: str, name: str, summary: str, **rest: Any) -> dict[str, Any]:
    responses = rest.pop("responses") | {
        "default": {
            "description": "Refused: see [the error codes](/problems).",
            "content": {"application/problem+json": {"schema": _reference("Problem")}},
        }
    }
    return {"tags": [tag], "operationId": name, "summary": summary, "responses": responses} | rest


def _body(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _reference(schema)}}}


def openapi() -> dict[str, Any]:
    """The stand-in's OpenAPI document."""
    uid = {"type": "string", "format": "uuid"}
    time = {"type": "string", "format": "date-time"}
    user = {"name": "user_id", "in": "path", "required": True, "schema": uid}
    task = {"name": "id", "in": "path", "required": True, "schema": uid}
    bearer: dict[str, Any] = {"security": [{"bearer": []}]}
    tokens = _json("Signed in", _envelope(_reference("Tokens")))
    one = _json("The task", _envelope(_reference("Task")))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Todo API",
            "version": "0.1.0",
            "summary": "A secure multi-user task service",
            "description": "Sign up, put the access token into **Authorize**, create a task.\n\n"
            "## Errors\nEvery failure is an RFC 9457 problem; the codes are listed under "
            "[problems](/problems).\n\n| status | code |\n|---|---|\n| 401 | `unauthorized` |\n",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "Accounts", "description": "Sign up, sign in, sign out"},
            {"name": "Tasks", "description": "A user's own tasks"},
        ],
        "paths": {
            "/api/auth/signup": {
                "post": _operation(
                    "Accounts",
                    "signup",
                    "Sign up",
                    requestBody=_body("Credentials"),
                    responses={"201": tokens},
                )
            },
            "/api/auth/login": {
                "post": _operation(
                    "Accounts",
                    "login",
                    "Sign in",
                    requestBody=_body("Credentials"),
                    responses={"200": tokens},
                )
            },
            "/api/{user_id}/tasks": {
                "parameters": [user],
                "get": _operation(
                    "Tasks",
                    "listTasks",
                    "List the tasks, newest first",
                    responses={
                        "200": _json(
                            "The tasks",
                            _envelope(
                                {"type": "array", "items": _reference("Task")},
                                count={"type": "integer", "minimum": 0},
                            ),
                        )
                    },
                    **bearer,
                ),
                "post": _operation(
                    "Tasks",
                    "createTask",
                    "Create a task",
                    requestBody=_body("NewTask"),
                    responses={"201": one},
                    **bearer,
                ),
            },
            "/api/{user_id}/tasks/{id}": {
                "parameters": [user, task],
                "delete": _operation(
                    "Tasks",
                    "deleteTask",
                    "Delete a task",
                    responses={"204": {"description": "Deleted"}},
                    **bearer,
                ),
            },
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "schemas": {
                "Credentials": _object(
                    email={"type": "string", "maxLength": 254, "examples": ["ada@example.org"]},
                    password={"type": "string", "minLength": 8, "maxLength": 1024},
                ),
                "Tokens": _object(
                    user_id=uid,
                    email={"type": "string"},
                    access_token={"type": "string"},
                    token_type={"const": "Bearer"},
                    expires_in={"type": "integer", "examples": [86400]},
                ),
                "NewTask": _object(
                    title={
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 500,
                        "examples": ["Water the plants"],
                    }
                ),
                "Task": _object(
                    id=uid,
                    user_id=uid,
                    title={"type": "string"},
                    is_completed={"type": "boolean"},
                    completed_at={"type": ["string", "null"], "format": "date-time"},
                    created_at=time,
                    updated_at=time,
                ),
                "Problem": _object(
                    type={"type": "string", "format": "uri-reference"},
                    title={"type": "string"},
                    status={"type": "integer"},
                    detail={"type": "string"},
                    code={"type": "string"},
                ),
            },
        },
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _answer(data: object, status: int) -> tuple[dict[str, object], int]:
    return {"data": data, "meta": {"timestamp": _now(), "request_id": str(uuid.uuid4())}}, status


def _problem(status: int, code: str) -> Response:
    problem = {"type": f"/problems#{code}", "title": code, "status": status, "code": code}
    response = Flask.response_class(Flask.json_provider_class(Flask("p")).dumps(problem), status)
    response.mimetype = "application/problem+json"
    return response


def create_app() -> Flask:
    """The stand-in service."""
    app = Flask("trial", static_folder=None)
    accounts: dict[str, str] = {}
    owners: dict[str, str] = {}

    @app.get("/")
    def home() -> Any:
        return redirect("/docs")

    @app.get("/docs")
    def docs() -> Any:
        response = send_from_directory(STATIC, "docs.html")
        response.headers["Content-Security-Policy"] = SWAGGER_CSP
        return response

    @app.get("/redoc")
    def redoc() -> Any:
        response = send_from_directory(STATIC, "redoc.html")
        response.headers["Content-Security-Policy"] = REDOC_CSP
        return response

    @app.get("/problems")
    def problems() -> Any:
        return "<!doctype html><title>Errors</title>"

    @app.get("/static/<path:name>")
    def static_file(name: str) -> Any:
        response = send_from_directory(STATIC, name)
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response

    @app.get("/openapi.json")
    def document() -> Any:
        return openapi()

    @app.post("/api/auth/signup")
    def signup() -> Any:
        email = request.get_json()["email"]
        if email in accounts:
            return _problem(409, "email-taken")
        user_id, token = str(uuid.uuid4()), uuid.uuid4().hex
        accounts[email], owners[token] = user_id, user_id
        return _answer(
            {
                "user_id": user_id,
                "email": email,
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": 86400,
            },
            201,
        )

    @app.post("/api/<user_id>/tasks")
    def create_task(user_id: str) -> Any:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in owners:
            return _problem(401, "unauthorized")
        if owners[token] != user_id:
            return _problem(403, "forbidden")
        now = _now()
        return _answer(
            {
                "id": str(uuid.uuid4()),
                "user_id": user_id,
                "title": request.get_json()["title"],
                "is_completed": False,
                "completed_at": None,
                "created_at": now,
                "updated_at": now,
            },
            201,
        )

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return app


@contextmanager
def running() -> Iterator[str]:
    """Serve the stand-in on a free loopback port and yield its URL."""
    server = make_server("127.0.0.1", 0, create_app(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with running() as url:
        sys.stdout.write(f"{url}/docs\n")
        sys.stdout.flush()
        threading.Event().wait()
