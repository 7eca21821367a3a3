"""The application factory: wiring only."""

from functools import partial
from typing import TYPE_CHECKING

from flask import Response

import todo_api.accounts.api_token_operations
import todo_api.accounts.operations
import todo_api.accounts.sign_in_operations
import todo_api.auth.operations
import todo_api.batches.operations
import todo_api.docs.operations
import todo_api.lists.operations
import todo_api.observability.operations
import todo_api.sync.operations
import todo_api.tasks.operations
from todo_api.accounts.api_tokens import tokens as api_tokens
from todo_api.accounts.blueprint import accounts
from todo_api.accounts.events import events
from todo_api.accounts.export import export
from todo_api.accounts.sessions import sessions
from todo_api.attempts import guesses, rate_limit
from todo_api.auth import passwords, tokens
from todo_api.auth.blueprint import auth
from todo_api.auth.passwords import Hasher
from todo_api.batches.blueprint import batches
from todo_api.database.data import Database
from todo_api.docs.blueprint import docs, serve_document
from todo_api.lists.blueprint import lists
from todo_api.lists.making import Makers
from todo_api.observability import logs
from todo_api.observability.health import health
from todo_api.processes.heartbeat import LONGEST_SECONDS
from todo_api.processes.machine import hash_in_background, return_memory
from todo_api.server.entrance import Entrance
from todo_api.server.forwarded import Forwarded
from todo_api.settings.config import Config
from todo_api.sync.blueprint import sync
from todo_api.tasks.blueprint import tasks
from todo_api.web import headers, problems
from todo_api.web.flask_app import Application
from todo_api.web.hosts import AllowedHosts
from todo_api.web.unsent import Unsent

if TYPE_CHECKING:
    from todo_api.observability.metrics import Metrics

BLUEPRINTS = (
    auth,
    accounts,
    sessions,
    events,
    export,
    api_tokens,
    lists,
    tasks,
    batches,
    sync,
    health,
    docs,
)
OPERATIONS = {
    **todo_api.auth.operations.OPERATIONS,
    **todo_api.accounts.operations.OPERATIONS,
    **todo_api.accounts.sign_in_operations.OPERATIONS,
    **todo_api.accounts.api_token_operations.OPERATIONS,
    **todo_api.lists.operations.OPERATIONS,
    **todo_api.tasks.operations.OPERATIONS,
    **todo_api.sync.operations.OPERATIONS,
    **todo_api.batches.operations.OPERATIONS,
    **todo_api.observability.operations.OPERATIONS,
    **todo_api.docs.operations.OPERATIONS,
}
# Guesses at a password, or a code, cost an attempt each.
LIMITED = (
    "auth.signup",
    "auth.login",
    "auth.reset",
    "accounts.change_password",
    "accounts.change_email",
    "accounts.delete_account",
)
HASHING_METHODS = {"POST", "PUT"}  # of routes whose views hash: a test looks


def create_app(config: Config, metrics: "Metrics | None" = None) -> Application:
    """An application on `config.database_url`. Its pool belongs to the process that calls this."""
    if not (config.database_url and config.jwt_secret):
        raise ValueError("an application needs database_url and jwt_secret")
    app = Application(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a doubled slash is another path, not a redirect
    app.allowed_hosts = AllowedHosts(config.allowed_hosts, config.host)
    app.config["SIGNUP"] = config.signup
    app.config["MAX_TASKS_PER_USER"] = config.max_tasks_per_user
    app.config["MAX_TEXT_PER_USER"] = config.max_text_per_user
    database = Database(
        config.database_url,
        connections=config.connections,
        prepared_statements=config.prepared_statements,
    )
    app.extensions["database"] = database
    app.extensions["unsent"] = unsent = Unsent(return_memory)
    app.extensions["makers"] = Makers(unsent, config.threads)
    hasher = Hasher(config.bcrypt_rounds, config.hashing_slots, hash_in_background)
    complete = headers.completer(config)

    @app.after_request  # only one: each such function costs more than its work
    def finish(response: Response) -> Response:
        response = complete(response)
        tokens.remember_accepted(response)
        logs.log_answer(response)
        return response

    problems.init_app(app)
    passwords.init_app(app, hasher)
    tokens.init_app(app, config.jwt_secret, config.jwt_secret_previous)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    serve_document(app, OPERATIONS)
    attempts = rate_limit.init_app(app, config, database, endpoints=LIMITED)
    guesses.init_app(app, config, database, attempts)
    if metrics is not None:
        metrics.init_app(app)
    return app


def entrance_of(app: Application, config: Config) -> Entrance:
    """The application with what the server has to know about it."""
    hasher: Hasher = app.extensions["hasher"]

    def hashes(method: str, path: str) -> bool:
        # Most requests don't have to be routed twice.
        return method in HASHING_METHODS and hasattr(app.view_of(path, method), "hashes")

    forwarded = Forwarded(app, config.trusted_proxies)
    return Entrance(
        forwarded,
        forwarded.client,
        hashes=hashes,
        sender=partial(tokens.sender, app),
        is_secure=forwarded.is_secure,
        refusal_headers=headers.of_refusals(config),
        # A hash may wait for a core on a busy machine, at its low priority.
        longest_s=LONGEST_SECONDS + 20 * hasher.typical_s,
        hashing_slots=config.hashing_slots,
        most_hashing=hasher.most_waiting,
    )
