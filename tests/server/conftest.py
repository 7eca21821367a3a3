"""What the tests of the HTTP service share."""

from support.small_service import start

__all__ = ["start"]
