"""Which process of a run gets which tests, and in what order."""

import zlib
from collections import OrderedDict
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# The longest files of which the tests share what is made for the file, longest first.
LONG = (
    "tests/embedded/test_start.py",
    "tests/migrations/test_migrations.py",
    "tests/command/test_data_folder.py",
    "tests/migrations/test_cut_short.py",
    "tests/docs/test_schemathesis.py",
    "tests/embedded/test_crashes.py",
    "tests/sql/test_partitions.py",
    "tests/plans/test_plans.py",
)
# The tests of these share nothing that is dear to make.
APART = (
    "tests/auth/",
    "tests/body/",
    "tests/command/test_command_line.py",
    "tests/command/test_own_database.py",
    "tests/docs/test_openapi.py",
    "tests/lists/",
    "tests/processes/",
    "tests/server/",
    "tests/sql/test_isolation.py",
    "tests/tasks/",
    "tests/web/",
)


class _Queue(OrderedDict[str, dict[str, bool]]):
    """Pieces of work, the long ones first and the others mixed.

    Some tests wait for a clock and others reckon, each kind in files side by side: in the order of
    their names, all processes would do the same at the same time.
    """

    def popitem(self, last: bool = True) -> tuple[str, dict[str, bool]]:
        piece = min(
            self, key=lambda one: (LONG.index(one) if one in LONG else len(LONG), _mixed(one))
        )
        return piece, self.pop(piece)


def _mixed(piece: str) -> int:
    return zlib.crc32(piece.encode())


class Pieces(LoadFileScheduling):  # type: ignore[misc]
    """A piece of work is a file, or a function of a file whose tests share nothing."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self.workqueue = _Queue()

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        return f"{file}::{name.partition('[')[0]}" if file.startswith(APART) else file


class OnePiece(LoadFileScheduling):  # type: ignore[misc]
    """One process runs all tests, since they use the one database of CITUS_URL."""

    def _split_scope(self, nodeid: str) -> str:
        return "the cluster"
