"""What the memory of verified tokens may and may not do."""

import time

import pytest

from todo_api.auth.token_cache import TokenCache
from todo_api.database.calls import SignedIn

ANN = SignedIn("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-0000000000aa")
NOW = 1_800_000_000


@pytest.fixture
def clock(monkeypatch):
    """Sets what the time is."""

    def set_to(moment):
        monkeypatch.setattr(time, "time", lambda: moment)

    set_to(NOW)
    return set_to


def test_a_token_is_found_until_it_expires(clock):
    verified = TokenCache()
    verified.remember("Bearer a.b.c", ANN, NOW + 10)
    clock(NOW + 9.99)
    assert verified.find("Bearer a.b.c") == ANN
    clock(NOW + 10)
    assert verified.find("Bearer a.b.c") is None


def test_any_other_header_is_not_found(clock):
    verified = TokenCache()
    verified.remember("Bearer a.b.c", ANN, NOW + 10)
    for header in (
        "",
        "Bearer",
        "Bearer a.b.d",
        "bearer a.b.c",
        "Bearer a.b.c ",
        "a.b.c",
        "\udcff",
    ):
        assert verified.find(header) is None


def test_the_oldest_makes_room(clock):
    verified = TokenCache(size=2)
    for token in "xyz":
        verified.remember(token, ANN, NOW + 10)
    assert [verified.find(token) for token in "xyz"] == [None, ANN, ANN]


def test_a_token_itself_is_not_kept(clock):
    verified = TokenCache()
    verified.remember("Bearer a.b.c", ANN, NOW + 10)
    assert "a.b.c" not in repr(vars(verified))
