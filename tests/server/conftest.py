"""What the tests of the HTTP service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.small_service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from support.small_service import Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    services: list[Service] = []

    def start(**options: Any) -> Service:
        service = Service(tmp_path / f"service-{len(services)}.log", options)
        services.append(service)
        return service

    yield start
    for service in services:
        service.end()
