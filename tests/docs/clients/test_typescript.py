"""The clients that generators for TypeScript write live a life, strictly typed."""

from pathlib import Path

import pytest

from .programs import HERE, live_through, node_program, run

pytestmark = pytest.mark.programs


def test_the_client_of_hey_api_with_zod_and_valibot(
    document: Path, live_url: str, tmp_path: Path
) -> None:
    client = tmp_path / "client"
    run(
        *(node_program("openapi-ts"), "-f", HERE / "hey_api.config.mjs"),
        cwd=HERE,
        DOCUMENT=str(document),
        OUTPUT=str(client),
    )
    live_through("hey_api.ts", client, live_url)


def test_the_types_of_openapi_typescript_with_openapi_fetch(
    document: Path, live_url: str, tmp_path: Path
) -> None:
    types = tmp_path / "client.d.ts"
    found = run(node_program("openapi-typescript"), document, "-o", types, cwd=tmp_path)
    assert "⚠" not in found
    live_through("openapi_fetch.ts", types, live_url)
