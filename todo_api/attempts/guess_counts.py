"""Counts guesses at one account where attempts are counted: in the database, or in a Redis.

A guess counts before its password is looked at, so that of guesses at the same moment no more than allowed
are. It is marked as in flight until it is settled: one that was right is taken back.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from limits import RateLimitItem
from limits.errors import StorageError

from todo_api.database.calls import Call
from todo_api.database.data import Database

IN_FLIGHT_S = 30  # a password that is looked at for longer is one of a process that was killed


class Account(NamedTuple):
    """What login has to know of an account."""

    user_id: str
    password_hash: str
    password_version: int
    is_disabled: bool


class Keys(NamedTuple):
    """Of the two counters of an account that a guess may count in."""

    elsewhere: str
    here: str  # of the network, if the account was signed in to from there


class Counted(NamedTuple):
    """A guess that counts; `name` tells it from the others in the counter."""

    key: str
    name: str


class Full(NamedTuple):
    """A counter that takes no more."""

    wait_s: float  # until it does
    is_in_doubt: bool  # a guess in it may turn out to be right, and then there is room at once


class Counts(Protocol):
    """Where guesses are counted."""

    def find_and_count(
        self, email: str | None, network: str, keys: Keys
    ) -> tuple[Account | None, Counted | Full]:
        """Find the account, and count a guess at it; without an email only count."""

    def wrong(self, guess: Counted) -> tuple[Call, ...]:
        """Settle a guess; what is returned has to be done in the database."""

    def take_back(self, guess: Counted) -> tuple[Call, ...]:
        """Count a guess no longer; what is returned has to be done in the database."""


class PostgresCounts:
    """Counters in rate_limits. The guess is counted in the round trip that finds the account."""

    def __init__(self, database: Database, limit: RateLimitItem) -> None:
        self._database = database
        self._limit = {
            "most": limit.amount,
            "window": limit.get_expiry(),
            "doubt": IN_FLIGHT_S,
        }

    def find_and_count(
        self, email: str | None, network: str, keys: Keys
    ) -> tuple[Account | None, Counted | Full]:
        """See Counts."""
        parameters = {"email": email, "network": network, **keys._asdict(), **self._limit}
        [[(key, counted_at, *found)]] = self._database.before_sign_in(
            Call("before_sign_in/count_guess", parameters)
        )
        account = Account(*found) if found[0] else None
        if counted_at:
            return account, Counted(key, counted_at)
        [rows] = self._database.before_sign_in(
            Call("before_sign_in/read_guesses", {"key": key, **self._limit})
        )
        return account, Full(*rows[0]) if rows else Full(0, is_in_doubt=True)

    def wrong(self, guess: Counted) -> tuple[Call, ...]:
        """See Counts."""
        return (self._call("before_sign_in/settle_guess", guess),)

    def take_back(self, guess: Counted) -> tuple[Call, ...]:
        """See Counts."""
        return (self._call("before_sign_in/take_back_guess", guess),)

    @staticmethod
    def _call(statement: str, guess: Counted) -> Call:
        return Call(statement, {"key": guess.key, "counted_at": guess.name})


# A counter is a sorted set of names with their times; a name begins with `?` while the guess is in flight.
# Redis runs a script without anything between, by its own clock.
_COUNT = """
local time = redis.call('TIME')
local now, allowed, window = time[1] + time[2] / 1e6, tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - window))
local counted = redis.call('ZCARD', KEYS[1])
if counted < allowed then
    redis.call('ZADD', KEYS[1], string.format('%.6f', now), '?' .. ARGV[1])
    redis.call('EXPIRE', KEYS[1], window)
    return {}
end
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local in_doubt = 0
for i = 1, #found, 2 do
    if string.sub(found[i], 1, 1) == '?' and tonumber(found[i + 1]) > now - ARGV[4] then in_doubt = 1 end
end
return {string.format('%.6f', found[2 * (counted - allowed) + 2] + window - now), in_doubt}
"""
_SETTLE = """
local at = redis.call('ZSCORE', KEYS[1], '?' .. ARGV[1])
if at then
    -- First the new name: a set without members is gone, and the time of its end with it.
    redis.call('ZADD', KEYS[1], at, ARGV[1])
    redis.call('ZREM', KEYS[1], '?' .. ARGV[1])
end
"""


class RedisCounts:
    """Counters in the Redis of RATELIMIT_STORAGE_URI. Exact, as long as that Redis keeps what it was told.

    `limits` has no way to take an attempt back, but lends its connection.
    """

    def __init__(self, database: Database, limit: RateLimitItem, storage: Any) -> None:
        """`storage` is one of the Redis storages of `limits`."""
        self._database = database
        self._limit = limit
        self._storage = storage
        self._count, self._settle = map(storage.get_connection().register_script, (_COUNT, _SETTLE))

    def find_and_count(
        self, email: str | None, network: str, keys: Keys
    ) -> tuple[Account | None, Counted | Full]:
        """See Counts."""
        account, key = None, keys.elsewhere
        if email is not None:
            [found] = self._database.before_sign_in(
                Call("before_sign_in/find_account_from", {"email": email, "network": network})
            )
            for *fields, is_known_network in found:
                account = Account(*fields)
                key = keys.here if is_known_network else key
        guess = Counted(key, secrets.token_hex(8))
        limit = (self._limit.amount, self._limit.get_expiry(), IN_FLIGHT_S)
        with self._errors():
            full = self._count(keys=[self._key(guess)], args=[guess.name, *limit])
        return account, Full(float(full[0]), bool(full[1])) if full else guess

    def wrong(self, guess: Counted) -> tuple[Call, ...]:
        """See Counts."""
        with self._errors():
            self._settle(keys=[self._key(guess)], args=[guess.name])
        return ()

    def take_back(self, guess: Counted) -> tuple[Call, ...]:
        """See Counts."""
        with self._errors():
            self._storage.get_connection().zrem(self._key(guess), f"?{guess.name}")
        return ()

    def _key(self, guess: Counted) -> str:
        return str(self._storage.prefixed_key(guess.key))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._storage.base_exceptions as error:
            raise StorageError(error) from error
