"""What `todo-api check` has said, and a deployment to break in one way."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import psycopg
from psycopg.conninfo import make_conninfo

SECRET = "Vb8wM2kq_Xz5Tn0RjYh7LcPd3sFg9A-eUoI4"
PASSWORD = "Pa55word-of-nobody"
SCHEMA = {
    "type": "object",
    "required": ["status", "database", "findings"],
    "additionalProperties": False,
    "properties": {
        "status": {"enum": ["ok", "warning", "error"]},
        "database": {"type": "string", "minLength": 1},
        "findings": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "level", "message"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
                    "level": {"enum": ["ok", "warning", "error"]},
                    "message": {"type": "string", "minLength": 1, "pattern": "^[^\n\r]*$"},
                    "hint": {"type": "string", "minLength": 1, "pattern": "^[^\n\r]*$"},
                },
                # what is not well has to say what to do
                "if": {"properties": {"level": {"const": "ok"}}},
                "then": {"not": {"required": ["hint"]}},
                "else": {"required": ["hint"]},
            },
        },
    },
}


class Report:
    """What a run with --json has said."""

    def __init__(self, status: int, text: str) -> None:
        self.text = text
        self.said = json.loads(text)
        jsonschema.validate(self.said, SCHEMA)
        levels = ["ok", "warning", "error"]
        worst = max(levels.index(one["level"]) for one in self.said["findings"])
        assert (status, self.said["status"]) == (worst, levels[worst])
        self.status = status

    @property
    def wrong(self) -> dict[str, str]:
        """What is not well: by its name the level and the message."""
        return {
            one["name"]: f"{one['level']}: {one['message']}"
            for one in self.said["findings"]
            if one["level"] != "ok"
        }

    @property
    def well(self) -> dict[str, str]:
        return {one["name"]: one["message"] for one in self.said["findings"] if "hint" not in one}

    def hint(self, name: str) -> str:
        [found] = [
            one["hint"] for one in self.said["findings"] if one["name"] == name and "hint" in one
        ]
        return str(found)


class Deployment:
    """A database of a test's own with two logins, and a superuser's connection to it."""

    def __init__(self, server: str, name: str, dba: psycopg.Connection[Any]) -> None:
        self.name = name
        self.owner = make_conninfo(server, dbname=name)
        self.service = make_conninfo(self.owner, user="check_serve")
        self.dba = dba

    def run(self, sql: str, *values: Any) -> list[Any]:
        cursor = self.dba.execute(sql.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    @property
    def both(self) -> dict[str, str]:
        return {"url": self.service, "MIGRATE_URL": self.owner}


def broken(
    check: Callable[..., Report], deployment: Deployment, *commands: str, **settings: str
) -> Report:
    for command in commands:
        deployment.run(command.format(name=deployment.name))
    return check(**(deployment.both | settings))
