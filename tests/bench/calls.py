"""Counts the Python calls of one request through the WSGI entry: a cost that no machine changes.

    PYTHONPATH=tests python -m bench.calls URL

prints them as JSON. The database of URL is migrated. It is a process of its own, because a test's
process has logging of pytest's, and perhaps a profiler or a debugger.
"""

import gc
import json
import sys
import sysconfig
from functools import cache
from types import FrameType
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from todo_api.app import create_app
from todo_api.observability import logs
from todo_api.server.forwarded import Forwarded
from todo_api.settings.config import Config

from .client import CALLS, WsgiClient, send

# The first ones find nothing remembered: tokens, prepared statements on each connection, imports.
# Of the later ones some wait for the database once more than others, so the fewest calls count.
WARM_UP, COUNTED = 10, 10
# Python 3.12 made these part of the function round them.
_INLINED = {"<listcomp>", "<setcomp>", "<dictcomp>"}
_STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), "<frozen ")
_SITE_PACKAGES = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def count(app: WSGIApplication) -> dict[str, int]:
    """The calls of Python and built-in functions that each kind of request makes.

    Those that the standard library makes within itself are left out: a get makes 14 % more of them
    on Python 3.13 than on 3.11, and nobody here could do anything about it. So all versions agree.
    """
    counted = {}
    for call in CALLS:
        client = WsgiClient(app, f"{call}@example.com")
        requests = [client.make(call) for _ in range(WARM_UP + COUNTED)]
        if call == "list20":
            assert len(client.call(client.make(call))) == 20
        counted[call] = min([count_one(app, request) for request in requests][WARM_UP:])
    return counted


def count_one(app: WSGIApplication, request: WSGIEnvironment) -> int:
    """The calls that one request makes, which has to succeed."""
    calls = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        if event == "c_call":
            caller: FrameType | None = frame
        elif event == "call" and frame.f_code.co_name not in _INLINED:
            caller = frame.f_back
        else:
            return
        if caller and not _in_standard_library(caller.f_code.co_filename):
            calls += 1

    gc.disable()  # it runs finalizers whenever it likes
    sys.setprofile(profile)
    try:
        status, body = send(app, request)
    finally:
        sys.setprofile(None)
        gc.enable()
    assert status[0] == "2", (status, body)
    return calls


@cache
def _in_standard_library(file: str) -> bool:
    return file.startswith(_STANDARD_LIBRARY) and not file.startswith(_SITE_PACKAGES)


def main(url: str, prepared_statements: bool) -> None:
    logs.setup("INFO", "json")  # to standard error, as the service
    config = Config(
        database_url=url,
        prepared_statements=prepared_statements,
        jwt_secret="a secret that only the tests know, 0123456789",
        bcrypt_rounds=4,
        auth_rate_limit="1000 per minute",
        threads=4,
    )
    app = create_app(config)
    try:
        print(json.dumps(count(Forwarded(app, config.trusted_proxies))))  # noqa: T201
    finally:
        app.extensions["database"].close()
        app.extensions["hasher"].close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] != ["unprepared"])
