"""Requests that two parsers may read differently: each may get an error, none another one's answer.

Each case is what a client sends before a marker request on the same connection. SMUGGLED stands for a
whole request that nobody sent as one: it adds a task. EXECUTED says where it may run all the same, as an
honest request in a pipeline.
"""

from dataclasses import dataclass

SMUGGLED = b"<SMUGGLED>"
NO_VERSION = "no version"
_H = b"Host: localhost\r\n"
_POST = b"POST /api/auth/login HTTP/1.1\r\n" + _H
_JSON = b"Content-Type: application/json\r\n"
_GET = b"GET /health/live HTTP/1.1\r\n"


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    statuses: frozenset[int]  # what the service may say to it, the first answer that is no 1xx
    executed: bool = False


def _case(name: str, data: bytes, *statuses: int, executed: bool = False) -> Case:
    return Case(name, data, frozenset(statuses), executed)


def _lengths(name: str, *lengths: bytes) -> Case:
    fields = b"".join(b"Content-Length:" + length + b"\r\n" for length in lengths)
    return _case(name, _POST + _JSON + fields + b"\r\n" + SMUGGLED, 400, 413)


def _codings(name: str, fields: bytes) -> Case:
    return _case(name, _POST + _JSON + fields + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, 400)


def _chunks(name: str, chunks: bytes) -> Case:
    return _case(
        name, _POST + _JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SMUGGLED, 400
    )


def _head(name: str, lines: bytes, *statuses: int) -> Case:
    return _case(name, lines + b"\r\n\r\n", *statuses)


