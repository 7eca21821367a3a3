"""Todo API: a multi-user task service on Flask, hand-written SQL and PostgreSQL."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from todo_api.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that the command can judge its settings before all else.
    if name != "create_app":
        raise AttributeError(name)
    from todo_api.app import create_app

    return create_app
