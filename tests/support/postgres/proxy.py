"""A TCP proxy before PostgreSQL that counts network round trips, and that fails in chosen ways."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SYNC = b"S\x00\x00\x00\x04"  # the message that ends a pipeline


@dataclass(eq=False)
class _Link:
    """A client and its connection to the server."""

    client: socket.socket
    server: socket.socket
    server_spoke_last: bool = True
    deaf: bool = False  # the client is gone; the server may finish
    sent: bytes = field(default=b"")


class Proxy:
    """Forwards to the server of `url`; `self.url` is the way through it."""

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        self._host, self._server_port = str(parts["host"]), int(parts.get("port") or 5432)
        self._lock = threading.RLock()
        self._links: list[_Link] = []
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._port = 0
        self._ended = False
        self._cut_at, self._cuts_left = b"", 0
        self._freeze_at = b""
        self.flights = 0  # how often the client sent something after the server had spoken
        self.sent = b""  # all that clients said
        self.connections = 0
        self.cuts = 0
        self.frozen = False
        self.accept()
        self.url = make_conninfo(
            url, host="127.0.0.1", port=self._port, sslmode="disable", gssencmode="disable"
        )
        self._thread = threading.Thread(target=self._forward)
        self._thread.start()

    def accept(self) -> None:
        """Let clients in, again."""
        with self._lock:
            self._listener = socket.create_server(("127.0.0.1", self._port), backlog=100)
            self._port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ, None)

    def refuse(self) -> None:
        """Hang up on everybody and refuse new connections, as a server that is away."""
        with self._lock:
            if self._listener:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
            for link in list(self._links):
                self._end(link)

    def cut_at(self, text: str, times: int = 1000) -> None:
        """Hang up on clients whose statements hold `text`; the server still runs them."""
        self._cut_at, self._cuts_left = text.encode(), times

    def freeze_at(self, text: str) -> None:
        """Go silent for good when a client's statement holds `text`, which the server does not get."""
        self._freeze_at = text.encode()

    def close(self) -> None:
        with self._lock:
            self._ended = True
            self.refuse()
        self._thread.join()
        self._selector.close()

    def _forward(self) -> None:
        while not self._ended:
            if self.frozen:
                time.sleep(0.01)
                continue
            for key, _ in self._selector.select(0.02):
                with self._lock:
                    if key.data is None:
                        self._welcome()
                    elif key.data in self._links:
                        self._pass_on(key.data, key.fileobj)

    def _welcome(self) -> None:
        if not self._listener:
            return
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._server_port}")
        else:
            server = socket.create_connection((self._host, self._server_port))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        self._links.append(link)
        self.connections += 1
        self._selector.register(client, selectors.EVENT_READ, link)
        self._selector.register(server, selectors.EVENT_READ, link)

    def _pass_on(self, link: _Link, source: Any) -> None:
        try:
            data = source.recv(1 << 20)
            if not data:
                self._end(link)
            elif source is link.client:
                self._to_server(link, data)
            elif link.deaf:
                self._end(link)  # the server has answered to nobody
            else:
                link.server_spoke_last = True
                link.client.sendall(data)
        except OSError:
            self._end(link)

    def _to_server(self, link: _Link, data: bytes) -> None:
        self.sent += data
        if self._freeze_at and self._freeze_at in data:
            self.frozen = True
            return
        if link.server_spoke_last:
            self.flights += 1
            link.sent = b""
        link.server_spoke_last = False
        link.sent += data
        link.server.sendall(data)
        if link.sent.endswith(SYNC) and self._cuts_left and self._cut_at in link.sent:
            self.cuts += 1
            self._cuts_left -= 1
            link.deaf = True
            self._selector.unregister(link.client)
            link.client.close()

    def _end(self, link: _Link) -> None:
        self._links.remove(link)
        for end in (link.client, link.server):
            if end.fileno() >= 0:
                self._selector.unregister(end)
                end.close()


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy before the server of `url`, until the end of the block."""
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
