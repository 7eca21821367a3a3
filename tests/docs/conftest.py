"""The real service, for browsers and generated clients."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.live_service import live_service


@pytest.fixture(scope="session")
def live_url(
    postgres: str,
    template: str,
    admin: psycopg.Connection[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of the real service, without a slash at the end."""
    admin.execute(f"CREATE DATABASE documented TEMPLATE {template}")
    url = make_conninfo(postgres, dbname="documented")
    with live_service(url, tmp_path_factory.mktemp("service")) as service:
        yield service.url
