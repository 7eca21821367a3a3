"""The document as a file, for programs that read it."""

import json
from pathlib import Path

import pytest

from support.openapi_document import current_document


@pytest.fixture(scope="session")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document of the service, in a folder of its own."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(current_document()))
    return path
