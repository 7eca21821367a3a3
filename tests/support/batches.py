"""Batches as a client sends them."""

import uuid
from typing import Any

from werkzeug.test import TestResponse

from support.accounts import Account


def send(who: Account, *operations: Any, **rest: Any) -> TestResponse:
    """A batch of these operations."""
    return who.post(f"{who.tasks}/batch", json={"operations": operations}, **rest)


def results(who: Account, *operations: Any) -> list[dict[str, Any]]:
    """What became of each operation of a batch that is taken."""
    answer = send(who, *operations)
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"data", "meta"}
    assert answer.json["meta"].keys() == {"timestamp", "request_id"}
    assert len(answer.json["data"]) == len(operations)
    return answer.json["data"]


def create(title: str = "Buy oat milk", **fields: Any) -> dict[str, Any]:
    return {"op": "create", "title": title, **fields}


def update(task_id: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update", "id": task_id, **fields}


def complete(task_id: str) -> dict[str, Any]:
    return {"op": "complete", "id": task_id}


def delete(task_id: str, **fields: Any) -> dict[str, Any]:
    return {"op": "delete", "id": task_id, **fields}


def new_id() -> str:
    return str(uuid.uuid4())
