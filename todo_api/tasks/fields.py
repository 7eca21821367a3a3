"""What the fields of a task may hold: each function takes what was sent, and returns what is stored."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NoReturn

from todo_api.tasks.letter_case import folded
from todo_api.web.schemas import is_id
from todo_api.web.text import clean_line, refuse_surrogates, trimmed

TITLE_MAX = 500
NOTES_MAX = 4000
TAG_MAX = 50
TAGS_MAX = 20
FIRST_YEAR = 1970
UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# As published in the document; the functions below say what else is wrong.
# In 1970 of UTC it may still be 1969 where a moment is written.
DATE = "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
MOMENT = rf"(1969-12-31|{DATE})[Tt]{_TIME}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]{_TIME})"

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339, 5.6, where T and Z may be in lower case
_MOMENT = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_TIME}:[0-9]{{2}}"
    rf"(?P<fraction>\.[0-9]+)?(?P<zone>[Zz]|[+-]{_TIME})"
)
# of a text of many lines: not tabs and line feeds
_CONTROL_OF_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PUBLISHED_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


def clean_title(text: str) -> str:
    """The title as it is stored; ValueError says what is wrong with it."""
    return clean_line(text, TITLE_MAX)


def clean_notes(text: str) -> str | None:
    """Notes with one kind of line ends; None for empty ones."""
    text = with_line_feeds(text)
    if len(text) > NOTES_MAX:
        raise ValueError(f"must have at most {NOTES_MAX} characters")
    refuse_control_of_lines(text)
    refuse_surrogates(text)
    return text if trimmed(text) else None


def with_line_feeds(text: str) -> str:
    """The text with one kind of line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def refuse_control_of_lines(text: str) -> None:
    """Raise ValueError for a control character that notes can't have."""
    if _CONTROL_OF_LINES.search(text):
        raise ValueError("must not contain control characters other than tabs and line ends")


def clean_tag(text: str) -> str:
    """A tag as it is stored."""
    tag = clean_line(text, TAG_MAX)
    if "," in tag:
        raise ValueError("must not contain commas")
    return tag


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in the order sent; of those that differ in letter case only, the first."""
    kept: dict[str, str] = {}
    for text in tags:
        try:
            tag = clean_tag(text)
        except ValueError as error:
            raise ValueError(f"each {error}") from None
        kept.setdefault(folded(tag), tag)
    return tuple(kept.values())


def clean_date(text: str) -> str:
    """A day of the calendar."""
    if not _DATE.fullmatch(text):
        raise ValueError("must be a date, such as 2026-12-24")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day of the calendar") from None
    if day.year < FIRST_YEAR:
        _refuse_year()
    return text


def clean_moment(text: str) -> str:
    """A moment in UTC, with microseconds."""
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(
            "must be a moment in RFC 3339 with seconds and an offset, such as 2026-12-24T18:00:00+01:00"
        )
    fraction, zone = found["fraction"] or ".0", found["zone"]
    try:
        local = datetime.fromisoformat(text[:19].upper())
    except ValueError:
        raise ValueError("must be a moment of the calendar; leap seconds can't be stored") from None
    try:
        moment = local.replace(tzinfo=_offset(zone)).astimezone(UTC)
    except OverflowError:
        _refuse_year()
    if moment.year < FIRST_YEAR:
        _refuse_year()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction[1:7]:0<6}Z"


def clean_id(text: str) -> str:
    """A UUID of any version, in lower case."""
    if not is_id(text):
        raise ValueError("must be a UUID, such as 5a0b7a52-9c84-4f0e-8f3c-6f1f1c0d9f10")
    return text.lower()


def _offset(zone: str) -> timezone:
    if zone in "Zz":
        return UTC
    minutes = 60 * int(zone[1:3]) + int(zone[4:6])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))


def _refuse_year() -> NoReturn:
    raise ValueError(f"must be in the years {FIRST_YEAR} to 9999, in UTC")