CASES = [
    # a length and chunks
    _codings("length, then chunked", b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
    _codings("chunked, then length", b"Transfer-Encoding: chunked\r\nContent-Length: 5"),
    _codings("chunked and a length of 0", b"Transfer-Encoding: chunked\r\nContent-Length: 0"),
    _codings("chunked and a long length", b"Transfer-Encoding: chunked\r\nContent-Length: 300"),
    # lengths
    _lengths("two lengths", b" 0", b" 5"),
    _lengths("one length twice", b" 0", b" 0"),
    _lengths("a list of lengths", b" 0, 5"),
    _lengths("a list of one length", b" 0, 0"),
    _lengths("a negative length", b" -1"),
    _lengths("a length with a plus", b" +0"),
    _lengths("a hexadecimal length", b" 0x5"),
    _lengths("a length with a fraction", b" 5.0"),
    _lengths("a length in two words", b" 1 0"),
    _lengths("a length that is a word", b" five"),
    _lengths("an empty length", b""),
    _lengths("a length with a line feed", b" 0\n"),
    _lengths("a length in other digits", " \u0665".encode()),
    _lengths("a length beyond 64 bits", b" 18446744073709551621"),
    _lengths("a length of 5 000 digits", b" " + b"9" * 5000),
    _lengths("a length with a form feed", b" \x0c5"),
    # transfer codings
    _codings("chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _codings("chunked, chunked", b"Transfer-Encoding: chunked, chunked"),
    _codings("chunked, identity", b"Transfer-Encoding: chunked, identity"),
    _codings("identity and a length", b"Transfer-Encoding: identity\r\nContent-Length: 5"),
    _codings("xchunked", b"Transfer-Encoding: xchunked"),
    _codings("chunked after a vertical tab", b"Transfer-Encoding: \x0bchunked"),
    _codings("chunked before a NUL", b"Transfer-Encoding: chunked\x00"),
    _codings("chunked with a parameter", b"Transfer-Encoding: chunked;a=b"),
    _codings("chunked in quotes", b'Transfer-Encoding: "chunked"'),
    _codings("no coding and a length", b"Transfer-Encoding:\r\nContent-Length: 5"),
    _codings("a coding after a comma", b"Transfer-Encoding: , chunked"),
    _codings("a coding after a space", b"Transfer-Encoding : chunked"),
    _codings(
        "a coding in a folded line", b"A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: x"
    ),
    _case(
        "chunked in HTTP/1.0",
        b"POST /api/auth/login HTTP/1.0\r\n" + _H + b"Connection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    _case(
        "chunked in HTTP/1.2",
        b"POST /api/auth/login HTTP/1.2\r\n" + _H + b"Transfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + SMUGGLED,
        400,
    ),
    # chunks
    _chunks("a chunk's size that is none", b"x\r\n{}\r\n0\r\n\r\n"),
    _chunks("a negative chunk", b"-2\r\n{}\r\n0\r\n\r\n"),
    _chunks("a chunk with 0x", b"0x2\r\n{}\r\n0\r\n\r\n"),
    _chunks("a chunk with an underscore", b"1_0\r\n{}\r\n0\r\n\r\n"),
    _chunks("a chunk longer than its size", b"1\r\n{}\r\n0\r\n\r\n"),
    _chunks("a chunk's size with a space before", b" 2\r\n{}\r\n0\r\n\r\n"),
    _chunks("a chunk's size with a line feed", b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    # hosts
    _head("two Hosts", _GET + _H + b"Host: other.example.com", 400),
    _head("one Host twice", _GET + _H + _H.strip(), 400),
    _head("no Host", _GET + b"Accept: */*", 400),
    _head("a Host with a path", _GET + b"Host: localhost/x", 400),
    _head("a Host with an at", _GET + b"Host: a@localhost", 400),
    _head("a Host with a blank", _GET + b"Host: local host.com", 400),
    _head("a Host with a space before the colon", _GET + b"Host : localhost", 400),
    # heads
    _head("a space before a colon", _GET + _H + b"X-A : b", 400),
    _head("a tab before a colon", _GET + _H + b"X-A\t: b", 400),
    _head("a header without a colon", _GET + _H + b"X-A", 400),
    _head("a header without a name", _GET + _H + b": b", 400),
    _head("a NUL in a value", _GET + _H + b"X-A: a\0b", 400),
    _head("a NUL in a name", _GET + _H + b"X\0A: b", 400),
    _head("a bare line feed in the head", _GET + _H + b"X-A: b\nX-B: c", 400),
    _head("a bare carriage return in a value", _GET + _H + b"X-A: b\rX-B: c", 400),
    _case("bare line feeds only", b"GET /health/live HTTP/1.1\nHost: localhost\n\n", 200, 400),
    _head("a first header that is folded", _GET + b" " + _H.strip(), 400),
    _head("a folded header", _GET + _H + b"X-A: b\r\n c", 200, 400),
    # first lines
    _head(
        "a very long address", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + _H.strip(), 414, 431
    ),
    _head("a very long header", _GET + _H + b"X-A: " + b"a" * 20_000, 400, 431),
    _head(
        "many headers",
        _GET + _H + b"\r\n".join(b"X-%d: %s" % (i, b"a" * 20) for i in range(2000)),
        400,
        431,
    ),
    _head(NO_VERSION, b"GET /health/live\r\n" + _H.strip(), 400),
    _head("version 2.0", b"GET /health/live HTTP/2.0\r\n" + _H.strip(), 400),
    _head("version 1.10", b"GET /health/live HTTP/1.10\r\n" + _H.strip(), 400),
    _head("a version in small letters", b"GET /health/live http/1.1\r\n" + _H.strip(), 400),
    _head("two spaces", b"GET  /health/live HTTP/1.1\r\n" + _H.strip(), 200, 400),
    _head("a tab for a space", b"GET\t/health/live HTTP/1.1\r\n" + _H.strip(), 400),
    _head("a space in the address", b"GET /health /live HTTP/1.1\r\n" + _H.strip(), 400, 404),
    _head("a NUL in the address", b"GET /health\0/live HTTP/1.1\r\n" + _H.strip(), 400, 404),
    _head("no address", b"GET HTTP/1.1\r\n" + _H.strip(), 400),
    _head("no method", b"/health/live HTTP/1.1\r\n" + _H.strip(), 400),
    _head("a method that is none", b"G(T /health/live HTTP/1.1\r\n" + _H.strip(), 400),
    _head(
        "another host's address",
        b"GET http://other.example.com/health/live HTTP/1.1\r\n" + _H.strip(),
        200,
    ),
    _head("an address with half a bracket", b"GET http://[ HTTP/1.1\r\n" + _H.strip(), 400),
    _head("an address with a bad port", b"GET http://a:99999/ HTTP/1.1\r\n" + _H.strip(), 400, 421),
    _head("a tunnel", b"CONNECT localhost:443 HTTP/1.1\r\n" + _H.strip(), 400, 404, 405),
    _head("an asterisk", b"OPTIONS * HTTP/1.1\r\n" + _H.strip(), 204),
    _head("a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM", 400),
    _head(
        "an upgrade",
        _GET + _H + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA",
        200,
    ),
    _case("a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400),
    _case(
        "an expectation without a body",
        _GET + _H + b"Expect: 100-continue\r\n\r\n" + SMUGGLED,
        200,
        executed=True,
    ),
    # honest ones
    _case(
        "a body of a GET",
        _GET + _H + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED,
        200,
        executed=True,
    ),
    _case("two in a pipeline", _GET + _H + b"\r\n" + SMUGGLED, 200, executed=True),
    _case(
        "empty lines between", b"\r\n\r\n" + _GET + _H + b"\r\n\r\n" + SMUGGLED, 200, executed=True
    ),
    _case(
        "a body that is a request",
        _POST + _JSON + b"Content-Length: <LENGTH>\r\n\r\n" + SMUGGLED,
        400,
    ),
    _case(
        "chunks that are a request",
        _POST
        + _JSON
        + b"Transfer-Encoding: chunked\r\n\r\n<HEX>\r\n"
        + SMUGGLED
        + b"\r\n0\r\n\r\n",
        400,
    ),
    _case(
        "a trailer that is a length",
        _POST + _JSON + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
        b"Content-Length: 9\r\n\r\n" + SMUGGLED,
        400,
        executed=True,
    ),
    _case(
        "a length with an underscore",
        _POST + _JSON + b"Content_Length: 500\r\n\r\n" + SMUGGLED,
        400,
        executed=True,
    ),
]

# What ends before the request does: nobody can answer it.
CUT_OFF = {
    "in the first line": b"GET /hea",
    "in the head": _GET + _H + b"X-A: ",
    "before the body": _POST + _JSON + b"Content-Length: 10\r\n\r\n",
    "in the body": _POST + _JSON + b"Content-Length: 10\r\n\r\n{}",
    "in a chunk": _POST + _JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    "in a chunk of more than 64 bits": _POST
    + _JSON
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "before the last chunk": _POST + _JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "in the second request": _GET + _H + b"\r\n" + _POST + b"Content-Le",
    "before the answer": _GET + _H + b"\r\n",
}
