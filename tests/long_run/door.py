"""What a user does at the door: logs in and out, renews the token, makes API tokens and ends them."""

import random
import time
from typing import NamedTuple

from support.live_service import LiveUser

from .asking import Asker
from .model import need

MOST_SESSIONS, MOST_TOKENS = 3, 3
RENEWED_S = 45  # so long a renewed token is good for certain; it is for 60 s


class ApiToken(NamedTuple):
    """One that lives."""

    id: str
    text: str
    scope: str
    name: str


class Door:
    """A user's session, further sign-ins, and API tokens."""

    def __init__(self, asker: Asker, user: LiveUser, chance: random.Random) -> None:
        self._asker, self._user, self._random = asker, user, chance
        self.token = user.token
        self.others: list[str] = []  # tokens of further sign-ins
        self.api_tokens: list[ApiToken] = []
        self._made = 0

    @property
    def path(self) -> str:
        return f"/api/{self._user.id}"

    def any_token(self, *, to_write: bool) -> str:
        """A token that is good for a call on tasks."""
        fit = [one.text for one in self.api_tokens if one.scope == "write" or not to_write]
        return self._random.choice([self.token, *self.others, *fit])

    def sign_in_or_out(self) -> None:
        """Log in once more; or log out, and that token is dead at once."""
        if len(self.others) < MOST_SESSIONS and self._random.random() < 0.6:
            body = {"email": self._user.email, "password": self._user.password}
            session = self._asker.expect(200, "login", "POST", "/api/auth/login", body)["data"]
            need(session["user_id"] == self._user.id, f"{session}")
            self.others.append(session["access_token"])
        elif self.others:
            token = self.others.pop(self._random.randrange(len(self.others)))
            self._asker.expect(204, "logout", "POST", "/api/auth/logout", token=token)
            self._is_dead(token)
        found = self._asker.expect(
            200, "sessions", "GET", f"{self.path}/sessions", token=self.token
        )
        need(len(found["data"]) == 1 + len(self.others), f"sign-ins: {found}")
        need([one["is_current"] for one in found["data"]].count(True) == 1, f"sign-ins: {found}")

    def renew(self) -> None:
        """Go on with a new token; the old one is still good for a while."""
        former, began = self.token, time.monotonic()
        session = self._asker.expect(200, "renew", "POST", "/api/auth/renew", token=former)["data"]
        self.token = session["access_token"]
        need(self.token != former, "the renewed token is the old one")
        reply = self._asker.ask("account", "GET", self.path, token=former)
        if time.monotonic() - began < RENEWED_S:
            need(reply.status == 200, f"the old token, after a renewal: {reply.status}")

    def make_or_end(self) -> None:
        """Make an API token; or end one, and it is dead at once."""
        path = f"{self.path}/tokens"
        if len(self.api_tokens) < MOST_TOKENS and self._random.random() < 0.6:
            self._made += 1
            body = {"name": f"script {self._made}", "scope": self._random.choice(("read", "write"))}
            made = self._asker.expect(201, "make a token", "POST", path, body, token=self.token)[
                "data"
            ]
            self.api_tokens.insert(
                0, ApiToken(made["id"], made["token"], body["scope"], body["name"])
            )
        elif self.api_tokens:
            ended = self.api_tokens.pop(self._random.randrange(len(self.api_tokens)))
            one = f"{path}/{ended.id}"
            self._asker.expect(204, "end a token", "DELETE", one, token=self.token)
            self._is_dead(ended.text)
        found = self._asker.expect(200, "tokens", "GET", path, token=self.token)["data"]
        shown = [(one["id"], one["name"], one["scope"]) for one in found]
        need(
            shown == [(one.id, one.name, one.scope) for one in self.api_tokens], f"tokens: {found}"
        )

    def overstep(self, other: str) -> None:
        """Ask for what the user, or an API token, may not do."""
        ask = self._asker.refused
        ask(403, "forbidden", "refused", "GET", f"/api/{other}/tasks", token=self.token)
        for one in self.api_tokens:
            ask(403, "insufficient-scope", "refused", "GET", f"{self.path}/events", token=one.text)
            if one.scope == "read":
                body = {"title": "Not for this token"}
                path = f"{self.path}/tasks"
                ask(403, "insufficient-scope", "refused", "POST", path, body, token=one.text)

    def _is_dead(self, token: str) -> None:
        self._asker.refused(401, "unauthorized", "refused", "GET", self.path, token=token)
