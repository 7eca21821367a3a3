"""What the server tells the metrics about the lines in which requests wait."""

from typing import NamedTuple


class LineLoad(NamedTuple):
    """How many requests wait to hash, and how many were refused so far for waiting too long."""

    hashing_waits: int = 0
    hashing_refused: int = 0
    users_refused: int = 0


NO_LINES = LineLoad()
