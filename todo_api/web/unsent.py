"""How much of large answers this process holds for clients that have not read them yet."""

import logging
import threading
import time
from typing import NamedTuple
from weakref import WeakSet

from todo_api.web.problems import Problem

CONTENT = "todo_api.content"  # in the environ, for the server: the Content of a large answer

MIB = 1024 * 1024
LARGE = 64 * 1024  # bytes; smaller answers are not counted
# For each process. Several thousand tasks with usual titles have 1 MB; 10 000 with the longest titles have
# 22 MB. One content of a user, and one of a process, may be as large as it is.
USER_BYTES = 16 * MIB
PROCESS_BYTES = 32 * MIB
# How long a content is safe from being given up for somebody else's: a usual client reads 22 MB in that time.
SAFE_S = 5.0
RETRY_AFTER_S = 5
MAKING_S = 3.0  # how long a request waits for the same user's content in the making
MOST_WAITING = 2  # of a process's threads

logger = logging.getLogger("todo_api.unsent")


class Content:
    """The encoded data of an answer: one copy for all clients that are being sent the same.

    It is held by the answers that are being sent, and by nothing else.
    """

    def __init__(self, unsent: "Unsent", owner: str) -> None:
        self._unsent = unsent
        self.owner = owner
        self.tag = ""  # once it is complete
        self.pieces: list[bytes] = []
        self.size = 0
        self.count = 0
        self.began = time.monotonic()
        self.is_given_up = False  # its readers have to be cut off, for others

    def add(self, piece: bytes, count: int) -> None:
        """Add the JSON of `count` more items. Raises Problem when there is no room for it."""
        self.pieces.append(piece)
        self.size += len(piece)
        self.count += count
        if self.size >= LARGE:
            self._unsent.admit(self)


class UnsentLoad(NamedTuple):
    """How much is held now, and how often something was refused since the start."""

    held: int
    refused: int


class Unsent:
    """All contents of this process. What nobody is being sent any more is gone by itself."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._contents: WeakSet[Content] = WeakSet()
        self._waiting = 0
        self._refused = 0

    def load(self) -> UnsentLoad:
        """What is held now."""
        with self._lock:
            return UnsentLoad(sum(one.size for one in self._contents), self._refused)

    def admit(self, grown: Content) -> None:
        """Count a content that has become larger. Raises Problem when there is no room for it.

        The first content of a user is never refused for that user's other ones. When the process holds too
        much, the user who holds most loses the oldest content, unless it is still safe.
        """
        with self._lock:
            others = [one for one in self._contents if one is not grown]
            earlier = sum(
                one.size for one in others if one.owner == grown.owner and one.began < grown.began
            )
            if earlier and earlier + grown.size > USER_BYTES:
                raise self._full("of this user")
            while others and sum(one.size for one in others) + grown.size > PROCESS_BYTES:
                victim = _oldest_of_the_largest(others)
                if time.monotonic() - victim.began < SAFE_S:
                    raise self._full("of all users")
                victim.is_given_up = True
                self._contents.discard(victim)
                others.remove(victim)
            self._contents.add(grown)

    def complete(self, content: Content, tag: str) -> Content:
        """The content to send under this tag: one that is being sent already, if there is one."""
        with self._lock:
            content.tag = tag
            if content in self._contents:
                content = self._find(content.owner, tag) or content
                self._lock.notify_all()
            return content

    def find(self, owner: str, tag: str) -> Content | None:
        """A content that is being sent under this tag."""
        with self._lock:
            return self._find(owner, tag)

    def has_some_of(self, owner: str) -> bool:
        """Whether the user is being sent something large, after a wait for what is in the making.

        Raises Problem when too many wait already, or it takes too long.
        """
        if not self._contents:  # the usual case
            return False
        with self._lock:
            if self._is_made_for(owner):
                if self._waiting >= MOST_WAITING:
                    raise self._full("in the making")
                self._waiting += 1
                try:
                    self._wait_while_made_for(owner)
                finally:
                    self._waiting -= 1
            return any(one.owner == owner for one in self._contents)

    def _wait_while_made_for(self, owner: str) -> None:
        deadline = time.monotonic() + MAKING_S
        while self._is_made_for(owner):
            if time.monotonic() >= deadline:
                raise self._full("in the making")
            self._lock.wait(0.1)  # nobody tells when the making has failed

    def _is_made_for(self, owner: str) -> bool:
        return any(one.owner == owner and not one.tag and one.size >= MIB for one in self._contents)

    def _find(self, owner: str, tag: str) -> Content | None:
        return next((one for one in self._contents if one.owner == owner and one.tag == tag), None)

    def _full(self, whose: str) -> Problem:
        self._refused += 1
        logger.warning("unavailable: too many unread large answers %s", whose)
        return Problem(
            "unavailable",
            "Too many large answers are still being sent. Read those that you asked for, or ask for "
            "shorter pages.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )


def _oldest_of_the_largest(contents: list[Content]) -> Content:
    """The oldest content of the user who holds most."""
    held: dict[str, int] = {}
    for one in contents:
        held[one.owner] = held.get(one.owner, 0) + one.size
    most = max(held, key=lambda owner: held[owner])
    return min((one for one in contents if one.owner == most), key=lambda one: one.began)
