"""Whose address a request counts for, with and without trusted proxies."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from todo_api.server.forwarded import Forwarded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

PROXY = "10.0.0.1"
TRUSTED = ["10.0.0.0/24", "2001:db8:1::/64", "192.0.2.77/32"]


def seen(
    headers: dict[str, str] | None = None,
    peer: str | None = PROXY,
    trusted: Iterable[str] = TRUSTED,
) -> dict[str, Any]:
    """The environ that the application gets."""
    environ: dict[str, Any] = {
        "REMOTE_ADDR": peer,
        "REMOTE_HOST": peer,
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "todo.example",
    }
    for name, value in (headers or {}).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    found: dict[str, Any] = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found.update(environ)
        return [b"answer"]

    middleware = Forwarded(app, [ip_network(network) for network in trusted])
    assert list(middleware(environ, lambda *_: lambda _: None)) == [b"answer"]
    return found


def client(chain: str, peer: str = PROXY) -> str:
    environ = seen({"X-Forwarded-For": chain}, peer)
    assert environ["REMOTE_HOST"] == environ["REMOTE_ADDR"]
    address: str = environ["REMOTE_ADDR"]
    return address


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("  203.0.113.9\t", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("2001:0DB8:0:0::0009", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:cb00:7109]:80", "203.0.113.9"),
    ],
)
def test_one_hop_is_the_client_in_canonical_form(chain: str, address: str) -> None:
    assert client(chain) == address


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        # What the client itself wrote stands on the left and counts for nothing.
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.5, 203.0.113.9", "203.0.113.9"),
        ("junk, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1,, ,203.0.113.9", "203.0.113.9"),
        # Several trusted hops, of both families and with ports.
        ("203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.0.0.3, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9, 2001:db8:1::5, [2001:db8:1::6]:80,10.0.0.2:99", "203.0.113.9"),
        ("203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        ("203.0.113.9, 192.0.2.77", "203.0.113.9"),
        # Just outside a trusted network.
        ("203.0.113.9, 192.0.2.78", "192.0.2.78"),
        ("203.0.113.9, 10.0.1.0", "10.0.1.0"),
        ("203.0.113.9, 2001:db8:1:1::", "2001:db8:1:1::"),
        # All trusted: the leftmost.
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ("10.0.0.4", "10.0.0.4"),
    ],
)
def test_the_first_untrusted_hop_from_the_right_is_the_client(chain: str, address: str) -> None:
    assert client(chain) == address


@pytest.mark.parametrize(
    "junk",
    [
        "",
        " ",
        "junk",
        "unknown",
        "_hidden",
        "localhost",
        '"203.0.113.9"',
        "for=203.0.113.9",
        "203.0.113",
        "203.0.113.256",
        "203.0.113.09",
        "203.0.113.9/32",
        "203.0.113.9:",
        "203.0.113.9:port",
        "203.0.113.9:123456",
        "203.0.113.9 203.0.113.8",
        "[203.0.113.9]",
        "fe80::1%eth0",
        "[fe80::1%25eth0]:80",
        "[2001:db8::9",
        "2001:db8::9]",
        "[2001:db8::9]80",
        "2001:db8:::9",
        "1" * 5000,
        "\u0661.1.1.1",
        "203.0.113.9\n",
    ],
)
def test_a_hop_that_is_no_address_ends_the_walk(junk: str) -> None:
    assert client(junk) == PROXY
    assert client(f"203.0.113.9, {junk}, 10.0.0.2") == "10.0.0.2"
    assert client(f"203.0.113.9, {junk}") == PROXY


@pytest.mark.parametrize(
    "peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:1::ffff", "2001:DB8:1:0::1"]
)
def test_a_trusted_peer_is_believed(peer: str) -> None:
    assert client("203.0.113.9", peer) == "203.0.113.9"


@pytest.mark.parametrize(
    "peer",
    ["10.0.1.1", "2001:db8:2::1", "203.0.113.1", "localhost", "", "10.0.0.1%1", None, "fe80::1%x"],
)
def test_headers_of_other_peers_are_removed_and_count_for_nothing(peer: str | None) -> None:
    headers = {
        "X-Forwarded-For": "10.0.0.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=10.0.0.9;proto=https",
    }
    assert seen(headers, peer) == seen({}, peer)
    assert seen(headers, PROXY, trusted=[]) == seen({}, PROXY)


def test_a_trusted_peers_headers_do_not_reach_the_application_either() -> None:
    environ = seen(
        {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "a", "Forwarded": "for=1.1.1.1"}
    )
    assert [name for name in environ if "FORWARDED" in name] == []
    assert environ["HTTP_HOST"] == "todo.example"


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        (" https ", "https"),
        ("http", "http"),
        ("http, https", "https"),
        ("https,http", "http"),
        ("", "http"),
        ("wss", "http"),
        ("https, javascript", "http"),
        ("https,", "http"),
        ("https://", "http"),
    ],
)
def test_a_trusted_peer_tells_the_scheme(value: str, scheme: str) -> None:
    environ = seen({"X-Forwarded-Proto": value})
    assert environ["wsgi.url_scheme"] == scheme
    assert environ["REMOTE_ADDR"] == PROXY


def test_without_the_headers_nothing_changes() -> None:
    assert seen({}, PROXY) == seen({}, PROXY, trusted=[])


def test_a_network_that_covers_all_trusts_every_hop() -> None:
    environ = seen({"X-Forwarded-For": "1.2.3.4, 5.6.7.8"}, "9.9.9.9", trusted=["0.0.0.0/0"])
    assert environ["REMOTE_ADDR"] == "1.2.3.4"


@pytest.mark.parametrize(
    ("sent", "root"),
    [
        ("/todo", "/todo"),
        ("/todo/", "/todo"),
        ("/a/b.c", "/a/b.c"),
        ("/evil, /todo", "/todo"),
        ("", ""),
        ("/", ""),
        ("todo", ""),
        ("//evil.example", ""),
        ("/a//b", ""),
        ("/a?b", ""),
        ("/a\r\nb", ""),
        ("/ü", ""),
        ("https://evil.example", ""),
        ("/a" * 101, ""),
    ],
)
def test_a_path_that_the_proxy_has_taken_away_is_the_root(sent: str, root: str) -> None:
    assert seen({"X-Forwarded-Prefix": sent}).get("SCRIPT_NAME", "") == root
    assert "SCRIPT_NAME" not in seen({"X-Forwarded-Prefix": sent}, "203.0.113.9")
