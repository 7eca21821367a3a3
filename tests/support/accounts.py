"""Accounts of an application in the process of the tests, used through Flask's test client."""

from typing import Any

import jwt
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Account:
    """A user as a client has it: an id, a token, and calls that carry the token."""

    def __init__(self, client: FlaskClient, email: str, password: str) -> None:
        self.client, self.email, self.password = client, email, password
        answer = client.post("/api/auth/signup", json={"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json["data"]["user_id"]
        self.token: str = answer.json["data"]["access_token"]
        self.tasks = f"/api/{self.id}/tasks"

    @property
    def session_id(self) -> str:
        """The session of the token."""
        return str(jwt.decode(self.token, options={"verify_signature": False})["jti"])

    def call(self, method: str, path: str, **rest: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **rest.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **rest)

    def get(self, path: str, **rest: Any) -> TestResponse:
        return self.call("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> TestResponse:
        return self.call("POST", path, **rest)

    def put(self, path: str, **rest: Any) -> TestResponse:
        return self.call("PUT", path, **rest)

    def patch(self, path: str, **rest: Any) -> TestResponse:
        return self.call("PATCH", path, **rest)

    def delete(self, path: str, **rest: Any) -> TestResponse:
        return self.call("DELETE", path, **rest)

    def add(self, title: str = "Buy oat milk") -> dict[str, Any]:
        """A new task, as the API answers it."""
        answer = self.post(self.tasks, json={"title": title})
        assert answer.status_code == 201, answer.text
        return answer.json["data"]

    def path_of(self, task: dict[str, Any]) -> str:
        return f"{self.tasks}/{task['id']}"
