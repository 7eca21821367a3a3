"""Where the service is measured without peers: a PostgreSQL of its own, and how long it may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from support.postgres.embedded_server import embedded_server

from .load import Load, Request, in_turn
from .readings import Reading


class Rig(NamedTuple):
    """`admin` is a superuser's connection; `folder` takes the files of requests."""

    server: str
    admin: psycopg.Connection[Any]
    folder: Path
    rounds: int
    duration: int
    sizes: tuple[int, ...]  # of the table that grows

    def in_turn(self, part: str, loads: list[Load], concurrency: int = 16) -> list[Reading]:
        """Load each in turn, round after round."""
        return in_turn(
            part,
            loads,
            self.admin,
            rounds=self.rounds,
            duration=self.duration,
            concurrency=concurrency,
        )

    def file(self, name: str, requests: list[Request]) -> Path:
        """A file of requests for a load."""
        file = self.folder / name.replace(" ", "_")
        file.write_text("".join(map(str, requests)), encoding="utf-8")
        return file


@contextmanager
def rig(folder: Path, rounds: int, duration: int, sizes: tuple[int, ...]) -> Iterator[Rig]:
    """One that lasts as long as the block."""
    with embedded_server() as server, psycopg.connect(server, autocommit=True) as admin:
        yield Rig(server, admin, folder, rounds, duration, sizes)
