"""Readers of settings from text: each raises a ValueError that says what the text must be like.

No message repeats a text that may hold a password.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from todo_api.settings.hosts import ANY_HOST, host_of

Network = IPv4Network | IPv6Network

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: a key for HS256 has at least the size of the hash
WELL_KNOWN_SECRETS = (
    "change-me",
    "change_me",
    "changeme",
    "replace-me",
    "replace_me",
    "your-secret",
    "your_secret",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
)

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?|\[(?P<ipv6>[0-9a-f:.]+)\])"
    r"(:(?P<port>[1-9][0-9]{0,4}))?"
)
# No page has an origin of these schemes: browsers send "null" for file: and data:.
_NO_ORIGIN = {"about", "blob", "data", "file", "ftp", "javascript", "mailto", "ws", "wss"}
_DEFAULT_PORT = {"http": "80", "https": "443"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?")
# A single limit: limits.parse() would also accept lists, zero, and windows of many years.
_RATE_LIMIT = re.compile(
    r"[1-9][0-9]{0,6} *(/|per) *([1-9][0-9]{0,2})? *(second|minute|hour|day)s?", re.I | re.A
)
_POOLER = (
    "; for a pooler in transaction mode set MIGRATE_URL, and PREPARED_STATEMENTS=false if it is PgBouncer "
    "before 1.21"
)
_CONNECTIONS = "; THREADS bounds the connections"
_INSTEAD = {  # parameters of Prisma, SQLAlchemy, JDBC, asyncpg and node-postgres, in lower case
    "pgbouncer": _POOLER,
    "statement_cache_size": _POOLER,
    "prepared_statement_cache_size": _POOLER,
    "preparethreshold": _POOLER,
    "schema": "; the tables are in the schema public",
    "currentschema": "; the tables are in the schema public",
    "connection_limit": _CONNECTIONS,
    "pool_size": _CONNECTIONS,
    "max_overflow": _CONNECTIONS,
    "pool_timeout": "",
    "sslaccept": "; libpq has sslmode",
    "applicationname": "; libpq has application_name",
}
_REDIS = ("redis", "rediss", "redis+unix", "redis+sentinel", "redis+cluster")


def one_line(text: str) -> str:
    """Any setting: one line of UTF-8 without control characters."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be UTF-8")
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("must be one line without control characters")
    return text


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers in ASCII digits."""

    def read(text: str) -> int:
        if text.startswith(("tcp://", "udp://")):
            raise ValueError(
                "is an address, which Kubernetes sets for a service of this name: set the variable to a "
                "number, or enableServiceLinks to false in the pod"
            )
        # Check the length first: int() refuses long texts with its own message.
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(high))
        if not (digits and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader of one of a few words, in any letter case."""

    def read(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        nearest = get_close_matches(text.upper(), choices, 1)
        hint = f": write {nearest[0]}" if nearest else ""
        raise ValueError(f"must be one of {', '.join(choices)}{hint}")

    return read


def yes_or_no(text: str) -> bool:
    """True or false."""
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("must be true or false")


def path(text: str) -> Path:
    """A path, made absolute; ~ is a home folder."""
    try:
        return Path(text).expanduser().absolute()
    except FileNotFoundError:
        raise ValueError(
            "is relative, and the working folder is gone: write an absolute path"
        ) from None
    except RuntimeError:
        raise ValueError("begins with the home folder of nobody: write an absolute path") from None


def host(text: str) -> str:
    """An address or a host name, without a port."""
    try:
        ip_address(text)
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise ValueError(
                "must be an IP address (IPv6 without brackets) or a host name, without a port"
            ) from None
    return text


def secret(text: str) -> str:
    """A key for HS256."""
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
    if any(known in text.lower() for known in WELL_KNOWN_SECRETS):
        raise ValueError("is a value from an example; make one of your own")
    return text


def database_url(text: str) -> str:
    """What libpq connects to: a URL, or a list of name=value."""
    # Imported only when needed: the import takes longer than all other settings.
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(text).items()}
    except ProgrammingError:
        raise ValueError(
            "must be a libpq URL, such as postgresql://user@host:5432/database, "
            f"or a list of name=value{_what_libpq_refuses(text)}"
        ) from None
    # If the password contains @ or /, libpq takes its end for a host or a database, and would show it in
    # every message about a failed connection.
    misread = "://" in text and any("@" in parts.get(name, "") for name in ("host", "dbname"))
    if misread or not all(map(_is_port, parts.get("port", "").split(","))):
        raise ValueError(
            "has a port that is no number, or a password in which @ : / ? # % are not written "
            "as %40 %3A %2F %3F %23 %25"
        )
    return text


