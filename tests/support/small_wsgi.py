"""A small WSGI application under todo_api.server.serve, for test_server.py: JSON options in argv[1]."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from todo_api.processes.heartbeat import LONGEST_SECONDS, SILENCE_SECONDS
from todo_api.server.channel import Channel
from todo_api.server.entrance import Entrance
from todo_api.server.forwarded import Forwarded
from todo_api.server.serve import ServerError, serve
from todo_api.web.request import IS_REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

SECRET = "the inside of the bug"
loop_turns = 0


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    query = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    status, body = "200 OK", b"hello"
    if environ[IS_REFUSED]:
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []
    match environ["PATH_INFO"]:
        case "/pid":
            body = b"%d" % os.getpid()
        case "/slow":
            Path(query["began"]).touch()
            time.sleep(float(query["seconds"]))
        case "/hash" | "/write":
            Path(query["began"]).touch()
            while not Path(query["gate"]).exists():
                time.sleep(0.01)
        case "/hang":  # the request, for ever; the loop turns
            threading.Event().wait()
        case "/hold-gil":
            re.match(r"(a+)+$", "a" * 60 + "b")  # keeps the interpreter, and with it the event loop
        case "/big":
            body = b"x" * int(query["bytes"])
        case "/gone":
            status, body = "204 No Content", b""
        case "/fail":
            raise RuntimeError(SECRET)
        case "/os-error":
            raise OSError(SECRET)
        case "/echo":
            body = environ["wsgi.input"].read()
        case "/environ":
            body = json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()
        case "/turns":
            body = b"%d" % loop_turns
        case "/set-clock":
            set_clock(float(query["by"]))
        case "/die":
            os.kill(os.getpid(), signal.SIGKILL)
    headers = [("Content-Type", "text/plain")]
    if status.startswith("200") and environ["PATH_INFO"] != "/unmeasured":
        headers.append(("Content-Length", str(len(body))))
    start_response(status, headers)
    return [body]


def set_clock(by: float) -> None:
    """Set the clock of this process forward by so many seconds, or back."""
    usual = time.time
    time.time = lambda: usual() + by


def count_turns_while_a_thread_sends() -> None:
    """Make sending in a request's thread slow, and count what the event loop does meanwhile."""
    send, writable = Channel.send, Channel.writable

    def slow_send(self: Channel, data: bytes, do_close: bool = True) -> Any:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.3)
        return send(self, data, do_close=do_close)

    def counted_writable(self: Channel) -> bool:
        global loop_turns
        loop_turns += 1
        return writable(self)

    setattr(Channel, "send", slow_send)  # noqa: B010
    setattr(Channel, "writable", counted_writable)  # noqa: B010


def pause_after_hanging_up() -> None:
    """Have it take a while, as with a thousand connections."""
    handle_close = Channel.handle_close

    def slow_close(self: Channel) -> None:
        handle_close(self)
        time.sleep(0.3)

    setattr(Channel, "handle_close", slow_close)  # noqa: B010


def main(options: dict[str, Any]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(created)f %(levelname)s %(message)s")
    broken = Path(options["broken"]) if "broken" in options else None
    if options.get("count_turns"):
        count_turns_while_a_thread_sends()
    if options.get("pauses"):
        pause_after_hanging_up()

    def make_app() -> Entrance:
        if broken is not None and broken.exists():
            raise RuntimeError("no database")
        return Entrance(
            app,
            Forwarded(app, [ip_network("127.0.0.9")]).client,
            hashes=lambda method, path, *_: path == "/hash",
            sender=lambda authorization: (authorization, "its session"),
            longest_s=options.get("longest", LONGEST_SECONDS),
            most_hashing=lambda: options.get("most_hashing", 100),
        )

    try:
        return serve(
            make_app,
            host=options.get("host", "127.0.0.1"),
            port=options.get("port", 0),
            workers=options.get("workers", 1),
            threads=options.get("threads", 4),
            request_timeout=options.get("request_timeout", 15),
            silence_s=options.get("silence", SILENCE_SECONDS),
            ready=lambda url: print(url, flush=True),  # noqa: T201
        )
    except ServerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
