"""The client's address and scheme behind the proxies that the operator trusts."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:80 or 2001:db8::1. No character class has
# "%": a zone id means something on the machine that wrote it only.
_HOP = re.compile(
    r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\])(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)"
)


class Forwarded:
    """Put the client's address into REMOTE_ADDR; X-Forwarded-* counts from a trusted peer only.

    waitress's own trusted_proxy knows one address and a fixed number of hops. This class knows networks and
    goes along the chain of proxies, so waitress leaves the headers in place
    (clear_untrusted_proxy_headers=False). The class removes them all: the application sees REMOTE_ADDR,
    REMOTE_HOST and wsgi.url_scheme, and can't trust a header by mistake.
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

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _believe(
        self,
        environ: WSGIEnvironment,
        peer: IPv4Address | IPv6Address,
        headers: dict[str, str],
    ) -> None:
        client = peer
        # Each proxy appends the address that it was called from, so a client can't write the right end. The
        # search ends at the first address that no trusted proxy has, or before the first hop that is no
        # address: no trusted proxy has written what stands left of it.
        for hop in reversed(headers.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = _address(hop.strip(" \t"))
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = str(client)
        scheme = headers.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip(" \t").lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in one hop, an IPv4 one for ::ffff:192.0.2.1; None if it is none."""
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