def _what_libpq_refuses(text: str) -> str:
    """What to change in a URL that was written for another program; "" when that is not known."""
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    scheme, _, rest = text.partition("://")
    if re.fullmatch(r"jdbc:postgresql|postgres(ql)?\+[a-z0-9_]+", scheme):
        return f": write postgresql:// instead of {scheme}://"
    for name in re.findall(r"[?&]([A-Za-z_]+)=", rest):
        if name not in known:
            return (
                f": {name} is no parameter of libpq, leave it out{_INSTEAD.get(name.lower(), '')}"
            )
    return ""


def origins(text: str) -> tuple[str, ...]:
    """Comma-separated origins as browsers and web views send them: no pattern, no path, no default port."""
    return tuple(map(_origin, _entries(text)))


def header_names(text: str) -> tuple[str, ...]:
    """Comma-separated names of request headers."""
    for name in _entries(text):
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not the name of a header, such as traceparent: letters, digits, - and _"
            )
    return tuple(_entries(text))


def hosts(text: str) -> tuple[str, ...]:
    """Comma-separated hosts as they are compared; with a dot in front, a domain and all below it."""
    return tuple(map(_allowed_host, _entries(text)))


def networks(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses and networks."""
    return tuple(map(_network, _entries(text)))


def rate_limit(text: str) -> str:
    """One rate limit."""
    if not _RATE_LIMIT.fullmatch(text.strip()):
        raise ValueError(
            "must be one limit such as '5 per minute' or '100 per 2 hours' (second, minute, hour, day)"
        )
    return text.strip()


def redis_uri(text: str) -> str:
    """A Redis for the counters. No other storage of `limits` counts exactly over all workers."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in _REDIS and text.startswith(f"{parts.scheme}://")
        if parts.scheme in ("redis", "rediss"):
            known = known and parts.port != 0  # raises ValueError for a bad port
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "must be a Redis URI, such as redis://127.0.0.1:6379 "
            f"({', '.join(_REDIS)}; in a password, write @ : / ? # % as %40 %3A %2F %3F %23 %25)"
        )
    if importlib.util.find_spec("redis") is None:
        raise ValueError("needs the client of Redis: pip install '.[redis]' in the checkout")
    return text


def _entries(text: str) -> Iterator[str]:
    return filter(None, map(str.strip, text.split(",")))


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536)


def _origin(text: str) -> str:
    match = _ORIGIN.fullmatch(text)
    if match is None or not _is_port(match["port"] or "") or not _has_origin(match):
        shown = text.rpartition("@")[2]  # the text before @ may be a password
        raise ValueError(
            f"{shown!r} is not an origin as browsers send it, such as https://app.example.com or "
            "http://localhost:3000 or capacitor://localhost: lower case, no path, no final slash, no pattern"
        )
    if match["port"] is not None and match["port"] == _DEFAULT_PORT.get(match["scheme"]):
        raise ValueError(f"{text!r}: leave the port out, as browsers do when it is the usual one")
    return text


def _has_origin(match: re.Match[str]) -> bool:
    """Whether browsers send this scheme and host as an origin, in this spelling."""
    if match["scheme"] in _NO_ORIGIN:
        return False
    if match["ipv6"] is not None:
        try:
            return match["ipv6"] == str(IPv6Address(match["ipv6"]))
        except ValueError:
            return False
    # The hosts of other schemes keep their letter case: Safari's extensions have capitals.
    return match["scheme"] not in _DEFAULT_PORT or match["host"] == match["host"].lower()


def _allowed_host(text: str) -> str:
    if text == ANY_HOST:
        return text
    found = host_of(text.removeprefix("."))
    # A port would not be compared. IPv6 may come without brackets here, as in HOST.
    if found is None and ":" in text:
        found = host_of(f"[{text}]")
    elif found is not None and ":" in text.rpartition("]")[2]:
        found = None
    if found is None:
        raise ValueError(
            f"{text!r} is not a host such as todo.example.com, .example.com (with all below it), "
            "192.0.2.1 or [2001:db8::1], without a port"
        )
    return f".{found}" if text.startswith(".") else found


def _network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address or network") from None
    if isinstance(network, IPv6Network):
        if "%" in text:
            raise ValueError(f"{text!r}: leave the zone out")
        if network.network_address.ipv4_mapped:
            raise ValueError(f"{text!r}: write it as IPv4")
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} has bits beyond its prefix: write {network}")
    return network
