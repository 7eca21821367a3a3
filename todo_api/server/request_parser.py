"""waitress's request parser, which also refuses what another parser could read as a different request."""

from __future__ import annotations

import re

from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]

# RFC 3986, 3.2.2 and 3.2.3. No space: waitress joins two Host fields with a space, so they are refused.
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*", re.ASCII)
_CODINGS = re.compile(rb"^transfer-encoding:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """One request."""

    _expects = False

    @property
    def expect_continue(self) -> bool:
        """Whether the client waits for "100 Continue" before it sends a body.

        After "100 Continue" waitress always reads a body. If there is none, or the head was refused, waitress
        would read the connection's next request as the body.
        """
        return self._expects and self.body_rcv is not None and self.error is None

    @expect_continue.setter
    def expect_continue(self, expects: bool) -> None:
        self._expects = expects

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Raises ParsingError for an ambiguous head."""
        try:
            super().parse_header(header_plus)
        except ValueError:  # a length of 5 000 digits; an address such as http://[
            raise ParsingError("The address or the length can't be read") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The version is neither HTTP/1.0 nor HTTP/1.1")
        host = self.headers.get("HOST")
        if host is None and self.version == "1.1":
            raise ParsingError("There is no Host")
        if host is not None and not _HOST.fullmatch(host):
            raise ParsingError("The Host is not one host")
        if "CONNECTION" in self.headers:
            self._choose_connection()
        if b"transfer-encoding" in header_plus.lower():
            self._check_codings(_CODINGS.findall(header_plus))

    def _choose_connection(self) -> None:
        # A list of options in any letter case (RFC 9110, 7.6.1), which waitress compares as one text.
        options = {one.strip(" \t").lower() for one in self.headers.pop("CONNECTION").split(",")}
        for option in ("close", "keep-alive"):
            if option in options:
                self.headers["CONNECTION"] = option
                break

    def _check_codings(self, codings: list[bytes]) -> None:
        # RFC 9112, 6.1 and 6.3: with a length, or in HTTP/1.0, the framing is faulty
        if codings and ("CONTENT_LENGTH" in self.headers or self.version == "1.0"):
            raise ParsingError("There is a Transfer-Encoding where none may be")
        if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
            raise ParsingError("The Transfer-Encoding is not chunked, once")
