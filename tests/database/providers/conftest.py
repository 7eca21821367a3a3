"""A database of each test's own, as everywhere else but in the folder above."""

import pytest


@pytest.fixture
def database_url(cloned_database_url: str) -> str:
    return cloned_database_url
