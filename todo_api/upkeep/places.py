"""Which database a URL leads to, and with which login: never with its password."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict


def login_of(url: str) -> str | None:
    """The login in a URL; None if the URL has none."""
    user = conninfo_to_dict(url).get("user")
    return str(user) if user else None


def place_of(url: str) -> str:
    """The database and the server that a connection reaches, of several hosts the one that is used."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return place(connection)


def place(connection: psycopg.Connection[Any]) -> str:
    """The database and the server of a connection."""
    info = connection.info
    return f"{info.dbname} at host {info.host}, port {info.port}"
