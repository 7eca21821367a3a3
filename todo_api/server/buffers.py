"""What the server keeps of a large answer until its client has read it: a reference, never a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waitress.buffers import ReadOnlyFileBasedBuffer  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from todo_api.web.unsent import Content

_NOTHING = memoryview(b"")


class Shared(ReadOnlyFileBasedBuffer):  # type: ignore[misc]
    """Bytes that are sent from where they are: all clients that are sent the same file share one copy.

    waitress's own buffers copy what is written to them. This is a ReadOnlyFileBasedBuffer, because waitress
    puts such a buffer among a channel's buffers as it is (wsgi.file_wrapper).
    """

    def __init__(self, data: bytes, content: Content | None) -> None:
        self._left = memoryview(data)
        # Counted by Unsent for as long as this refers to it.
        self.content = content

    def __len__(self) -> int:
        return len(self._left)

    def get(self, numbytes: int = -1, skip: bool = False) -> memoryview:
        """The next bytes."""
        found = self._left[:numbytes] if numbytes >= 0 else self._left
        if skip:
            self.skip(len(found))
        return found

    def skip(self, numbytes: int, allow_prune: bool = False) -> None:
        """Forget bytes that were sent."""
        self._left = self._left[numbytes:]

    def close(self) -> None:
        """Forget all of it; nobody reads from a closed buffer."""
        self._left, self.content = _NOTHING, None
