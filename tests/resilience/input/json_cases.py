"""JSON texts by what RFC 8259 says of them, made here, and those of a JSONTestSuite that is at hand.

The classes are those of nst/JSONTestSuite: a parser has to refuse `n_`, has to take `y_`, and may do
either with `i_`. JSON_TEST_SUITE names a checkout of it, whose 318 files then come on top.
"""

import os
from pathlib import Path

_SEED = '{"a":[1,-0.5e+2,"\\u00e9\\n€",true,false,null,{}],"b":{"c":[]}}'.encode()

_BAD_NUMBERS = [
    "01", "-01", "00", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1e-", "1E", "1e1.5", "1.5.5", "+",
    "+1", "-", "--", "--1", "-x", "1a", "1_000", "1,000", "0x10", "0b1", "0o7", "1e1e1", "1+1", "1-1",
    "NaN", "-NaN", "nan", "Infinity", "-Infinity", "+Infinity", "inf", "-inf", "Inf", "infinity", "1f",
    "1L", "2.e+3", "0.e1", "0e", "0e+", "0E+", "0.3e", "0.3e+", "1.0e", "1.0e-", "9.e+", "-2.", "-012",
    "-1.0.", "1\u066b5", "\u0661", "\uff11", "1/2", "1%",
]  # fmt: skip
_BAD_WORDS = [
    "True", "False", "None", "TRUE", "NULL", "Null", "tru", "fals", "nul", "truee", "nulll",
    "undefined", "yes", "no", "a", "x", "trve", "fa_lse", "n", "“x”", "'x'", "`x`", "x:1", "(1)",
    "<a/>", "#1", "/1/", "\\u0022x\\u0022", "@", "^", "~", "?", ";", "=", "!", "&", "|",
]  # fmt: skip
_BAD_STRINGS = [
    '"', '"x', 'x"', '"\\"', '"\\x41"', '"\\a"', '"\\0"', '"\\\'"', '"\\u"', '"\\u1"', '"\\u12"',
    '"\\u123"', '"\\u123g"', '"\\u 123"', '"\\U0041"', '"\\u{41}"', '"\\ "', '"\\\n"', '"a\nb"',
    '"a\rb"', '"a\tb"', '"a\0b"', '"\x1f"', '"\x01"', '"x" "y"', '"x""y"', '"x"+"y"', '"\\ud800\\u"',
    '"\\ud800\\u1"', '"\\ud800\\"', '"\\é"', '"\\😀"', '"\\uFFFX"', '"x\\',
]  # fmt: skip
_BAD_ARRAYS = [
    "[", "]", "[[", "]]", "[1", "1]", "[1]]", "[[1]", "[,]", "[,1]", "[1,]", "[1,,2]", "[1 2]",
    "[1;2]", "[1:2]", "[1,2}", "{1,2]", "[}", "[1,,]", "[1]x", "[1],", "[1][2]", "[]]", "[x", "[\"a\"",
    "[\"a\",", "[\n1,\n2", "[,", "[-]", "[ , ]", "[\"a\",\n4\n,1,", "[1 true]", "[\"\":1]", "[*]",
    "[<null>]", "[1,#\n2]",
]  # fmt: skip
_BAD_OBJECTS = [
    "{", "}", "{{}}", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}',
    '{"a"}', '{"a",1}', '{"a" 1}', '{"a"::1}', '{"a":1:2}', '{"a":1 "b":2}', "{a:1}", "{'a':1}",
    "{1:1}", "{null:1}", "{[1]:1}", "{true:1}", '{"a":}', '{:1}', '{"a":1}}', '{"a":1]', '["a":1}',
    '{"a"=1}', '{"a"=>1}', '{"a":1;}', '{"a":1}x', '{"a":1}#', '{"a":1}//', '{"a":1}/**/',
    '{"a":/*b*/1}', '{"a"://b\n1}', '{"a":1}{"b":2}', '{"a":1},', '{"a":1}"', '{"a":"b"',
    '{"a": true /', '{"a": x}', '{x:"b"}', '{"a":"b",c}', '{"a":...}', "{[]}", "{}}", "{,}",
    '{"a":1\0}', '{\u00a0"a":1}', '{"a":\u20281}', '{"a":1}\u00a0', '\u00a0{"a":1}', '{"a":1}\f',
    '\v{"a":1}', '{"a":1}\u3000', '\u2060{"a":1}', "{\u201ca\u201d:1}",
]  # fmt: skip
_BAD_BYTES = [
    b"", b" ", b"\t\r\n", b"\0", b"\0{}", b"{}\0", b"\xff", b"[\xff]", b'["\xff"]', b'["\xc0\xaf"]',
    b'["\xc3"]', b'["\xed\xa0\x80"]', b'["\xf4\x90\x80\x80"]', b'["\xe2\x82"]', b'["\x80"]', b"[\xe5]",
    b'{"\xb9":"0"}', b"\x1f\x8b\x08\0", b"\x89PNG", b"%PDF-1.7", b"<!DOCTYPE html>", b"title=x",
    b"title: x\n", b"(title 1)", b"\x83\xa5",
]  # fmt: skip

