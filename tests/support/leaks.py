"""Looks for what no answer and no log line may hold: secrets, tokens, SQL, tracebacks."""

import json
import re
from collections.abc import Container, Iterator
from typing import Any

_TELL_TALES = {
    "a traceback": re.compile(r"Traceback \(most recent|File \"[^\"]+\", line \d"),
    "SQL": re.compile(
        r"\bSELECT\s.+\sFROM\b|\bINSERT INTO\b|\bUPDATE \w+ SET\b|\bDELETE FROM\b|/\* \w+/\w+ \*/",
        re.DOTALL,
    ),
    "words of the database": re.compile(r"SQLSTATE|LINE \d+:|(relation|constraint) \""),
    "a password's hash": re.compile(r"\$2[aby]\$\d\d\$"),
    "a token": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),
    "an API token": re.compile(r"todo_[rw][0-9A-Za-z]{20,}"),
}
# Members in which a client gets its own words back, or the token that it asked for.
_OWN_WORDS = {
    "title",
    "notes",
    "tags",
    "email",
    "access_token",
    "token",
    "name",
    "instance",
    "field",
}


class Scan:
    """Texts that have left the service, and what was found in them."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = set(secrets)
        self.private: set[str] = set()  # what users write: for them, and in no line of the log
        self.texts = 0
        self.found: list[str] = []

    def log_line(self, line: str) -> None:
        """Look through a line of the log; each has to be a JSON object."""
        try:
            text = "\n".join(_strings(json.loads(line)))
            self._look("log", text)
            self.found += [f"log: a user's words: {one!r}" for one in self.private if one in text]
        except ValueError:
            self.found.append(f"log: not JSON: {line[:200]}")

    def answer(self, headers: str, body: bytes) -> None:
        """Look through an answer. What a client sent stands in its own members of the body only."""
        self._look("headers", headers)
        try:
            text = "\n".join(_strings(json.loads(body), _OWN_WORDS))
        except ValueError:
            text = body.decode("utf-8", "replace")
        self._look("body", text)

    def _look(self, where: str, text: str) -> None:
        self.texts += 1
        for what, pattern in _TELL_TALES.items():
            if match := pattern.search(text):
                around = text[max(0, match.start() - 60) : match.end() + 60]
                self.found.append(f"{where}: {what}: {around!r}")
        self.found += [f"{where}: a secret: {one!r}" for one in list(self.secrets) if one in text]


def _strings(value: Any, own_words: Container[str] = ()) -> Iterator[str]:
    """All strings in a JSON value, names too, but for a client's own words."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            if name not in own_words:
                yield from _strings(member, own_words)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, own_words)
    elif isinstance(value, str):
        yield value
