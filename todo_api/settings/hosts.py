"""Names of hosts: how they are written, and which of them are this machine's own."""

import re
from ipaddress import IPv6Address, ip_address

ANY_HOST = "*"
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_MOST_CHARACTERS = 255
_LISTED_PORT = re.compile(r":[0-9]{0,5}")


def host_of(authority: str) -> str | None:
    """The host in a Host header as it is compared: no port, lower case, no final dot; None if it is none.

    An IPv4 address is only what looks like one: a browser makes 127.0.0.1 of 0x7f.1 before it sends it.
    """
    text = authority.strip(" \t").lower()
    if len(text) > _MOST_CHARACTERS:
        return None
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _LISTED_PORT.fullmatch(port)):
            return None
        return _ipv6(host)
    host, colon, port = text.partition(":")
    if colon and not _LISTED_PORT.fullmatch(colon + port):
        return None
    host = host.removesuffix(".")
    return host if _NAME.fullmatch(host) else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as it calls itself: localhost, *.localhost, 127.0.0.0/8 or ::1."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _ipv6(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return f"[{address}]" if address.version == 6 and "%" not in text else None
