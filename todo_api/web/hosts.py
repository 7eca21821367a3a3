"""Which hosts a request may be for: against web pages that give their own name this machine's address."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from todo_api.settings.hosts import ANY_HOST, host_of, is_loopback
from todo_api.web.problems import Problem
from todo_api.web.request import FORWARDED_HOST, Request

# Load balancers and Kubernetes call the checks by address. The answers say nothing that a page could use.
_FOR_ANY_HOST = "/health/"


class AllowedHosts:
    """The hosts of ALLOWED_HOSTS, or by default those that fit the address that is listened on."""

    def __init__(self, names: Collection[str], listens_on: str) -> None:
        self._names = frozenset(names)
        self._any = ANY_HOST in self._names or not (self._names or is_loopback(listens_on))
        self._allows = lru_cache(64)(self._looked_up)  # most requests are for the same few

    def check(self, request: Request) -> None:
        """Raise Problem for a request that is for another host."""
        environ = request.environ
        if not self.allow(environ) and not environ["PATH_INFO"].startswith(_FOR_ANY_HOST):
            raise Problem("misdirected-request")

    def allow(self, environ: dict[str, Any]) -> bool:
        """Whether all hosts that a request names are allowed."""
        if self._any:
            return True
        # None for HTTP/1.0 without Host: a browser always sends one.
        sent = environ.get("HTTP_HOST")
        forwarded = environ.get(FORWARDED_HOST)
        claimed = [] if sent is None else [sent]
        if forwarded is not None:
            claimed += forwarded.split(",")
        return all(map(self._allows, claimed))

    def _looked_up(self, authority: str) -> bool:
        host = host_of(authority)
        if host is None:
            return False
        if not self._names:
            return is_loopback(host)
        return host in self._names or any(
            f".{host}".endswith(name) for name in self._names if name.startswith(".")
        )
