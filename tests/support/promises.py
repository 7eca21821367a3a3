"""What CHANGELOG.md promises by name for every version 1.x, as it is now: a line for each promise."""

import argparse
import hashlib
import json
import logging
from collections.abc import Iterator, Set
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from support.openapi_document import Document, current_document
from todo_api.command_line import parser
from todo_api.observability import logs
from todo_api.observability.series import EVENTS, Series
from todo_api.settings.config import Config, variable
from todo_api.web.problem_codes import CODES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tests" / "project" / "promised.txt"


@cache
def kept() -> frozenset[str]:
    """All that is promised, as it is now."""
    return frozenset(
        {
            *_commands(parser(), "todo-api"),
            *(f"setting {variable(setting.name)}" for setting in fields(Config)),
            *(f"code {code} {about.status}" for code, about in CODES.items()),
            *_calls(Document(current_document())),
            *_metrics(),
            *(f"event {event}" for event in EVENTS),
            *(f"log-field {name}" for name in _log_fields()),
            *_migrations(),
        }
    )


def promised() -> frozenset[str]:
    """All that was promised."""
    lines = PAGE.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def broken(before: Set[str], now: Set[str]) -> list[str]:
    """Which promises a change breaks: what is lost, and what clients have to send from now on."""
    known = {_place(line) for line in before}
    new = [line for line in now - before if line.startswith("sent ") and line.endswith("required")]
    return sorted(
        [f"lost: {line}" for line in before - now]
        + [f"needed from now on: {line}" for line in new if _place(line) in known]
    )


def _place(line: str) -> str:
    """What a line is about: a call, a body, a command, whatever else has a name."""
    return line.split()[1].partition(".")[0]


def _commands(of: argparse.ArgumentParser, name: str) -> Iterator[str]:
    known = {"-h", "--help", *("--" + one.name.replace("_", "-") for one in fields(Config))}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command, found in action.choices.items():
                yield f"command {name.replace(' ', '-')}-{command}"
                yield from _commands(found, f"{name} {command}")
        elif not action.option_strings:
            need = "optional" if action.nargs == "?" else "required"
            yield f"sent {name.replace(' ', '-')}.{action.metavar} argument {need}"
        else:
            for option in set(action.option_strings) - known:
                yield f"option {name.replace(' ', '-')} {option}"


def _calls(document: Document) -> Iterator[str]:
    for call in document.operations.values():
        yield f"call {call.id} {call.method} {call.path}"
        for scheme in {name for one in call.about["security"] for name in one}:
            yield f"token {call.id} {scheme}"
        for parameter in map(document.resolved, call.about["parameters"]):
            need = "required" if parameter.get("required") else "optional"
            yield f"sent {call.id}.{parameter['name']} {parameter['in']} {need}"
            for value in parameter["schema"].get("enum", ()):
                yield f"value {call.id}.{parameter['name']} {value}"
        for kind in call.about.get("requestBody", {}).get("content", {}):
            yield f"body {call.id} {kind}"
    yield from _answers(document)
    for name, schema in document.content["components"]["schemas"].items():
        is_sent = schema.get("additionalProperties") is False  # answers may get more members
        for member, about in schema.get("properties", {}).items():
            need = "required" if member in schema.get("required", ()) else "optional"
            types = " or ".join(sorted(_types(about)))
            yield f"{'sent' if is_sent else 'answered'} {name}.{member} {types} {need}"
            for value in about.get("enum", ()):
                yield f"value {name}.{member} {value}"


def _answers(document: Document) -> Iterator[str]:
    """The good statuses of each call; headers of all answers, of those with a status, of each good one."""
    headers: dict[tuple[str, str], set[str]] = {}
    for call in document.operations.values():
        for status, answer in call.about["responses"].items():
            about = document.resolved(answer)
            if status < "400":
                types = " ".join(sorted(about.get("content", ())))
                yield f"answer {call.id} {status} {types}".rstrip()
            headers[call.id, status] = set(about.get("headers", ()))
    of_all = set.intersection(*headers.values())
    yield from (f"header all all {name}" for name in of_all)
    for status in {status for _, status in headers}:
        found = [names for (_, one), names in headers.items() if one == status]
        yield from (f"header all {status} {name}" for name in set.intersection(*found) - of_all)
    for (call_id, status), names in headers.items():
        if status < "400":
            yield from (f"header {call_id} {status} {name}" for name in names - of_all)


def _types(about: dict[str, Any]) -> set[str]:
    """The types of a value; of a reference and of a list's items too."""
    if "$ref" in about:
        return {about["$ref"].rpartition("/")[2]}
    if "anyOf" in about:
        return {found for one in about["anyOf"] for found in _types(one)}
    if "items" in about:
        return {f"list-of-{found}" for found in _types(about["items"])}
    kinds = about.get("type", "any")
    return set(kinds) if isinstance(kinds, list) else {kinds}


def _metrics() -> Iterator[str]:
    for metric in vars(Series()).values():
        if isinstance(metric, MetricWrapperBase):
            described = metric.describe()[0]
            labels = " ".join(metric._labelnames)
            yield f"metric {described.name} {described.type} {labels}".rstrip()


def _log_fields() -> set[str]:
    """The members of a request's line in JSON, and of a line with a traceback."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            record.exc_info = (ValueError, ValueError(), None)
            lines.append(logs.JsonFormatter().format(record))

    handler, level = Keep(), logs.access.level
    logs.access.addHandler(handler)
    logs.access.propagate = False
    logs.access.setLevel(logging.INFO)
    try:
        logs.log_request(
            method="GET", route="/", status=200, ms=1.0, request_id="-", user_id=None, address=None,
            token="session", auth_event="login",
        )  # fmt: skip
    finally:
        logs.access.removeHandler(handler)
        logs.access.propagate = True
        logs.access.setLevel(level)
    [line] = lines
    return set(json.loads(line))


def _migrations() -> Iterator[str]:
    """Released files with their checksums."""
    for file in (ROOT / "migrations").glob("[0-9]*.sql"):
        if not file.name.endswith(".rollback.sql"):
            yield f"migration {file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()}"
