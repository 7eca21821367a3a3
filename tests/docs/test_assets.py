"""The third-party files of the documentation pages are the ones that ASSETS.json lists."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).resolve().parents[2] / "todo_api" / "docs" / "static"
PACKAGES: list[dict[str, Any]] = json.loads((STATIC / "ASSETS.json").read_text(encoding="utf-8"))
FILES: dict[str, dict[str, Any]] = {
    entry["file"]: entry for package in PACKAGES for entry in package["files"]
}


@pytest.mark.parametrize("name", FILES)
def test_a_listed_file_has_its_checksum(name: str) -> None:
    entry = FILES[name]
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_differs_from_its_package_says_why(name: str) -> None:
    entry = FILES[name]
    assert ("change" in entry) == (
        entry.get("sha256_in_package", entry["sha256"]) != entry["sha256"]
    )


def test_every_file_of_a_package_folder_is_listed() -> None:
    found = {
        path.relative_to(STATIC).as_posix() for path in STATIC.glob("*/**/*") if path.is_file()
    }
    assert found == set(FILES)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["package"])
def test_a_package_comes_with_its_licence(package: dict[str, Any]) -> None:
    words = {"MIT": "Permission is hereby granted", "Apache-2.0": "Apache License"}
    files = {Path(entry["file"]).name: STATIC / entry["file"] for entry in package["files"]}
    assert words[package["licence"]] in files["LICENSE"].read_text(encoding="utf-8")
    if package["licence"] == "Apache-2.0":
        assert "Copyright" in files["NOTICE"].read_text(encoding="utf-8")
    for name in files:
        if name.endswith(".js"):
            # the notices of what is bundled into it
            assert f"{name}.LICENSE.txt" in files


def test_versions_are_exact() -> None:
    for package in PACKAGES:
        assert package["version"].replace(".", "").isdigit()
        assert package["integrity"].startswith("sha512-")


def test_no_file_names_a_content_network() -> None:
    for name in FILES:
        if name.endswith((".js", ".css")):
            content = (STATIC / name).read_bytes()
            for host in (b"cdn.redoc", b"fonts.googleapis", b"fonts.gstatic", b"cdn.jsdelivr"):
                assert host not in content, name
