"""Looks through all that applications in the process of the tests answer and log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, request, request_finished
from werkzeug.wrappers import Response

from support.credentials import PASSWORD
from support.leaks import Scan
from todo_api.observability.logs import JsonFormatter

texts = 0  # looked through so far


class _Lines(logging.Handler):
    """Log lines as the service writes them."""

    def __init__(self, scan: Scan) -> None:
        super().__init__()
        self._scan = scan
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._scan.log_line(self.format(record))


@contextmanager
def watching(*secrets: str) -> Iterator[Scan]:
    """Look through what is answered and logged within the block."""
    global texts
    scan = Scan(*secrets, PASSWORD)
    lines, root, own = _Lines(scan), logging.getLogger(), logging.getLogger("todo_api")
    level = own.level

    def finished(sender: Flask, response: Response, **_: Any) -> None:
        # The documentation is the same for everybody, and the example in it logs in with that password.
        documentation = (request.endpoint or "").startswith("docs.")
        scan.answer(str(response.headers), b"{}" if documentation else response.get_data())

    root.addHandler(lines)
    own.setLevel(logging.INFO)
    try:
        with request_finished.connected_to(finished):
            yield scan
    finally:
        own.setLevel(level)
        root.removeHandler(lines)
        texts += scan.texts


def had_a_bug(scan: Scan) -> None:
    """The bug that a test provoked was logged with its traceback, as it has to be; nothing else was found."""
    [found] = scan.found
    assert found.startswith("log: a traceback: "), found
    scan.found.clear()
