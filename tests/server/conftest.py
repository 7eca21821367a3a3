"""What the tests of the HTTP service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.small_service import SmallService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from support.small_service import StartSmall


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartSmall]:
    services: list[SmallService] = []

    def start(**options: Any) -> SmallService:
        service = SmallService(tmp_path / f"service-{len(services)}.log", options)
        services.append(service)
        return service

    yield start
    for service in services:
        service.end()
