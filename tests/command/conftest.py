"""A folder to work in, for each test."""

from collections.abc import Iterator

import pytest

from support.command import Desk, a_desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with a_desk() as desk:
        yield desk
