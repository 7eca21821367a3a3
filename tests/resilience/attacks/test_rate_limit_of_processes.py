"""Five attempts for each client, over four worker processes, whatever a client writes into its headers."""

import threading
from collections import Counter
from typing import Any

import pytest

from support.live_service import LiveClient, LiveService

LIMIT = 5


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    # an hour, so that a slow machine opens no new window; 127.0.0.1 is the proxy, and no other
    return {
        "WORKERS": "4",
        "THREADS": "16",
        "AUTH_RATE_LIMIT": f"{LIMIT} per hour",
        "ACCOUNT_GUESS_LIMIT": "1000 per hour",
        "TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
    }


def attempts(client: LiveClient, chains: list[str | None]) -> Counter[int]:
    """Statuses of logins with these X-Forwarded-For."""
    body = {"email": "nobody@example.com", "password": "wrong password"}
    return Counter(
        client.ask(
            "POST", "/api/auth/login", body, {"X-Forwarded-For": chain} if chain else {}
        ).status
        for chain in chains
    )


def test_of_50_parallel_logins_five_pass(service: LiveService, figure: Any) -> None:
    found, barrier = Counter[int](), threading.Barrier(50)

    def log_in() -> None:
        with service.client("127.0.0.9") as client:  # connected, before all of them send at once
            barrier.wait()
            found.update(attempts(client, [None]))

    threads = [threading.Thread(target=log_in) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {401: LIMIT, 429: 50 - LIMIT}
    figure(8, "50 parallel logins from one address, 4 processes: pass", str(found[401]))


def test_addresses_that_an_untrusted_peer_makes_up_count_for_nothing(
    service: LiveService, figure: Any
) -> None:
    made_up = [f"203.0.{n // 250}.{n % 250}" for n in range(1000)]
    with service.client("127.0.0.8") as client:
        found = attempts(client, list(made_up))
    assert found == {401: LIMIT, 429: 1000 - LIMIT}
    figure(8, "1 000 values of X-Forwarded-For from an untrusted peer: pass", str(found[401]))


def test_addresses_of_one_ipv6_network_are_one_client(service: LiveService, figure: Any) -> None:
    with service.client() as client:
        found = attempts(client, [f"2001:db8:0:7:{n:x}:{n * n:x}::{n:x}" for n in range(1, 60)])
        assert attempts(client, ["2001:db8:0:8::1"]) == {401: 1}
    assert found == {401: LIMIT, 429: 59 - LIMIT}
    figure(8, "59 addresses of one IPv6 /64: pass", str(found[401]))


def test_behind_a_trusted_proxy_the_right_hop_counts(service: LiveService, figure: Any) -> None:
    with service.client() as client:
        # what the client forged stands left of the address that the proxy saw
        forged = [f"198.51.100.{n}, 192.0.2.33" for n in range(20)]
        further = [f"198.51.100.{n}, 192.0.2.33, 10.1.2.3" for n in range(20)]
        assert attempts(client, forged + further) == {401: LIMIT, 429: 40 - LIMIT}
        # and another client of the same proxy has attempts of its own, forged or not
        assert attempts(client, ["192.0.2.33, 192.0.2.34"] * 6) == {401: LIMIT, 429: 1}
        # other spellings of the first one are the first one
        spelled = ["192.0.2.33:4711", "::ffff:192.0.2.33", "[::ffff:c000:221]:80", "x, 192.0.2.33 "]
        assert attempts(client, spelled) == {429: len(spelled)}
    figure(8, "40 forged chains through a trusted proxy: pass", str(LIMIT))
