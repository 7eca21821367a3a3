"""Letter case beyond ASCII, which a database with the locale C does not know."""

from functools import cache
from typing import NamedTuple

_BEYOND_CASE = 0x20000  # no character from here on has a small or a capital letter beside it
_SHARP_S = "ß"


class WithoutCase(NamedTuple):
    """A text in small letters, and other letters that count as letters of it: each of `capitals` as one."""

    text: str
    capitals: str
    letters: str


def without_case(text: str) -> WithoutCase:
    """What a text is compared with, whose ASCII letters are small ones already.

    Sharp s, which is SS in capitals, is ss here. A statement can't compare by more letters than those of one
    text, so the letters that count as others are found for each text.
    """
    small = _all_small(text)
    pairs = [
        (capital, letter)
        for letter in dict.fromkeys(small + _SHARP_S)
        for capital in _capitals().get(letter, ())
    ]
    return WithoutCase(
        folded(text),
        "".join(capital for capital, _ in pairs),
        "".join(letter for _, letter in pairs),
    )


def folded(text: str) -> str:
    """One text for all that are the same but for letter case."""
    return _all_small(text).replace(_SHARP_S, "ss")


def _all_small(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_small, text))


def _small(letter: str) -> str:
    """One letter for all that differ in letter case only."""
    folded, lower = letter.casefold(), letter.lower()
    if len(folded) == 1:
        return folded
    return lower if len(lower) == 1 else letter


@cache
def _capitals() -> dict[str, list[str]]:
    """The other letters beyond ASCII for each of what _small returns: 20 ms, once."""
    found: dict[str, list[str]] = {}
    for letter in map(chr, range(128, _BEYOND_CASE)):
        if (small := _small(letter)) != letter:
            found.setdefault(small, []).append(letter)
    return found
