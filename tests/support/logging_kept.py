"""Logging, which a command sets up for its process, as it was before."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

QUIETED = ("yoyo", "flask-limiter", "psycopg", "psycopg.pool", "waitress.queue")
_LOGGERS = (None, "todo_api", "py.warnings", *QUIETED)


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Take back what the block did to handlers and levels. It begins without handlers."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in _LOGGERS}
    root.handlers = []  # pytest's own must not be closed
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
