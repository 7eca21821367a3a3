"""The application as the server sees it, and in which line a request for it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_api.body.media_types import is_compressed, is_json
from todo_api.body.reading import MAX_BODY_BYTES
from todo_api.processes.heartbeat import LONGEST_SECONDS
from todo_api.server.forwarded import Forwarded
from todo_api.server.lines import HASHING, OTHER, READ, WRITE, Place
from todo_api.server.turns import groups_of
from todo_api.web.headers import ALWAYS, UNLESS_SET

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address
    from wsgiref.types import WSGIApplication

_READING = ("GET", "HEAD")


@dataclass(frozen=True)
class Entrance:
    """What answers requests, and what the server has to know of one before a thread takes it."""

    app: WSGIApplication
    # The client behind a peer with this X-Forwarded-For.
    client: Callable[[str, str], IPv4Address | IPv6Address | None]
    # Whether the view of a method and a path hashes a password.
    hashes: Callable[[str, str], bool] = lambda *_: False
    # The user and the session of an Authorization header, if its token has the right signature.
    sender: Callable[[str], tuple[str, str] | None] = lambda _: None
    # Whether the client behind a peer with this X-Forwarded-Proto has used https.
    is_secure: Callable[[str, str], bool] = lambda *_: False
    # The headers of what the server refuses itself, by its Origin and whether it came over https.
    refusal_headers: Callable[[str, bool], dict[str, str]] = lambda *_: ALWAYS | UNLESS_SET
    longest_s: float = LONGEST_SECONDS  # how long it works on a request at most, and far more
    hashing_slots: int = 1
    most_hashing: Callable[[], int] = lambda: 1

    def place_of(self, peer: str, request: Any) -> Place:
        """Where a request that waitress has read waits."""
        headers = request.headers
        if not request.error:
            method = request.command.upper()
            if self.hashes(method, request.routed_path) and _is_read(request):
                return Place(HASHING, None, self._groups(peer, headers))
            authorization = headers.get("AUTHORIZATION")
            if authorization and (sender := self.sender(authorization)):
                user, session = sender
                # The sessions of a user take turns: one that has ended can't keep the others out.
                return Place(READ if method in _READING else WRITE, user, (session,))
        widest, *narrower = self._groups(peer, headers)
        return Place(OTHER, widest, tuple(narrower))

    def _groups(self, peer: str, headers: Any) -> tuple[Any, ...]:
        return groups_of(self.client(peer, headers.get("X_FORWARDED_FOR", "")))


def alone(app: WSGIApplication) -> Entrance:
    """The entrance of an application behind no proxy, which has no users."""
    return Entrance(app, Forwarded(app, ()).client)


def _is_read(request: Any) -> bool:
    """Whether the application will read the body, instead of refusing it by its headers."""
    headers, received = request.headers, request.body_rcv
    if received is not None and len(received.getbuf()) > MAX_BODY_BYTES:
        return False
    return is_json(headers.get("CONTENT_TYPE", "")) and not is_compressed(
        headers.get("CONTENT_ENCODING", "")
    )
