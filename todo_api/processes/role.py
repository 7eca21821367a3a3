"""The roles of child processes, and the constants that parent and child share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

READY = b"+"  # what a child sends through its link once it serves
DRAIN_SECONDS = 8.0  # how long a child may take to finish accepted requests after SIGTERM


class Role(NamedTuple):
    """A kind of child: what it runs, and how the parent treats it.

    `run` gets the child's link to its parent and its slot, which is its number among the children. It serves
    until SIGTERM or until the parent closes its end of the link, and returns the exit status.
    """

    listener: socket.socket
    run: Callable[[socket.socket, int], int]
    name: str = "worker"
    # At a stop, a child that does not serve clients is killed instead of drained. Its end is not counted and
    # does not change the service's exit status.
    serves_clients: bool = True
    clean_up: Callable[[], None] | None = None  # run by the child when its parent has ended first
