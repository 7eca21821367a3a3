"""The least that this stack can do: Flask answers a constant, served as the service is.

python tests/bench/constant.py THREADS
"""

import sys

from flask import Flask, Response

from todo_api.server.entrance import alone
from todo_api.server.serve import serve

_TASK = (
    b'{"data":{"id":"ef684739-8c0b-4dfb-8c63-5b825bf303a6","user_id":"a4bade81-d9c2-4918-ad97-3b410e99f30e",'
    b'"title":"Buy oat milk","is_completed":false,"completed_at":null,'
    b'"created_at":"2026-11-23T16:24:48.714370Z","updated_at":"2026-11-23T16:24:48.714370Z"},'
    b'"meta":{"timestamp":"2026-11-23T16:24:48.717365Z",'
    b'"request_id":"21abb04b-85f3-4be0-85d2-ac28d32fd5ef"}}'
)


def make_app() -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.get("/api/<user_id>/tasks/<task_id>")
    def get_task(user_id: str, task_id: str) -> Response:
        return Response(_TASK, content_type="application/json")

    return app


def announce(url: str) -> None:
    print(url, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(
        serve(
            lambda: alone(make_app()),
            host="127.0.0.1",
            port=0,
            workers=1,
            threads=int(sys.argv[1]),
            request_timeout=15,
            ready=announce,
        )
    )
