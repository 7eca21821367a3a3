"""A client that sends a create again until it is answered, whatever happens on the way."""

import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from support.live_service import LiveService, LiveUser

_PATIENCE_S = 120  # for one task
_ANSWER_S = 10
_PAUSE_S = 0.02  # before the next try
_GIVES_UP = 0.1  # how often it does not wait for the answer


@dataclass
class Retrying:
    """A user's client; `made` has the id that each title was answered with."""

    service: LiveService
    user: LiveUser
    with_key: bool
    made: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    replays: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.user.id)

    def create_until(self, done: threading.Event) -> None:
        """Create tasks, one after the other; the last one is answered too."""
        while not done.is_set():
            title = f"task {len(self.made)}"
            headers = {"Content-Type": "application/json"}
            headers["Authorization"] = f"Bearer {self.user.token}"
            if self.with_key:
                headers["Idempotency-Key"] = str(uuid.uuid4())
            deadline = time.monotonic() + _PATIENCE_S
            while (answer := self._send({"title": title}, headers)) is None:
                assert time.monotonic() < deadline, f"{title}: not within {_PATIENCE_S} s"
                self.retries += 1
                time.sleep(_PAUSE_S)
            self.made[title] = answer["data"]["id"]

    def _send(self, body: Any, headers: dict[str, str]) -> Any:
        """The answer; None when there is none, or a 503: then it can't be told what was done."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=_ANSWER_S)
        try:
            connection.request("POST", self.user.tasks, json.dumps(body), headers)
            if self._random.random() < _GIVES_UP:
                return None
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        self.service.scan.answer(str(response.headers), content)
        if response.status == 503:
            return None
        assert response.status == 201, (response.status, content)
        self.replays += response.headers["Idempotent-Replayed"] == "true"
        return json.loads(content)
