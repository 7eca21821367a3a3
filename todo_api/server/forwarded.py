"""The client's address, scheme and path prefix behind the proxies that the operator trusts."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from todo_api.web.request import FORWARDED_HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:80 or 2001:db8::1. No character class has
# "%": a zone id only has a meaning on the machine that wrote it.
_HOP = re.compile(
    r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\])(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)"
)
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_PREFIX_MAX = 200


class Forwarded:
    """Put the client's address into REMOTE_ADDR; X-Forwarded-* counts from a trusted peer only.

    X-Forwarded-Prefix is the path that a proxy has taken away: Location, Link and the documentation need it.

    waitress's own trusted_proxy supports one address and a fixed number of hops. This class supports networks
    and follows the chain of proxies, so waitress leaves the headers in place
    (clear_untrusted_proxy_headers=False). This class removes all of them: the application sees REMOTE_ADDR,
    REMOTE_HOST, wsgi.url_scheme and FORWARDED_HOST, and can't trust a header by mistake.
    """

    def __init__(self, app: WSGIApplication, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        names = [
            name for name in environ if name.startswith(("HTTP_X_FORWARDED", "HTTP_FORWARDED"))
        ]
        if names:
            headers = {name: environ.pop(name) for name in names}
            peer = _address(environ.get("REMOTE_ADDR") or "")
            if peer is not None and self._trusts(peer):
                self._believe(environ, peer, headers)
        return self._app(environ, start_response)

    def client(self, peer: str, forwarded_for: str) -> IPv4Address | IPv6Address | None:
        """The address of the client behind `peer`; None when `peer` is no IP address."""
        address = _address(peer)
        if address is not None and forwarded_for and self._trusts(address):
            return self._behind(address, forwarded_for)
        return address

    def is_secure(self, peer: str, forwarded_proto: str) -> bool:
        """Whether the client behind `peer` has used https."""
        address = _address(peer)
        return (
            address is not None
            and self._trusts(address)
            and _last_of(forwarded_proto).lower() == "https"
        )

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _believe(
        self,
        environ: WSGIEnvironment,
        peer: IPv4Address | IPv6Address,
        headers: dict[str, str],
    ) -> None:
        client = self._behind(peer, headers.get("HTTP_X_FORWARDED_FOR", ""))
        environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = str(client)
        scheme = _last(headers, "HTTP_X_FORWARDED_PROTO").lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        prefix = _last(headers, "HTTP_X_FORWARDED_PREFIX").rstrip("/")
        if len(prefix) <= _PREFIX_MAX and _PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix
        if "HTTP_X_FORWARDED_HOST" in headers:
            environ[FORWARDED_HOST] = headers["HTTP_X_FORWARDED_HOST"]

    def _behind(
        self, peer: IPv4Address | IPv6Address, forwarded_for: str
    ) -> IPv4Address | IPv6Address:
        """The client behind a trusted peer."""
        client = peer
        # Each proxy appends the address of its caller, so a client can't forge the right end. From there the
        # search goes left, to the first address that is not a trusted proxy's, or up to a hop that is not an
        # address. No trusted proxy has written what is further left.
        for hop in reversed(forwarded_for.split(",")):
            address = _address(hop.strip(" \t"))
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client


def _last(headers: dict[str, str], name: str) -> str:
    """The value that the nearest proxy has written; "" without one."""
    return _last_of(headers.get(name, ""))


def _last_of(values: str) -> str:
    return values.rpartition(",")[2].strip(" \t")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in one hop, as IPv4 for ::ffff:192.0.2.1; None if the hop has no address."""
    match = _HOP.fullmatch(text)
    if match is None:
        return None
    try:
        address = ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
