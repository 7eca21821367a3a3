"""The library functions that todo_api overrides, or whose inside it counts on, and a hash of each source.

A library may change these in any release without a word in its documentation. What is overridden is found
by looking at every class of todo_api; what is only counted on stands in COUNTED_ON.
"""

import hashlib
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from support.source_files import module_of, sources

PAGE = Path(__file__).parents[1] / "project" / "library_sources.txt"
# Of these, functions are overridden that the library's own documentation does not offer for that.
# (logging, argparse, limits' Storage and yoyo's connect, say, are made for it, or documented.)
LIBRARIES = {"flask", "psycopg", "psycopg_pool", "waitress", "werkzeug", "yoyo"}
# Run by running.py as a script of its own, and without anything of a library.
SCRIPTS = {"todo_api.__main__", "todo_api.embedded.keeper"}
# Insides that todo_api reads, calls or relies on: by the file that has to be looked at when one changes.
COUNTED_ON = {
    "todo_api/attempts/rate_limit.py": [
        "flask_limiter._extension.Limiter.init_app",  # registers the hooks that are taken out again
    ],
    "todo_api/auth/tokens.py": [
        "flask_jwt_extended.jwt_manager.JWTManager._decode_jwt_from_config",  # asks for the key first
        "flask_jwt_extended.tokens._decode_jwt",  # fills in what a token lacks, after that
    ],
    "todo_api/database/pool.py": [
        "psycopg_pool.pool.ConnectionPool._getconn_with_check_loop",
        "psycopg_pool.pool.ConnectionPool._add_connection",  # gives up, and calls reconnect_failed
    ],
    "todo_api/database/pipeline.py": [
        "psycopg.errors.error_from_result",
        "psycopg._py_transformer.Transformer.load_rows",  # the C one is made from the same interface
        "psycopg._py_transformer.Transformer.set_pgresult",
        "psycopg._pipeline.BasePipeline._enter_gen",  # what is done here without it
    ],
    "todo_api/observability/metrics.py": [
        "prometheus_client.multiprocess.mark_process_dead",
        "prometheus_client.values.MultiProcessValue",  # names its files by what it is given
    ],
    "todo_api/server/channel.py": [
        "waitress.channel.HTTPChannel._flush_exception",
        "waitress.channel.HTTPChannel._flush_some",
        "waitress.channel.HTTPChannel._flush_some_if_lockable",
        "waitress.channel.HTTPChannel.handle_read",
        "waitress.channel.HTTPChannel.received",  # as check_deadline does with a late request
        "waitress.channel.HTTPChannel.service",
        "waitress.channel.HTTPChannel.write_soon",
    ],
    "todo_api/server/dispatcher.py": [
        "waitress.task.ThreadedTaskDispatcher.add_task",
        "waitress.task.ThreadedTaskDispatcher.handler_thread",
        "waitress.task.ThreadedTaskDispatcher.shutdown",
    ],
    "todo_api/server/request_parser.py": [
        "waitress.parser.HTTPRequestParser.received",
    ],
    "todo_api/server/responses.py": [
        "waitress.task.Task.finish",
        "waitress.task.Task.write",
        "waitress.task.WSGITask.execute",
    ],
    "todo_api/server/waitress_server.py": [
        "waitress.server.BaseWSGIServer.handle_accept",
        "waitress.wasyncore.dispatcher.close",
        "waitress.wasyncore.poll2",
    ],
    "todo_api/upkeep/yoyo_backend.py": [
        "yoyo.migrations.Migration.process_steps",
    ],
    "todo_api/web/flask_app.py": [
        "flask.app.Flask.wsgi_app",
        "werkzeug.routing.map.Map.bind_to_environ",  # what create_url_adapter does without
    ],
    "todo_api/web/headers.py": [
        "flask_cors.decorator.cross_origin",  # called with a response of our own
    ],
    "todo_api/web/request.py": [
        "werkzeug.local.LocalProxy.__init__",  # has _get_current_object
    ],
}


def overridden() -> Iterator[tuple[str, str]]:
    """Each library function that a class of todo_api overrides, and the file of that class."""
    for file in sources():
        name = module_of(file)
        if name in SCRIPTS:
            continue
        for kind in vars(importlib.import_module(name)).values():
            if inspect.isclass(kind) and kind.__module__ == name:
                for function in _overridden_by(kind):
                    yield function, _shown(name)


def _overridden_by(kind: type) -> Iterator[str]:
    for attribute, value in vars(kind).items():
        if not isinstance(value, FunctionType | property | staticmethod | classmethod):
            continue
        for base in kind.__mro__[1:]:
            if base.__module__.partition(".")[0] in LIBRARIES and attribute in vars(base):
                if isinstance(vars(base)[attribute], FunctionType):
                    yield f"{base.__module__}.{base.__qualname__}.{attribute}"
                break


def _shown(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def used() -> dict[str, str]:
    """Every function whose source is watched, and the file to look at when it changes."""
    return dict(
        sorted(
            [*overridden(), *((one, file) for file, names in COUNTED_ON.items() for one in names)]
        )
    )


def source_hash(function: str) -> str:
    """16 digits of the SHA-256 of a function's source, without its indentation."""
    source = textwrap.dedent(inspect.getsource(_found(function))).strip()
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _found(function: str) -> Any:
    """The function of a dotted name. Raises LookupError when the library has it no more."""
    parts = function.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            thing = inspect.getattr_static(thing, part, None)
        if thing is None:
            break
        return thing
    raise LookupError(f"there is no {function}")


def written() -> dict[str, str]:
    """The hashes as they were when somebody last looked."""
    lines = [
        line.split() for line in PAGE.read_text("utf-8").splitlines() if line and line[0] != "#"
    ]
    return {function: digest for digest, function, _ in lines}
