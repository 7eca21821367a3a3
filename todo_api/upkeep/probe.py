"""A connection that only looks: each statement is a read-only transaction of its own, with bounds."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from todo_api.database.statements import load_statements
from todo_api.settings.hosts import is_loopback
from todo_api.upkeep.asking import ask, place, shares_its_process

STATEMENT_S = 4
CONNECT_S = 5  # for each host
_NAME = "todo_api_check"


class ProbeError(Exception):
    """The database gave no answer; the message says why, and shows no password."""

    def __init__(self, message: str, cause: Exception | None = None) -> None:
        super().__init__(message)
        self.is_denied = isinstance(cause, errors.InsufficientPrivilege)
        self.is_busy = isinstance(cause, errors.QueryCanceled | errors.LockNotAvailable)


class Probe:
    """A connection to look through. Every method but `close` raises ProbeError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._statements = load_statements()
        with _explained():
            self._connection = psycopg.connect(
                url,
                client_encoding="utf8",
                prepare_threshold=None,
                connect_timeout=CONNECT_S,
                fallback_application_name="todo-api check",
            )
            self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            self._connection.read_only = True

    def close(self) -> None:
        """End the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    @property
    def is_open(self) -> bool:
        """Whether the connection still works, as far as is known."""
        return not self._connection.closed

    @property
    def login(self) -> str:
        """The user of the session."""
        return self._connection.info.user

    @property
    def version(self) -> int:
        """The server's, as libpq numbers it."""
        return self._connection.info.server_version

    @property
    def place(self) -> str:
        """The database and the server."""
        return place(self._connection)

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection has TLS."""
        return self._connection.pgconn.ssl_in_use

    @property
    def is_local(self) -> bool:
        """Whether the connection stays on this machine."""
        info = self._connection.info
        return info.host.startswith(("/", "@")) or is_loopback(info.hostaddr or info.host)

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate has to be the host's."""
        return self._connection.info.get_parameters().get("sslmode") == "verify-full"

    def as_it_came(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that depends on no setting, with those that the connection came with."""
        with _explained(), self._connection.transaction():
            return self._ask(name)

    def ask(
        self, name: str, *, as_todo_auth: bool = False, **parameters: str | int | bool | None
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement of sql/before_sign_in."""
        with self._looking():
            if as_todo_auth:
                self._ask("become_todo_auth")
            return self._ask(name, **parameters)

    def shares_its_process(self) -> bool:
        """Whether there is a pooler in transaction mode between."""
        with _explained():
            return shares_its_process(self._connection, self.ask, self._url)

    def prepares_for_everybody(self) -> bool:
        """Whether the server knows what this client prepares by the client's own name for it.

        Then other clients of a pooler find it too. A pooler that keeps track gives it another name.
        """
        pgconn = self._connection.pgconn
        text = self._statements["before_sign_in/server_process"].query
        with self._looking():
            prepared = pgconn.prepare(_NAME.encode(), text)
            if prepared.status != ExecStatus.COMMAND_OK:  # another client has it
                raise error_from_result(prepared)
            try:
                return bool(self._ask("prepared_here", statement=_NAME))
            finally:
                with suppress(psycopg.NotSupportedError):  # libpq before 17
                    pgconn.close_prepared(_NAME.encode())

    @contextmanager
    def _looking(self) -> Iterator[None]:
        with _explained(), self._connection.transaction():
            self._ask("pin_settings", until_commit=True)
            self._ask("bound_check", seconds=STATEMENT_S)
            yield

    def _ask(self, name: str, **parameters: str | int | bool | None) -> list[tuple[Any, ...]]:
        return ask(self._connection, self._statements, name, **parameters)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:  # libpq's message repeats the URL with the password
            raise ProbeError("the URL is not one that PostgreSQL understands") from None
        raise ProbeError(_one_line(error), error) from error
    except psycopg.Error as error:
        raise ProbeError(_one_line(error), error) from error


def _one_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error) or type(error).__name__).splitlines()[0]


def named(url: str) -> str:
    """The database and the server that a URL names: nothing was reached."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "unknown"
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    name = parts.get("dbname") or parts.get("user") or "the login's own"
    return f"{name} at host {host}, port {parts.get('port') or 5432}"
