"""What the server refuses before the application sees it has the headers of every other answer."""

import re

import pytest

from support.live_service import LiveService
from support.wire import replies
from todo_api.web.headers import ALWAYS, EXPOSED, HSTS, UNLESS_SET

LISTED = "https://app.example.com"
POST = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "400": "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n{more}\r\n",
    "408 without a body": POST + "{more}Content-Length: 1\r\n\r\n",
    "408 in the head": POST + "{more}X-More",
    "413": POST + "Content-Length: 2000000\r\n{more}\r\n",
    "431": "GET / HTTP/1.1\r\n{more}X-Filler: " + "x" * 20_000 + "\r\n\r\n",
}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"CORS_ORIGINS": LISTED, "TRUSTED_PROXIES": "127.0.0.2", "REQUEST_TIMEOUT": "1"}


def refusal(service: LiveService, name: str, sender: str, **sent: str) -> dict[str, str]:
    """The headers of a refusal, to a request with these from this address."""
    more = "".join(f"{header.replace('_', '-')}: {value}\r\n" for header, value in sent.items())
    with service.open(source=sender) as connection:
        connection.sendall(REFUSED[name].format(more=more).encode())
        [reply] = replies(connection, service.scan)
    assert reply.status == int(name[:3])
    return dict(reply.headers.items())


@pytest.mark.parametrize("name", REFUSED)
def test_pages_of_a_listed_origin_can_read_it(service: LiveService, name: str) -> None:
    headers = refusal(service, name, "127.0.0.1", Origin=LISTED)
    assert headers["Access-Control-Allow-Origin"] == LISTED
    assert re.split(", ?", headers["Access-Control-Expose-Headers"]) == [*EXPOSED]
    assert headers["Vary"] == "Origin"
    assert headers.items() >= (ALWAYS | UNLESS_SET).items()
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("origin", ["https://other.example.com", f"{LISTED}.example", "null"])
def test_pages_of_another_origin_can_not(service: LiveService, origin: str) -> None:
    headers = refusal(service, "413", "127.0.0.1", Origin=origin)
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


@pytest.mark.parametrize("name", REFUSED)
def test_behind_a_proxy_with_https_it_asks_for_https(service: LiveService, name: str) -> None:
    https = {"X_Forwarded_Proto": "https"}
    assert refusal(service, name, "127.0.0.2", **https)["Strict-Transport-Security"] == HSTS
    assert "Strict-Transport-Security" not in refusal(service, name, "127.0.0.1", **https)
