"""Todo API: a multi-user task service on Flask, hand-written SQL and PostgreSQL."""

from todo_api.app import create_app

__all__ = ["create_app"]