_GOOD_NUMBERS = [
    "0", "-0", "1", "-1", "10", "123", "0.1", "-0.1", "1.0", "1.5", "0e1", "0E1", "0e+1", "0e-1",
    "1e2", "1E2", "1e+2", "1E+2", "1e-2", "1E-2", "1.5e2", "-1.5E-2", "123.456e78", "20e1",
    "0.000000000000001", "1e-400", "9007199254740993", "18446744073709551616", "0.1e1", "-1.5",
    "100000000000000000000", "1e22",
]  # fmt: skip
_GOOD_STRINGS = [
    '""', '"x"', '" "', '"a b"', '"\\""', '"\\\\"', '"\\/"', '"/"', '"\\b\\f\\n\\r\\t"', '"\\u0041"',
    '"\\u00e9"', '"\\u20AC"', '"\\u20ac"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"é"', '"€"', '"😀"',
    '"\\u0000"', '"\\u001f"', '"\x7f"', '"\u2028"', '"\u2029"', '"\\u2028"', '"\ufeff"', '"\\uFEFF"',
    '"\ufffd"', '"\ufffe"', '"\uffff"', '"\U0010ffff"', '"\\udbff\\udfff"', '"\u200b"', '"\u202e"',
    '"[]{}:,"', '"\\\\u0041"', '"\\\\\\""', '"/* x */"', '"//"', '"a\u0301"', '"\\uFFFF"',
]  # fmt: skip
_GOOD_STRUCTURES = [
    "[]", "{}", "[[]]", "[{}]", '{"":0}', '{"a":{}}', '{"a":[]}', "[[],[]]", "[1,2]", '{"a":1,"b":2}',
    " [] ", "\t\r\n []\n", "[ 1 , 2 ]", '{ "a" : 1 }', '{"a":\n1}', "true", "false", "null", " null ",
    '{"\\u0000":0}', '{"\\u0061":1,"b":1}', '{"a":{"a":{"a":1}}}', "[[[[[[[[[[]]]]]]]]]]",
    '[null,1,"1",{}]', '{"a":[{"b":[{}]}]}', '{"__proto__":1}', '{"constructor":1}', '{"😀":1}',
    '{"\\ud83d\\ude00":1}', "[true]", "[false]", "[null]",
]  # fmt: skip
_DEEP = (50, 100, 500, 900, 5000, 20000, 32000)


def malformed() -> dict[str, bytes]:
    """What has to be refused."""
    texts = [*_BAD_NUMBERS, *_BAD_WORDS, *_BAD_STRINGS, *_BAD_ARRAYS, *_BAD_OBJECTS]
    found = {text.encode() for text in texts} | set(_BAD_BYTES)
    found |= {_SEED[:end] for end in range(len(_SEED))}
    return _named("n", found) | _suite("n_")


def well_formed() -> dict[str, bytes]:
    """What has to be read, whatever is said of its shape then."""
    values = [*_GOOD_NUMBERS, *_GOOD_STRINGS, *_GOOD_STRUCTURES]
    found = {text.encode() for value in values for text in (value, f'{{"x":[{value}]}}')}
    return _named("y", found | {_SEED}) | _suite("y_")


def undefined() -> dict[str, bytes]:
    """What may be refused or read: sizes, lone surrogates, encodings."""
    texts = [
        "1e999",
        "-1e999",
        "1e-999",
        "9" * 5000,
        "-" + "9" * 60_000,
        f"0.{'3' * 60_000}",
        f"1e{'9' * 60_000}",
    ]
    texts += [
        f'"\\u{half}"' for half in ("d800", "dfff", "udbff", "dc00", "d83d\\u0041", "de00\\ud83d")
    ]
    texts += [
        opening * depth + closing * depth for depth in _DEEP for opening, closing in ("[]", "{}")
    ]
    texts += ['{"a":' * depth + "1" + "}" * depth for depth in _DEEP]
    texts += ["[" * depth for depth in (*_DEEP, 65_000)]
    texts += ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"":0,"":0}', "[" + "1," * 30_000 + "1]"]
    found = {text.encode() for text in texts}
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp500"):
        found.add('{"title":"€"}'.encode(encoding, "replace"))
    return _named("i", found) | _suite("i_")


def _named(kind: str, found: set[bytes]) -> dict[str, bytes]:
    return {f"{kind}: {text[:40]!r} ({len(text)} bytes)": text for text in sorted(found)}


def _suite(kind: str) -> dict[str, bytes]:
    checkout = os.environ.get("JSON_TEST_SUITE")
    files = Path(checkout, "test_parsing").glob(f"{kind}*.json") if checkout else []
    return {file.name: file.read_bytes() for file in files}
