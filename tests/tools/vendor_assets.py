"""Renew the documentation pages' third-party files in todo_api/docs/static.

    python tests/tools/vendor_assets.py

It asks npm for the newest release within the ranges below (`npm pack`: nothing is installed, no
package script runs), keeps the few files that the pages load together with their licences, and
rewrites ASSETS.json. Run the browser tests afterwards. It needs npm and the package registry; the
service and its tests need neither, because the files are part of the repository.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[2] / "todo_api" / "docs" / "static"


@dataclass(frozen=True)
class Change:
    """A replacement of text that occurs exactly once in a file, and the reason for it."""

    before: bytes
    after: bytes
    why: str


@dataclass(frozen=True)
class Package:
    """What to take from one npm package, and the folder of static/ that receives it."""

    wanted: str
    folder: str
    files: tuple[str, ...]
    changes: dict[str, Change] = field(default_factory=dict)


PACKAGES = (
    Package(
        wanted="swagger-ui-dist@5",
        folder="swagger-ui",
        files=(
            "LICENSE",
            "NOTICE",
            "swagger-ui-bundle.js",
            "swagger-ui-bundle.js.LICENSE.txt",
            "swagger-ui.css",
        ),
    ),
    # 2.5 and not 3: version 3 reports its use to its maker's servers
    Package(
        wanted="redoc@2.5",
        folder="redoc",
        files=(
            "LICENSE",
            "bundles/redoc.standalone.js",
            "bundles/redoc.standalone.js.LICENSE.txt",
        ),
        changes={
            "bundles/redoc.standalone.js": Change(
                before=b'src:"https://cdn.redoc.ly/redoc/logo-mini.svg"',
                after=b'src:"data:,"',
                why="the badge's picture came from another host; an unreadable picture is hidden "
                "by the badge's own error handler, its text and link stay",
            )
        },
    ),
)


def pack(wanted: str, into: Path) -> dict[str, Any]:
    """Download a package's archive and return npm's description of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not on the PATH")
    command = [npm, "pack", wanted, "--json", "--pack-destination", str(into)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    packed = json.loads(answer.stdout)
    description: dict[str, Any] = packed[0] if isinstance(packed, list) else packed.popitem()[1]
    return description


def vendor(package: Package, static: Path) -> dict[str, Any]:
    """Replace a package's folder below static and return its entry for ASSETS.json."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack(package.wanted, Path(scratch))
        with tarfile.open(Path(scratch) / packed["filename"]) as archive:
            contents = {
                name: _member(archive, name) for name in ("package.json", *sorted(package.files))
            }
    licence = json.loads(contents.pop("package.json"))["license"]
    folder = static / package.folder
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    files = []
    for source, content in contents.items():
        target = folder / Path(source).name
        entry = {"file": target.relative_to(static).as_posix(), "from": source}
        change = package.changes.get(source)
        if change:
            if content.count(change.before) != 1:
                raise SystemExit(f"{packed['name']}: {source} no longer has {change.before!r} once")
            entry |= {"change": change.why, "sha256_in_package": _sha256(content)}
            content = content.replace(change.before, change.after)
        target.write_bytes(content)
        files.append(entry | {"sha256": _sha256(content)})
    return {
        "package": packed["name"],
        "version": packed["version"],
        "licence": licence,
        "integrity": packed["integrity"],
        "files": files,
    }


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(f"package/{name}")
    if stream is None:
        raise SystemExit(f"{name} is not a file of the package")
    return stream.read()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Renew every package and rewrite ASSETS.json."""
    entries = [vendor(package, STATIC) for package in PACKAGES]
    text = json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
    (STATIC / "ASSETS.json").write_text(text, encoding="utf-8")
    for entry in entries:
        sys.stdout.write(f"{entry['package']} {entry['version']}: {len(entry['files'])} files\n")


if __name__ == "__main__":
    main()
