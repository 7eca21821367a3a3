"""The database is there, but not as the service needs it: clear answers, and no restart when it is again.

FAULT_ROUNDS=20 has connections terminated 50 times instead of the usual 7.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from resilience.faults.writers import Writers
from support.live_service import LiveClient, LiveService, LiveUser, live_service
from support.postgres.server import Server, a_server
from support.waiting import at_most, until
from todo_api.upkeep.migrate import migrate

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3")) * 5 // 2
WRITERS = 20  # more than the service has connections
READERS = 10
PASSWORD = "what the service logs in with"
RECOVERED_S = at_most(5)

pytestmark = pytest.mark.timeout(300 + 30 * ROUNDS)


@dataclass
class Database:
    """A PostgreSQL, whose database `todo` the service uses as the login `service`."""

    server: Server

    @property
    def url(self) -> str:
        """A superuser's."""
        return make_conninfo(self.server.url, dbname="todo")

    @property
    def service_url(self) -> str:
        return make_conninfo(self.url, user="service", password=PASSWORD)

    def do(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as a superuser, in another database than the service's by default."""
        url = make_conninfo(self.server.url, dbname=database)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def terminate(self, *, one_by_one: bool = True) -> int:
        """End the service's connections, each when the one before is gone; how many they were."""
        wait_ms = 10_000 if one_by_one else 0
        query = f"SELECT count(pg_terminate_backend(pid, {wait_ms})) FROM pg_stat_activity"
        return int(self.server.ask(f"{query} WHERE usename = 'service'"))


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_server() as server:
        server.make()
        rules = server.data / "pg_hba.conf"
        rules.write_text(f"local all service scram-sha-256\n{rules.read_text()}")
        server.start(max_connections=40)
        database = Database(server)
        database.do(
            f"CREATE ROLE service LOGIN PASSWORD '{PASSWORD}'",
            "CREATE ROLE other LOGIN",
            "CREATE DATABASE todo",
        )
        migrate(database.url)
        database.do("GRANT todo_app TO service", "GRANT CONNECT ON DATABASE todo TO service, other")
        yield database


@pytest.fixture(scope="module")
def running(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    settings = {
        "DATABASE_URL": database.service_url,
        "MIGRATE_ON_START": "false",
        "WORKERS": "2",
        "AUTH_RATE_LIMIT": "1000000 per minute",
        "THREADS": "16",  # so 8 connections for each worker
    }
    with live_service(database.url, tmp_path_factory.mktemp("service"), **settings) as service:
        service.scan.secrets.add(PASSWORD)
        yield service


@contextmanager
def held(database: Database, statement: str) -> Iterator[None]:
    """In a transaction of somebody else, who does not end it."""
    with psycopg.connect(database.url) as connection:
        connection.execute(statement.encode())
        yield


@contextmanager
def undone(
    database: Database, do: list[str], undo: list[str], where: str = "postgres"
) -> Iterator[None]:
    """With connections made anew in between."""
    database.do(*do, database=where)
    database.terminate()
    try:
        yield
    finally:
        database.do(*undo, database=where)


@contextmanager
def slow_statements(database: Database) -> Iterator[None]:
    database.do(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$",
        "CREATE TRIGGER wait BEFORE INSERT ON tasks EXECUTE FUNCTION wait()",
        database="todo",
    )
    yield
    database.do("DROP FUNCTION wait CASCADE", database="todo")


@contextmanager
def only_reads(database: Database) -> Iterator[None]:
    """Writes fail as on a standby; a default of the database's would be overridden."""
    database.do(
        "CREATE FUNCTION only_reads() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE read_only_sql_transaction; END $$",
        "CREATE TRIGGER only_reads BEFORE INSERT OR UPDATE OR DELETE ON tasks"
        " EXECUTE FUNCTION only_reads()",
        database="todo",
    )
    yield
    database.do("DROP FUNCTION only_reads CASCADE", database="todo")


@contextmanager
def no_connection_left(database: Database) -> Iterator[None]:
    with ExitStack() as stack:
        database.do("ALTER ROLE service NOLOGIN")  # or it would be as quick as the others
        database.terminate()
        room = database.server.ask(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
        )
        others: list[object] = []

        def is_full() -> bool:
            # The service's own attempts take a place each for a moment, though they are refused.
            with suppress(psycopg.OperationalError):
                other = psycopg.connect(make_conninfo(database.url, user="other"))
                others.append(stack.enter_context(closing(other)))
            return len(others) == int(room)

        until(is_full)
        database.do("ALTER ROLE service LOGIN")
        yield


@contextmanager
def renamed_database(database: Database) -> Iterator[None]:
    database.do("ALTER DATABASE todo ALLOW_CONNECTIONS false")
    database.terminate()
    database.do("ALTER DATABASE todo RENAME TO away")
    yield
    database.do("ALTER DATABASE away RENAME TO todo", "ALTER DATABASE todo ALLOW_CONNECTIONS true")


class Fault(NamedTuple):
    what: str
    begin: Callable[[Database], AbstractContextManager[None]]
    reasons: list[str]  # that the log names
    ready: set[int]  # what readiness may say
    reads: bool = False  # whether reads go on


class Reader(threading.Thread):
    """Reads a list that never changes, until told to end; keeps what was not it."""

    def __init__(self, client: LiveClient, user: LiveUser, over: threading.Event) -> None:
        super().__init__()
        self.last_s = 0.0  # when the last answered read was asked for
        self.reads = 0
        self.failed: list[str] = []
        self._client, self._user, self._over = client, user, over

    def run(self) -> None:
        while not self._over.is_set():
            asked = time.monotonic()
            reply = self._client.ask("GET", self._user.tasks, token=self._user.token)
            if reply.status != 200 or reply.json["meta"]["count"] != 1:
                self.failed.append(f"{reply.status} {reply.body!r}")
            self.reads += 1
            self.last_s = asked


def test_terminated_connections_fail_no_read_and_no_acknowledged_write(
    database: Database, service: LiveService, figure: Any
) -> None:
    over = threading.Event()
    terminated = 0
    with ExitStack() as stack:
        readers = []
        for _ in range(READERS):
            client = stack.enter_context(service.client())
            user = service.sign_up(client)
            service.add(client, user)
            readers.append(Reader(client, user, over))
        writers = stack.enter_context(Writers(service, WRITERS))
        for reader in readers:
            reader.start()
            stack.callback(reader.join)
        stack.callback(over.set)
        for number in range(ROUNDS):
            began = time.monotonic()
            until(
                lambda began=began: (
                    writers.all_wrote_since(began)
                    and min(reader.last_s for reader in readers) > began
                )
            )
            terminated += database.terminate(one_by_one=number % 2 == 0)
        back = time.monotonic()
        until(lambda: writers.all_wrote_since(back))
        recovered_s = time.monotonic() - back
    assert [reader.failed for reader in readers if reader.failed] == []
    assert writers.contradictions() == []
    assert writers.unknown == 0
    assert writers.statuses.keys() <= {200, 201, 204, 503}
    assert terminated > ROUNDS
    assert recovered_s < RECOVERED_S
    reads = sum(reader.reads for reader in readers)
    figure(
        16,
        f"all connections terminated {ROUNDS} times ({terminated}): reads failed; writes answered 503;"
        " untrue to the tables",
        f"0 of {reads}; {writers.statuses[503]} of {writers.statuses.total()}; 0",
    )


FAULTS = [
    Fault(
        "rows locked by somebody else",
        lambda database: held(database, "SELECT FROM task_counts FOR UPDATE"),
        ["LockNotAvailable"],
        {200, 503},
    ),
    Fault(
        "a table locked by somebody else, the pool exhausted",
        lambda database: held(database, "LOCK tasks"),
        ["LockNotAvailable", "PoolTimeout"],
        {200, 503},
    ),
    Fault(
        "sessions and API tokens locked by somebody else",
        lambda database: held(database, "LOCK sessions, api_tokens"),
        ["LockNotAvailable"],
        {200, 503},
    ),
    Fault("statements that take too long", slow_statements, ["QueryCanceled"], {200, 503}),
    Fault("a server that takes only reads", only_reads, ["ReadOnlySqlTransaction"], {200}, True),
    Fault(
        "max_connections reached by others",
        no_connection_left,
        ["remaining connection slots"],
        {503},
    ),
    Fault(
        "the login's CONNECTION LIMIT reached",
        lambda database: undone(
            database,
            ["ALTER ROLE service CONNECTION LIMIT 0"],
            ["ALTER ROLE service CONNECTION LIMIT -1"],
        ),
        ['too many connections for role "service"'],
        {503},
    ),
    Fault("the database renamed", renamed_database, ['database "todo" does not exist'], {503}),
    Fault(
        "the password changed",
        lambda database: undone(
            database,
            ["ALTER ROLE service PASSWORD 'another'"],
            [f"ALTER ROLE service PASSWORD '{PASSWORD}'"],
        ),
        ['password authentication failed for user "service"'],
        {503},
    ),
    Fault(
        "the schema missing",
        lambda database: undone(
            database,
            ["ALTER SCHEMA public RENAME TO away"],
            ["ALTER SCHEMA away RENAME TO public"],
            where="todo",
        ),
        ["InvalidSchemaName"],
        {503},
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_is_answered_clearly_and_outlived(
    database: Database, service: LiveService, fault: Fault, figure: Any
) -> None:
    before = len(service.log())
    slowest_s = 0.0
    with service.client() as client:
        ann = service.sign_up(client)
    with Writers(service, WRITERS) as writers, service.client() as client:
        began = time.monotonic()
        until(lambda: writers.all_wrote_since(began))
        with fault.begin(database):
            refused = [writer.statuses[503] for writer in writers.each]

            def noticed() -> bool:
                nonlocal slowest_s
                asked = time.monotonic()
                assert client.ask("GET", "/health/live").status == 200
                slowest_s = max(slowest_s, time.monotonic() - asked)
                return all(
                    writer.statuses[503] > count + 1
                    for writer, count in zip(writers.each, refused, strict=True)
                )

            until(noticed)
            for reason in fault.reasons:
                until(lambda reason=reason: reason in service.log()[before:].replace("\\", ""))
            assert client.ask("GET", "/health/ready").status in fault.ready
            if fault.reads:
                assert client.ask("GET", ann.tasks, token=ann.token).status == 200
            body = {"email": ann.email, "password": ann.password}
            login = client.ask("POST", "/api/auth/login", body)
            assert login.status == 200 or login.json["code"] == "unavailable"
        back = time.monotonic()
        until(lambda: writers.all_wrote_since(back))
        recovered_s = time.monotonic() - back
        assert client.ask("GET", "/health/ready").status == 200
    assert writers.contradictions() == []
    assert writers.unknown == 0
    assert writers.statuses.keys() == {200, 201, 204, 503}
    assert recovered_s < RECOVERED_S
    figure(
        16,
        f"{fault.what}: 503s, the slowest; liveness, the slowest; each of {WRITERS} has written again within",
        f"{writers.statuses[503]}, {writers.slowest_s(503):.1f} s; {slowest_s:.2f} s; {recovered_s:.1f} s",
    )
