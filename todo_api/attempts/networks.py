"""The networks whose attempts count together: an attacker may own a whole one, and use each address in it."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from todo_api.web.request import current_request

# A subscriber gets at least a /64 (RFC 6177), often a /56, and a company or a rented server a /48. The wider
# ones may also be many subscribers of a provider (a telephone has a /64), so they have more attempts, but not
# as many as 256 or 65 536 subscribers would have.
_IPV6_SHARES = {64: 1, 56: 4, 48: 16}
_TRANSLATED = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class Share(NamedTuple):
    """A network, and how many times the attempts of one client it has."""

    network: str
    times: int


def client() -> str:
    """The address whose networks the request's attempt counts for."""
    return current_request().remote_addr or "::"


def shares_of(address: str) -> list[Share]:
    """The networks that an address belongs to, the narrowest first."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        embedded = _ipv4_of(found)
        if embedded is None:
            return [
                Share(str(ip_network((found, prefix), strict=False)), times)
                for prefix, times in _IPV6_SHARES.items()
            ]
        found = embedded
    return [Share(str(found), 1)]


def _ipv4_of(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address of a client that reaches an IPv6 service through a translator or a tunnel.

    By its /64, everybody behind a translator (or a Teredo server) would be one client, and a single IPv4
    address with 6to4 would be 65 536.
    """
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
