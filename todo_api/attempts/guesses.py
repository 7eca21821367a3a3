"""Bounds wrong passwords for one account, whether it exists or not, from however many addresses they come.

The account has a counter, and so has each network from which it was signed in to within 90 days: strangers
can't use up the allowance of somebody's usual place. No counter names an address: its key is an HMAC.
"""

import hmac
import logging
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from flask import Flask, current_app
from limits import parse
from limits.errors import StorageError
from limits.storage import Storage

from todo_api.attempts import events
from todo_api.attempts.guess_counts import (
    Account,
    Counted,
    Counts,
    Keys,
    PostgresCounts,
    RedisCounts,
)
from todo_api.attempts.networks import client, shares_of
from todo_api.attempts.storage import PostgresStorage
from todo_api.database.calls import Call, Unavailable
from todo_api.database.data import Database
from todo_api.settings.config import Config
from todo_api.web.problems import Problem
from todo_api.web.request import current_request

EVENT_REASON = "guesses at one account"
PATIENCE_S = 4.0  # a guess that still waits then for others is refused
NETWORKS_MAX = 100  # of a user: the one that was signed in from least lately is forgotten
_PAUSES_S = (
    0.02,
    0.3,
)  # between looks whether guesses in flight were right: the first, the longest

logger = logging.getLogger("todo_api.guesses")


class Guess:
    """A password for an account that may be looked at, once."""

    def __init__(self, counts: Counts, counted: Counted, account: Account | None) -> None:
        self.account = account
        self._counts = counts
        self._counted = counted
        self.is_wrong = self.is_right = False

    def was_wrong(self) -> tuple[Call, ...]:
        """The guess counts; what is returned belongs into the transaction that follows."""
        self.is_wrong = True
        return self._counts.wrong(self._counted)

    def was_right(self) -> tuple[Call, ...]:
        """The guess counts for nothing; what is returned belongs into the transaction that follows."""
        self.is_right = True
        return self._counts.take_back(self._counted)


class Guesses:
    """Counts guesses by `counts`, under keys made with a secret that all processes share."""

    def __init__(self, database: Database, counts: Counts, secret: str, window_s: int) -> None:
        self._database = database
        self._counts = counts
        self._window_s = window_s
        # Signs nothing else: a token is signed with the secret itself.
        self._key = hmac.digest(secret.encode(), b"todo-api guesses v1", "sha256")

    @contextmanager
    def looking(self, email: str, wanted: str | None, keys: Keys) -> Iterator[Guess]:
        """Count a guess while its password is looked at; only a wrong one stays counted."""
        guess = self._counted(email, wanted, keys)
        try:
            yield guess
        except BaseException:
            if not guess.is_wrong:  # nobody looked at it, or what follows a right one failed
                self._take_back(guess)
            raise
        if not (guess.is_wrong or guess.is_right):
            self._take_back(guess)

    def keys(self, email: str) -> Keys:
        """The counters of an address, for the request's network."""
        return Keys(self._hidden(email), self._hidden(f"{email} {network()}"))

    def _hidden(self, text: str) -> str:
        return f"guesses/{hmac.digest(self._key, text.encode(), 'sha256').hex()}"

    def _counted(self, email: str, wanted: str | None, keys: Keys) -> Guess:
        """Raises Problem if the counter is full.

        While a guess in a full counter may turn out to be right, it is not said to be full: right passwords
        refuse nobody.
        """
        patient_until, (pause_s, longest_s) = time.monotonic() + PATIENCE_S, _PAUSES_S
        while True:
            account, counted = self._counts.find_and_count(wanted, network(), keys)
            if isinstance(counted, Counted):
                return Guess(self._counts, counted, account)
            if counted.wait_s > 0 and not counted.is_in_doubt:
                break
            if time.monotonic() > patient_until:
                raise Problem("unavailable", "Too many sign-ins at this moment.")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)
        current_request().limited_by = "account"
        events.record("rate_limited", EVENT_REASON, account and account.user_id)
        # at most one window, even if a clock was set back
        wait_s = max(1, min(self._window_s, math.ceil(counted.wait_s)))
        raise Problem(
            "rate-limited",
            "Too many wrong passwords for this e-mail address.",
            headers={"Retry-After": str(wait_s)},
        )

    def _take_back(self, guess: Guess) -> None:
        try:
            calls = guess.was_right()
            if calls:
                self._database.before_sign_in(*calls)
        except (Unavailable, StorageError):
            logger.warning("a guess stays counted, although it was none")


def init_app(app: Flask, config: Config, database: Database, attempts: Storage) -> None:
    """Count guesses where `attempts` are counted.

    A new JWT_SECRET starts the counters afresh; while processes with both secrets run, each counts its own.
    """
    assert config.jwt_secret  # noqa: S101 (no application is made without it)
    limit = parse(config.account_guess_limit)
    counts = (
        PostgresCounts(database, limit)
        if isinstance(attempts, PostgresStorage)
        else RedisCounts(database, limit, attempts)
    )
    app.extensions["guesses"] = Guesses(database, counts, config.jwt_secret, limit.get_expiry())


def attempt(email: str) -> AbstractContextManager[Guess]:
    """`with attempt(email) as guess:` for login: the account of the address, if a password may be looked at.

    Raises Problem if not, or if that can't be known in time.
    """
    guesses = _guesses()
    return guesses.looking(email, email, guesses.keys(email))


def own_account() -> Call:
    """Finds what `at_own_account` takes: the user's email, and whether the request's network is known."""
    return Call("sign_in_networks/look", {"network": network()})


def at_own_account(email: str, is_known_network: bool) -> AbstractContextManager[Guess]:
    """As `attempt`, for a signed-in user's current password; the guess has no `account`."""
    guesses = _guesses()
    elsewhere, here = guesses.keys(email)
    key = here if is_known_network else elsewhere
    return guesses.looking(email, None, Keys(key, key))


def network() -> str:
    """The network that the request's guess comes from: an IPv4 address, or an IPv6 /64."""
    return shares_of(client())[0].network


def remember_network() -> tuple[Call, Call]:
    """For the transaction of a sign-in: from now on the user knows the request's network."""
    return (
        Call("sign_in_networks/make_room", {"network": network(), "kept": NETWORKS_MAX - 1}),
        Call("sign_in_networks/see", {"network": network()}),
    )


def _guesses() -> Guesses:
    return current_app.extensions["guesses"]  # type: ignore[no-any-return]
