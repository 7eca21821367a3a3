"""How a route is called in logs and metrics."""

import re
from functools import cache

_CONVERTER = re.compile(r"<(?!path:)\w+:")


@cache
def route_name(rule: str) -> str:
    """A rule of the URL map without the names of converters, which are no part of the API."""
    return _CONVERTER.sub("<", rule)
