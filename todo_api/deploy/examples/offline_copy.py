"""Keeps a copy of a user's tasks that can be read and changed without a connection.

A whole example for "Keep an offline copy" in the API's description, with nothing but the standard library.
"""

import json
import re
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any

BATCH_OPERATIONS, BATCH_BYTES = 100, 500_000  # what one batch may have; its bytes with some room


class OfflineCopy:
    """The copy, and the changes that wait to be sent, in one JSON file."""

    def __init__(self, url: str, user_id: str, token: str, file: Path) -> None:
        """`token` is an API token with the scope `write`; `file` need not be there yet."""
        self._url, self._token, self._file = f"{url}/api/{user_id}", token, file
        self._state: dict[str, Any] = {"since": 0, "tasks": {}, "waiting": [], "sent": None}
        self._state["refused"] = []
        if file.exists():
            self._state |= json.loads(file.read_text("utf-8"))

    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks by id, with the changes that the server has not confirmed yet."""
        seen = {task_id: dict(task) for task_id, task in self._state["tasks"].items()}
        for operation in self._unconfirmed():
            kind, task_id, fields = operation["op"], operation["id"], dict(operation)
            del fields["op"]
            if kind == "delete":
                seen.pop(task_id, None)
            elif kind == "complete":
                seen.get(task_id, {})["is_completed"] = True
            elif kind == "create" or task_id in seen:
                seen[task_id] = seen.get(task_id, {}) | fields
        return seen

    def create(self, **fields: Any) -> str:
        """Add a task, now; returns its id. The client chooses the id, so it can be sent again."""
        task_id = str(uuid.uuid4())
        self._wait({"op": "create", "id": task_id, **fields})
        return task_id

    def update(self, task_id: str, **fields: Any) -> None:
        """Change fields of a task, now."""
        self._wait({"op": "update", "id": task_id, **fields, **self._revision(task_id)})

    def complete(self, task_id: str) -> None:
        """Complete a task, now."""
        self._wait({"op": "complete", "id": task_id})

    def delete(self, task_id: str) -> None:
        """Delete a task, now."""
        self._wait({"op": "delete", "id": task_id, **self._revision(task_id)})

    def sync(self) -> list[tuple[dict[str, Any], str]]:
        """Send what waits, then fetch what is new. Returns the refused operations with their codes.

        Raises OSError without a connection and HTTPError for a refusal: call it again later. What was sent
        and not confirmed is sent again as it was, with its key, so within 24 hours it is done once. Later the
        server has forgotten the key, and judges anew what it did then. A change or a deletion is refused: its
        task has changed or gone. A create finds its task, or is refused if that was deleted in the last
        30 days. A completion is done again.
        """
        self._push()
        self._pull()
        refused = [(operation, code) for operation, code in self._state["refused"]]
        self._state["refused"] = []
        self._save()
        return refused

    def _push(self) -> None:
        while self._state["sent"] or self._state["waiting"]:
            if not self._state["sent"]:
                self._send_next(self._next_batch())
            sent = self._state["sent"]
            body = {"operations": sent["operations"]}
            try:
                answer = self._ask("/tasks/batch", body, {"Idempotency-Key": sent["key"]})
            except urllib.error.HTTPError as error:
                self._take_out_wrong(error)
                continue
            for operation, result in zip(sent["operations"], answer["data"], strict=True):
                if result["status"] in (200, 201):
                    self._confirm(result["task"])
                elif result["status"] == 204:
                    self._state["tasks"].pop(operation["id"], None)
                else:  # such as revision-conflict: somebody was faster, and the pull brings their version
                    self._refuse(operation, result["code"])
            self._send_next([])

    def _send_next(self, operations: list[dict[str, Any]]) -> None:
        """Keep the batch before it is sent: after a crash the key must be the same."""
        sent = {"key": str(uuid.uuid4()), "operations": operations}
        self._state["sent"] = sent if operations else None
        self._save()

    def _take_out_wrong(self, error: urllib.error.HTTPError) -> None:
        """Refuse what a 422 names, such as `operations[3].title`, or what is too large by itself."""
        operations, code, wrong = self._state["sent"]["operations"], "payload-too-large", set()
        if error.code == HTTPStatus.UNPROCESSABLE_ENTITY:
            problem = json.load(error)
            code, fields = problem["code"], [one["field"] for one in problem.get("errors", [])]
            wrong = {
                int(place) for place in re.findall(r"^operations\[(\d+)\]", "\n".join(fields), re.M)
            }
        elif error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and len(operations) == 1:
            wrong = {0}
        if not wrong:
            raise error
        for place in sorted(wrong):
            self._refuse(operations[place], code)
        self._send_next([one for place, one in enumerate(operations) if place not in wrong])

    def _pull(self) -> None:
        since, tasks = self._state["since"], dict(self._state["tasks"])
        while True:
            try:
                answer = self._ask(f"/changes?since={since}")
            except urllib.error.HTTPError as error:
                if error.code != 410 or not since:
                    raise
                since, tasks = 0, {}  # too old: start over; what waits to be sent stays
                continue
            tasks |= {task["id"]: task for task in answer["data"]["tasks"]}
            for gone in answer["data"]["deleted"]:
                tasks.pop(gone["id"], None)
            since = answer["meta"]["revision"]
            if not answer["meta"]["has_more"]:
                break
        self._state |= {"since": since, "tasks": tasks}
        self._save()

    def _next_batch(self) -> list[dict[str, Any]]:
        """Take the oldest waiting changes, one of each task: the next one needs the revision of the first."""
        waiting, ids, size = self._state["waiting"], set(), 0
        batch: list[dict[str, Any]] = []
        while waiting and len(batch) < BATCH_OPERATIONS and waiting[0]["id"] not in ids:
            size += len(json.dumps(waiting[0])) + 2
            if batch and size > BATCH_BYTES:
                break
            ids.add(waiting[0]["id"])
            batch.append(waiting.pop(0))
        return batch

    def _refuse(self, operation: dict[str, Any], code: str) -> None:
        """Take out a change, and what was to follow on it; kept until a whole `sync` can tell."""
        waiting, task_id = self._state["waiting"], operation["id"]
        self._state["waiting"] = [one for one in waiting if one["id"] != task_id]
        later = [one for one in waiting if one["id"] == task_id]
        self._state["refused"] += [(one, code) for one in (operation, *later)]

    def _confirm(self, task: dict[str, Any]) -> None:
        self._state["tasks"][task["id"]] = task
        for later in self._state["waiting"]:
            if later["id"] == task["id"] and later["op"] in ("update", "delete"):
                later["if_revision"] = task["revision"]

    def _revision(self, task_id: str) -> dict[str, int]:
        """The revision that the user has seen; none while an earlier change of the task is unconfirmed."""
        known = self._state["tasks"].get(task_id)
        if known and all(one["id"] != task_id for one in self._unconfirmed()):
            return {"if_revision": known["revision"]}
        return {}

    def _unconfirmed(self) -> list[dict[str, Any]]:
        return [*(self._state["sent"] or {"operations": []})["operations"], *self._state["waiting"]]

    def _wait(self, operation: dict[str, Any]) -> None:
        self._state["waiting"].append(operation)
        self._save()

    def _save(self) -> None:
        """Replace the file at once, so that a crash leaves the old one or the new one."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._state), "utf-8")
        fresh.replace(self._file)

    def _ask(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers or {})  # noqa: S310 (the user's own)
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
