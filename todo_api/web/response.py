"""An answer on its way out."""

from http import HTTPStatus

import flask
from werkzeug.datastructures import Headers


class Response(flask.Response):
    """Flask's response."""

    def get_wsgi_headers(self, environ: object) -> Headers:
        """The headers as they are to be sent.

        werkzeug makes a copy of them, each judged again (1 µs), to leave out what does not go with a
        status, and to mend addresses. A 200 has none of that, and its length since it got its body.
        """
        if self.status_code == HTTPStatus.OK and "Content-Length" in self.headers:
            return self.headers
        return super().get_wsgi_headers(environ)  # type: ignore[arg-type]
