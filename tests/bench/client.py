"""The six calls on tasks as waitress hands them to the application, without HTTP round them."""

import io
import json
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from werkzeug.test import create_environ

CALLS = ("get", "list20", "create", "update", "complete", "delete")
TASKS = 20


class WsgiClient:
    """A signed-in user of an application, with 20 tasks until a call changes that."""

    def __init__(self, app: WSGIApplication, email: str = "ann@example.com") -> None:
        self._app, self._token = app, ""
        signup = {"email": email, "password": "correct horse battery"}
        session = self.call(self.request("POST", "/api/auth/signup", signup))
        self._token = session["access_token"]
        self._path = f"/api/{session['user_id']}/tasks"
        self.tasks = [self.add(f"Buy groceries {number}") for number in range(TASKS)]

    def request(self, method: str, path: str, body: Any = None) -> WSGIEnvironment:
        """An environ as waitress makes it; good for one call."""
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"Host": "127.0.0.1:8000"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        environ = create_environ(path, method=method, headers=headers)
        more = {"REMOTE_ADDR": "127.0.0.1", "wsgi.input": io.BytesIO(raw)}
        return environ | more | {"wsgi.input_terminated": True}

    def make(self, call: str) -> WSGIEnvironment:
        """A request of the kind that `call` names, with whatever it needs to succeed."""
        match call:
            case "list20":
                return self.request("GET", self._path)
            case "create":
                return self.request("POST", self._path, {"title": "Buy bread"})
            case "update":
                body = {"title": "Buy organic groceries", "is_completed": False}
                return self.request("PUT", f"{self._path}/{self.tasks[0]}", body)
            case "complete":
                return self.request("PATCH", f"{self._path}/{self.add()}/complete")
            case "delete":
                return self.request("DELETE", f"{self._path}/{self.add()}")
            case _:
                return self.request("GET", f"{self._path}/{self.tasks[0]}")

    def add(self, title: str = "Buy oat milk") -> str:
        """The id of a new task."""
        task = self.call(self.request("POST", self._path, {"title": title}))
        return str(task["id"])

    def call(self, request: WSGIEnvironment) -> Any:
        """What is in `data` of the answer, which has to be a success."""
        status, body = send(self._app, request)
        assert status[0] == "2", (status, body)
        return json.loads(body)["data"] if body else None


def send(app: WSGIApplication, request: WSGIEnvironment) -> tuple[str, bytes]:
    """Status and body, with as little of our own round the application as there can be."""
    answered: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], Any]:
        answered.append(status)
        return lambda data: None

    parts = app(request, start_response)
    body = b"".join(parts)
    close = getattr(parts, "close", None)
    if close:
        close()
    return answered[0], body
