"""TLS as nginx speaks it with nginx.conf: nothing older than 1.2, and nothing without."""

import ssl
import warnings
from collections.abc import Iterator

import pytest

from support.live_service import LiveService
from support.nginx import Nginx, nginx
from support.wire import head

pytestmark = pytest.mark.programs


@pytest.fixture
def proxy(running: LiveService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(running.port, tmp_path_factory.mktemp("nginx")) as found:
        yield found


def spoken(proxy: Nginx, newest: str) -> str | None:
    """The version that a client gets that speaks all versions up to `newest`."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        proxy.tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        proxy.tls.maximum_version = ssl.TLSVersion[newest]
    proxy.tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with proxy.open() as connection:
        return connection.version()


def test_tls_1_3_and_1_2_are_spoken_and_no_older_version(proxy: Nginx) -> None:
    assert [spoken(proxy, newest) for newest in ("TLSv1_3", "TLSv1_2")] == ["TLSv1.3", "TLSv1.2"]
    for old in ("TLSv1_1", "TLSv1"):
        with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):  # nginx's, not our own
            spoken(proxy, old)


def test_a_request_without_tls_is_refused_and_not_led_elsewhere(
    proxy: Nginx, service: LiveService
) -> None:
    with proxy.open_plain() as connection:
        connection.sendall(head("GET /x HTTP/1.1", X_Request_ID="bare", Connection="close"))
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\nLocation:" not in answer
    assert '"bare"' not in service.log()
