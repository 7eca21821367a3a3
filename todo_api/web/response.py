"""The service's response class."""

from http import HTTPStatus

import flask
from werkzeug.datastructures import Headers

# Only creates answer 201, and their Location is made of ids and a proxy's prefix: ASCII, nothing to quote.
_AS_THEY_ARE = {HTTPStatus.OK, HTTPStatus.CREATED}


class Response(flask.Response):
    """Flask's response, without a second check of its headers."""

    def get_wsgi_headers(self, environ: object) -> Headers:
        """The headers to send.

        werkzeug copies them and validates each again, to drop the headers that don't fit some statuses and to
        complete a Location. The answers below have no such header, or a Location that is complete, and their
        length is set with their bodies. The copy is 7 % of a get and 13 % of a create (763 000 instructions
        without this method for a get, 707 000 with it, the database not counted).
        """
        if self.status_code in _AS_THEY_ARE and "Content-Length" in self.headers:
            return self.headers
        return super().get_wsgi_headers(environ)  # type: ignore[arg-type]
