"""What the tests of the processes share."""

from support.small_service import start

__all__ = ["start"]
