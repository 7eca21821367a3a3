"""The limiter's strategy: an attempt counts in each network that it comes from, or in none."""

import math
import time
from typing import NamedTuple

from limits import RateLimitItem
from limits.storage import MovingWindowSupport
from limits.strategies import STRATEGIES, MovingWindowRateLimiter
from limits.util import WindowStats

from todo_api.attempts.networks import shares_of
from todo_api.attempts.storage import Counter, PostgresStorage

STRATEGY = "moving-window-of-networks"


class Standing(NamedTuple):
    """How a client stands in the network that allows it least."""

    allowed: int
    remaining: int
    wait_s: int  # until more is allowed there


class NetworkWindows(MovingWindowRateLimiter):
    """Moving windows of a client's networks, each with a multiple of the limit."""

    storage: MovingWindowSupport  # type: ignore[assignment]

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count an attempt, unless one of the windows is full; `identifiers` are an address and the rest."""
        counters = _counters(item, *identifiers)
        if isinstance(self.storage, PostgresStorage):
            return self.storage.count(counters, item.get_expiry(), cost)
        # Elsewhere the windows can't be counted at once. The narrowest comes first, so that what it refuses
        # uses up nothing of its neighbours' attempts.
        return self.test(item, *identifiers, cost=cost) and all(
            self.storage.acquire_entry(key, allowed, item.get_expiry(), amount=cost)
            for key, allowed in counters
        )

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Whether an attempt would be accepted."""
        return self.standing(item, *identifiers).remaining >= cost

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """When the tightest window allows more, and how many attempts it still has."""
        standing = self.standing(item, *identifiers)
        return WindowStats(time.time() + standing.wait_s, standing.remaining)

    def standing(self, item: RateLimitItem, *identifiers: str) -> Standing:
        """The network with the fewest attempts left; of several, the one that is full for longest."""
        counters, window_s = _counters(item, *identifiers), item.get_expiry()
        if isinstance(self.storage, PostgresStorage):
            windows = self.storage.read(counters, window_s)
        else:
            windows = [
                self.storage.get_moving_window(key, allowed, window_s) for key, allowed in counters
            ]
        now = time.time()
        return min(
            (
                # at least a second, at most one window, even if the database's clock is wrong
                Standing(
                    allowed,
                    max(0, allowed - used),
                    max(1, min(window_s, math.ceil(started + window_s - now))),
                )
                for (_, allowed), (started, used) in zip(counters, windows, strict=True)
            ),
            key=lambda one: (one.remaining, -one.wait_s),
        )


def _counters(item: RateLimitItem, address: str, *scope: str) -> list[Counter]:
    return [
        Counter(item.key_for(network, *scope), item.amount * times)
        for network, times in shares_of(address)
    ]


STRATEGIES[STRATEGY] = NetworkWindows
