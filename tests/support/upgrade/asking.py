"""One connection to the service, whose every request is kept in the record."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from support.upgrade.record import Record

PATIENCE_S = 60


@dataclass(frozen=True)
class Answer:
    """What came back; `data` is None where there is no body."""

    status: int
    headers: http.client.HTTPMessage
    body: Any

    @property
    def data(self) -> Any:
        return self.body["data"]


class Unanswered(Exception):
    """A request failed: it may have been done, or not."""


class Asking:
    """A connection that is kept alive, and made again when it is gone."""

    def __init__(self, connect: Callable[[], Any], host: str, record: Record) -> None:
        self._connect, self._host, self._record = connect, host, record
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        expected: tuple[int, ...] = (200,),
        **headers: str,
    ) -> Answer:
        """The answer, with one of the statuses that are expected. Raises Unanswered."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        text = None if body is None else json.dumps(body).encode()
        phase, began = self._record.now, time.monotonic()
        try:
            answer = self._exchange(method, path, text, sent)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._record.failed(phase, type(error).__name__, time.monotonic() - began)
            raise Unanswered from error
        took = time.monotonic() - began
        if answer.status not in expected:
            code = answer.body.get("code") if isinstance(answer.body, dict) else None
            what = f"{method} {answer.status} {code or ''}".strip()
            self._record.failed(phase, what, took)
            raise Unanswered(what)
        self._record.answered(phase, took)
        return answer

    def _exchange(self, method: str, path: str, text: bytes | None, sent: dict[str, str]) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)
            self._connection.sock = self._connect()
        self._connection.request(method, path, text, sent)
        response = self._connection.getresponse()
        content = response.read()
        if response.will_close:
            self.close()
        try:
            body = json.loads(content) if content else None
        except ValueError:
            body = content.decode(errors="replace")
        return Answer(response.status, response.headers, body)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None
