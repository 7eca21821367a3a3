"""Who is next: groups of requests take turns, and each group may have only so many running at a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address

# Prefixes of networks, from the widest group to one client. Somebody who has a whole IPv6 /32 or IPv4 /16
# gets one turn as anybody else does; inside of it its /48s take turns, and so on.
IPV4_PREFIXES = (16, 24, 32)
IPV6_PREFIXES = (32, 48, 56, 64)


def groups_of(client: IPv4Address | IPv6Address | None) -> tuple[Hashable, ...]:
    """The groups that a client is in, from the widest to the narrowest; None for an unknown one."""
    if client is None:
        return ("unknown",)
    prefixes = IPV4_PREFIXES if client.version == 4 else IPV6_PREFIXES
    number, bits = int(client), client.max_prefixlen
    return tuple((client.version, number >> (bits - prefix)) for prefix in prefixes)


class Turns:
    """Items that wait in groups, or in groups of groups. At each level the groups take turns."""

    def __init__(self) -> None:
        self._groups: OrderedDict[Hashable, Turns | deque[Any]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, path: Sequence[Hashable], item: Any) -> None:
        """Add an item at the end of the group at `path`."""
        self._size += 1
        key, *deeper = path
        if deeper:
            group: Any = self._groups.setdefault(key, Turns())
            group.append(deeper, item)
        else:
            group = self._groups.setdefault(key, deque())
            group.append(item)

    def popleft(self) -> Any:
        """The oldest item of the group whose turn it is."""
        key, group = self._groups.popitem(last=False)
        item = group.popleft()
        if group:
            self._groups[key] = group  # behind all other groups
        self._size -= 1
        return item

    def pop(self) -> Any:
        """The newest item of the largest group: the one to refuse when too many wait."""
        key = max(reversed(self._groups), key=lambda key: len(self._groups[key]))
        group = self._groups[key]
        item = group.pop()
        if not group:
            del self._groups[key]
        self._size -= 1
        return item

    def remove(self, is_over: Callable[[Any], bool]) -> Iterator[Any]:
        """Remove and yield the items for which `is_over` is true."""
        for key, group in list(self._groups.items()):
            if isinstance(group, Turns):
                over = list(group.remove(is_over))
            else:
                over = [item for item in group if is_over(item)]
                for item in over:
                    group.remove(item)
            if not group:
                del self._groups[key]
            self._size -= len(over)
            yield from over
