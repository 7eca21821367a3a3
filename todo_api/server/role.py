"""What a child process of the service does, and what parent and child agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

READY = b"+"  # what a child writes into its link once it serves
DRAIN_SECONDS = 8.0  # how long a child may take to finish accepted requests after SIGTERM


class Role(NamedTuple):
    """A kind of child: what it runs, and what it is to the service.

    `run` gets the child's link to its parent and its slot, which tells the children of a service apart. It
    serves until SIGTERM or until the parent closes its end of the link, and returns the exit status.
    """

    listener: socket.socket
    run: Callable[[socket.socket, int], int]
    name: str = "worker"
    # A child that does not answer the service's clients is killed at a stop, not drained; its end is
    # neither counted nor the service's failure.
    serves_clients: bool = True
    clean_up: Callable[[], None] | None = (
        None  # run by the child when the parent has gone before it
    )
