"""What was found in a check: how bad it is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One line for the operator. An error keeps the service from working, or from starting."""

    name: str
    level: Level
    message: str
    hint: str = ""  # what to do, for a warning or an error

    @property
    def line(self) -> str:
        """Message and hint together: one sentence, or two if one had two colons."""
        if not self.hint:
            return self.message
        if ": " in self.message or ": " in self.hint:
            return f"{self.message}. {self.hint[0].upper()}{self.hint[1:]}"
        return f"{self.message}: {self.hint}"


def ok(name: str, message: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", message)


def warning(name: str, message: str, hint: str) -> Finding:
    """The service works, and the operator should change something."""
    return Finding(name, "warning", message, hint)


def error(name: str, message: str, hint: str) -> Finding:
    """The service does not work, or would not start."""
    return Finding(name, "error", message, hint)


def errors_of(findings: Iterable[Finding]) -> list[str]:
    """The lines of the errors."""
    return [one.line for one in findings if one.level == "error"]


def warnings_of(findings: Iterable[Finding]) -> list[str]:
    """The lines of the warnings."""
    return [one.line for one in findings if one.level == "warning"]
