"""How much of large answers this process holds for clients that have not read them yet."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
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
REMEMBERED = 1000  # users who have had a large list

logger = logging.getLogger("todo_api.unsent")


class Content:
    """The encoded data of an answer: one copy for all clients that are being sent the same.

    It is held by the answers that are being sent, and by nothing else.
    """

    def __init__(self, unsent: "Unsent", owner: str, *, is_whole_list: bool = False) -> None:
        self._unsent = unsent
        self.owner = owner
        self.is_whole_list = is_whole_list
        self.tag = ""  # once it is complete
        self._pieces: list[bytes] = []
        self._blocks: list[mmap] = []
        self.size = 0
        self.count = 0
        self.began = time.monotonic()
        self.reserved = 0
        self.is_given_up = False  # its readers have to be cut off, for others

    @property
    def held(self) -> int:
        """How much of the room it takes."""
        return max(self.size, self.reserved)

    def reserve(self, most: int) -> None:
        """Make sure of room for so much, before what is to be answered is done. Raises Problem without it."""
        if most >= LARGE:
            self.reserved = most
            self._unsent.admit(self)

    def add(self, piece: bytes, count: int) -> None:
        """Add the JSON of `count` more items. Raises Problem when there is no room for it."""
        self._pieces.append(piece)
        self.size += len(piece)
        self.count += count
        if self.size >= MIB:
            for one in self._pieces:
                self._store(one)
            self._pieces.clear()
        if self.size >= LARGE and self.size > self.reserved:
            try:
                self._unsent.admit(self)
            except Exception:
                self._pieces.clear()
                self._blocks.clear()
                self._unsent.forget(self)
                raise

    def parts(self) -> list[bytes | memoryview]:
        """The JSON of all items, to be sent as it is, without a copy."""
        full = [memoryview(block)[: block.tell()] for block in self._blocks]
        return [*full, *self._pieces]

    def _store(self, piece: bytes) -> None:
        # Not on malloc's heap, which keeps most of its memory when it is freed: after 100 lists of 22 MB a
        # process kept 90 MB.
        left = memoryview(piece)
        while left:
            if not self._blocks or self._blocks[-1].tell() == MIB:
                self._blocks.append(mmap(-1, MIB, MAP_PRIVATE | MAP_ANONYMOUS))
            block = self._blocks[-1]
            written = block.write(left[: MIB - block.tell()])
            left = left[written:]

    def is_large_in_the_making(self) -> bool:
        """Whether this is a list that is being made, and is large already."""
        return self.is_whole_list and not self.tag and self.size >= MIB


class InTheMaking(Exception):
    """The same user's list is large, and is being made for another request: take a turn after that one."""


class UnsentLoad(NamedTuple):
    """How much is held now, and how often something was refused since the start."""

    held: int
    refused: int


class Unsent:
    """All contents of this process. What nobody is being sent any more is gone by itself."""

    def __init__(self, return_memory: Callable[[], None]) -> None:
        """`return_memory` gives freed memory back to the system, after a large content was made."""
        self.return_memory = return_memory
        self._lock = threading.RLock()
        self._contents: WeakSet[Content] = WeakSet()
        self._large_users: OrderedDict[str, None] = OrderedDict()
        self._refused = 0

    def load(self) -> UnsentLoad:
        """What is held now."""
        with self._lock:
            return UnsentLoad(sum(one.held for one in self._contents), self._refused)

    def admit(self, grown: Content) -> None:
        """Count a content that has become larger. Raises Problem without room for it, or InTheMaking.

        The first content of a user is never refused for that user's other ones. When the process holds too
        much, the user who holds most loses the oldest content, unless it is still safe.
        """
        with self._lock:
            others = [one for one in self._contents if one is not grown]
            earlier = [
                one for one in others if one.owner == grown.owner and one.began < grown.began
            ]
            if grown.is_whole_list and grown.size >= MIB:
                self._remember(grown.owner)
                if any(one.is_large_in_the_making() for one in earlier):
                    raise InTheMaking
            if earlier and _size(earlier) + grown.held > USER_BYTES:
                raise self.full("of this user")
            while others and _size(others) + grown.held > PROCESS_BYTES:
                victim = _oldest_of_the_largest(others)
                if time.monotonic() - victim.began < SAFE_S:
                    raise self.full("of all users")
                victim.is_given_up = True
                self._contents.discard(victim)
                others.remove(victim)
            self._contents.add(grown)

    def forget(self, content: Content) -> None:
        """Count a refused content no more; the exception may keep it for a while."""
        with self._lock:
            self._contents.discard(content)
        self.return_memory()

    def complete(self, content: Content, tag: str) -> Content:
        """The content to send under this tag: one that is being sent already, if there is one."""
        content.reserved = 0
        if content.size < LARGE:
            self._contents.discard(content)
            return content
        with self._lock:
            found = self._find(content.owner, tag) or content  # before it has the tag itself
            content.tag = tag
        if content.size >= MIB:
            self.return_memory()
        return found

    def find(self, owner: str, tag: str) -> Content | None:
        """A content that is being sent under this tag."""
        with self._lock:
            return self._find(owner, tag)

    def has_some_of(self, owner: str) -> bool:
        """Whether something large is being sent to the user, or made for the user."""
        if not self._contents:  # the usual case
            return False
        with self._lock:
            return any(one.owner == owner for one in self._contents)

    def has_been_large(self, owner: str) -> bool:
        """Whether a whole list of the user has had more than 1 MB, as far as is remembered."""
        return owner in self._large_users

    def being_made(self) -> set[str]:
        """The users whose whole list is large, and is being made now."""
        with self._lock:
            return {one.owner for one in self._contents if one.is_large_in_the_making()}

    def full(self, whose: str) -> Problem:
        """Count and log a refusal; returns the Problem to raise."""
        with self._lock:
            self._refused += 1
        logger.warning("unavailable: too many unread large answers %s", whose)
        return Problem(
            "unavailable",
            "Too many large answers are still being sent. Read those that you asked for, or ask for "
            "shorter pages.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )

    def _remember(self, owner: str) -> None:
        self._large_users[owner] = None
        self._large_users.move_to_end(owner)
        if len(self._large_users) > REMEMBERED:
            self._large_users.popitem(last=False)

    def _find(self, owner: str, tag: str) -> Content | None:
        return next((one for one in self._contents if one.owner == owner and one.tag == tag), None)


def _size(contents: list[Content]) -> int:
    return sum(one.held for one in contents)


def _oldest_of_the_largest(contents: list[Content]) -> Content:
    """The oldest content of the user who holds most."""
    held: dict[str, int] = {}
    for one in contents:
        held[one.owner] = held.get(one.owner, 0) + one.held
    most = max(held, key=lambda owner: held[owner])
    return min((one for one in contents if one.owner == most), key=lambda one: one.began)
