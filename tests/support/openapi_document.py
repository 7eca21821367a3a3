"""Reads an OpenAPI document, and holds answers against it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from todo_api.app import BLUEPRINTS, OPERATIONS
from todo_api.docs.openapi import document

# What HTTP itself and the server add.
_PLUMBING = {"content-type", "content-length", "connection", "date", "server"}


@dataclass(frozen=True)
class Operation:
    """One call: its method, path and description."""

    method: str
    path: str
    about: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.about["operationId"])

    @property
    def needs_token(self) -> bool:
        return bool(self.about["security"])

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.about["responses"] if status != "default"}

    @property
    def body_examples(self) -> list[Any]:
        content = self.about.get("requestBody", {}).get("content", {})
        examples = content.get("application/json", {}).get("examples", {})
        return [example["value"] for example in examples.values()]


class Document:
    """A document whose references are resolved."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        resource = Resource(contents=content, specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("urn:document", resource)

    @property
    def operations(self) -> dict[str, Operation]:
        found = [
            Operation(method.upper(), path, about)
            for path, methods in self.content["paths"].items()
            for method, about in methods.items()
        ]
        return {operation.id: operation for operation in found}

    def resolved(self, item: dict[str, Any]) -> dict[str, Any]:
        """What a reference refers to; anything else as it is."""
        while "$ref" in item:
            found: Any = self.content
            for name in item["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            item = found
        return item

    def errors(self, value: Any, schema: dict[str, Any]) -> list[str]:
        """What is wrong with a value, formats included."""
        absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
        validator = Draft202012Validator(
            absolute, registry=self._registry, format_checker=FormatChecker()
        )
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def examples(self, item: Any = None, where: str = "#") -> Iterator[tuple[str, Any, Any]]:
        """Each example with its place and its schema: of bodies, headers, parameters and schemas."""
        item = self.content if item is None else item
        if isinstance(item, list):
            item = dict(enumerate(item))
        if not isinstance(item, dict):
            return
        schema = item.get("schema", item)
        if "example" in item:
            yield where, item["example"], schema
        examples = item.get("examples", [])
        if isinstance(examples, dict):
            examples = [example["value"] for example in examples.values()]
        for number, example in enumerate(examples):
            yield f"{where}/{number}", example, schema
        for name, value in item.items():
            if name not in ("example", "examples"):
                yield from self.examples(value, f"{where}/{name}")

    def check(
        self,
        response: dict[str, Any],
        headers: Mapping[str, str],
        body: bytes,
        *,
        absent: frozenset[str] = frozenset(),
    ) -> Any:
        """Assert that an answer has the type, body and headers of a response; its body as a value.

        Every documented header has to be sent, but for those that are `absent`, and no other.
        """
        response = self.resolved(response)
        sent = {name.lower(): value for name, value in headers.items()}
        documented = {
            name.lower(): self.resolved(header)
            for name, header in response.get("headers", {}).items()
        }
        assert sent.keys() - _PLUMBING == documented.keys() - {name.lower() for name in absent}
        for name, header in documented.items():
            if name in sent:
                number = header["schema"].get("type") == "integer"
                value = int(sent[name]) if number else sent[name]
                assert self.errors(value, header["schema"]) == [], name
            else:
                assert not header.get("required"), name
        if "content" not in response:
            assert body == b""
            assert "content-type" not in sent
            return None
        media = response["content"][sent["content-type"]]
        value = json.loads(body) if "json" in sent["content-type"] else body.decode()
        assert self.errors(value, media["schema"]) == []
        return value


def current_document() -> dict[str, Any]:
    """The document of the service, without one that runs."""
    app = Flask("document", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return document(app.url_map, OPERATIONS, "")
