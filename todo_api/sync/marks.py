"""The numbers that clients send as `since`: revisions and, on the way through all tasks, walking marks.

A client whose `since` is older than deletions that are forgotten has to start over. One that starts has no
`since`, gets the tasks by their revisions, lowest first, and on the second page its `since` is that of an old
task: lower than what is forgotten, although it has missed nothing. Of deletions it needs only those after its
first page; at that time, deletions up to the forgotten revision F were of tasks that it was never shown. So
its `since` is then a walking mark: the revision R, and F. While F is still the same, all deletions after F
are known, and it can go on after R. From R = F on, plain revisions do.
"""

from typing import NamedTuple

# Marks are larger than any revision and below 2^53, up to which JavaScript's numbers are exact.
_MARKS: int = 2**52
# Of F its last bits: it only grows, and would have to grow by a multiple of 262 144 during one walk.
_BITS = 18
_HIGHEST = 2**34  # of R: 17 billion changes of one user


class Since(NamedTuple):
    """From where on a client asks: after this revision and, with a mark, what was forgotten then."""

    revision: int
    forgotten: int | None = None

    @classmethod
    def of(cls, number: int) -> "Since":
        """What a client's number stands for."""
        if number < _MARKS:
            return cls(number)
        mark = number - _MARKS
        return cls(mark >> _BITS, mark % 2**_BITS)

    def is_expired(self, latest: int, forgotten: int) -> bool:
        """Whether a client with this has to start over."""
        if self.forgotten is not None:
            return self.forgotten != forgotten % 2**_BITS or self.revision >= forgotten
        return self.revision > latest or 0 < self.revision < forgotten


def after(revision: int, forgotten: int) -> int:
    """The number with which a client goes on after a page that ends with this revision."""
    if forgotten <= revision or revision >= _HIGHEST:
        return revision
    mark: int = (revision << _BITS) + forgotten % 2**_BITS
    return _MARKS + mark
