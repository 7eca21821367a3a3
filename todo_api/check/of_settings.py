"""Settings that can be used, and that the operator should know about. `serve` tells some of them too."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from math import log2

from todo_api.settings.config import Config
from todo_api.settings.hosts import ANY_HOST, is_loopback
from todo_api.upkeep.findings import Finding, error, ok, warning

_LEAST_BITS = 96  # of a secret, by its characters: 26 hexadecimal digits have as many
_LEAST_ROUNDS = 10
_MAKE = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


def problems(found: Iterable[str], notes: Iterable[str]) -> Iterator[Finding]:
    """What reading the settings has found: problems end the start, notes don't."""
    bad = [error("settings", one, "correct it: `serve` would not start") for one in found]
    noted = [warning("settings", *_parted(one)) for one in notes]
    yield from [*bad, *noted] or [ok("settings", "all can be used")]


def _parted(note: str) -> tuple[str, str]:
    message, colon, hint = note.partition(": ")
    return (
        (message, hint)
        if colon and not hint[0].isupper()
        else (note, "correct it, or take it away")
    )


def unwise(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What an operator would not want to learn later: warnings of the start too."""
    if running_as_root():
        give = "" if config.database_url else "give DATA_DIR to an account without privileges and "
        serve = "serve as that account" if give else "serve as an account without privileges"
        yield warning("account", "running as root", give + serve)
    if config.trusted_proxies and not config.allowed_hosts and is_loopback(config.host):
        yield warning(
            "hosts",
            "only requests for localhost are answered",
            "set ALLOWED_HOSTS to the name that the proxy passes on",
        )
    if environ.get("SPACE_ID") and not config.trusted_proxies:
        yield warning(
            "proxies",
            "on Hugging Face Spaces all clients share one rate limit",
            "set TRUSTED_PROXIES",
        )


def running_as_root() -> bool:
    """Whether this account may do anything on the machine."""
    return os.geteuid() == 0


def questionable(config: Config) -> Iterator[Finding]:
    """What may be meant so, and rarely is."""
    for network in config.trusted_proxies:
        if network.prefixlen < (8 if isinstance(network, IPv4Network) else 16):
            yield warning(
                "proxies",
                f"TRUSTED_PROXIES has {network}, in which anybody can forge their address",
                "name the addresses of the proxies and no more",
            )
    if ANY_HOST in config.allowed_hosts and is_loopback(config.host) and not config.trusted_proxies:
        yield warning(
            "hosts",
            "ALLOWED_HOSTS is *, so web pages whose name leads to this machine can call the service",
            "name the hosts, or leave ALLOWED_HOSTS unset",
        )
    for origin in config.cors_origins:
        scheme, _, host = origin.partition("://")
        if scheme == "http" and not is_loopback(re.sub(r":\d+$", "", host)):
            yield warning(
                "cors",
                f"CORS_ORIGINS has {origin}, whose pages can be changed on their way to the browser",
                "serve the pages with https",
            )
    if config.bcrypt_rounds < _LEAST_ROUNDS:
        yield warning(
            "passwords",
            f"BCRYPT_ROUNDS is {config.bcrypt_rounds}, so hashes can be guessed quickly",
            "leave BCRYPT_ROUNDS unset; a password keeps its hash until it is changed",
        )
    for name in ("jwt_secret", "jwt_secret_previous"):
        yield from weakness(name.upper(), getattr(config, name))


def weakness(name: str, secret: str | None) -> Iterator[Finding]:
    """A warning for a secret that is long enough, and easy to guess all the same."""
    if secret is None:
        return
    if _bits(secret) < _LEAST_BITS or secret in (secret + secret)[1:-1]:
        yield warning(
            "secret",
            f"{name} repeats itself, and may be guessed",
            f"make one with {_MAKE}; until its tokens have expired the former one is JWT_SECRET_PREVIOUS",
        )


def _bits(text: str) -> float:
    """The entropy of a text, by how often it has each character."""
    return -sum(count * log2(count / len(text)) for count in Counter(text).values())
