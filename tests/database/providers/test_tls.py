"""TLS with sslmode=verify-full: the right certificate is served on, a wrong one ends the start."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest

from support.certificates import make_authority, make_certificate
from support.live_service import live_service
from support.postgres.server import Server, a_server
from todo_api.settings.authorities import FILE, FOLDER, name_authorities

pytestmark = pytest.mark.programs

PASSWORD = "Pa55 word/of the login"
PATIENCE_S = 60
ACCOUNT = {"email": "ann@example.com", "password": "correct horse battery"}


@dataclass
class Secured:
    """A server that takes TLS alone, with a certificate for localhost, and the authorities."""

    server: Server
    port: int
    authority: Path
    other_authority: Path

    def url(self, host: str = "localhost", authority: Path | None = None) -> str:
        root = quote(str(authority or self.authority), safe="")
        return (
            f"postgresql://todo:{quote(PASSWORD, safe='')}@{host}:{self.port}/todo"
            f"?sslmode=verify-full&sslrootcert={root}"
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def with_tls() -> str:
    """The programs of a PostgreSQL that was built with OpenSSL, which the wheel's is not."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = os.environ.get("PG_BIN") or (str(debian[-1]) if debian else None)
    assert programs, "there is no PostgreSQL with TLS: install postgresql-15, or set PG_BIN"
    return programs


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = make_authority(folder, "authority")
    other = make_authority(folder, "other")
    with a_server(with_tls()) as server:
        server.make()
        certificate = make_certificate(server.folder, authority, "localhost")
        (server.data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        server.take()
        port = free_port()
        server.start(
            listen_addresses="127.0.0.1",
            port=port,
            ssl="on",
            ssl_cert_file=certificate.file,
            ssl_key_file=certificate.key,
        )
        server.ask(f"ALTER ROLE todo PASSWORD '{PASSWORD}'")
        server.ask("CREATE DATABASE todo")
        yield Secured(server, port, authority.file, other.file)


def test_the_service_works_over_tls_alone(secured: Secured, tmp_path: Path) -> None:
    with (
        live_service(secured.url(), tmp_path) as service,
        httpx.Client(base_url=service.url, timeout=20) as client,
    ):
        assert client.post("/api/auth/signup", json=ACCOUNT).status_code == 201
        used = secured.server.ask(
            "SELECT array_agg(DISTINCT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE application_name = 'todo-api'"
        )
        assert used == [True]


@pytest.mark.parametrize("migrates", ["true", "false"])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda it: it.url(authority=it.other_authority), id="another authority's"),
        pytest.param(lambda it: it.url(host="127.0.0.1"), id="another host's"),
    ],
)
def test_a_wrong_certificate_ends_the_start_with_one_clear_line(
    secured: Secured, tmp_path: Path, wrong: Callable[[Secured], str], migrates: str
) -> None:
    settings = {
        "DATABASE_URL": wrong(secured),
        "JWT_SECRET": "a secret that only the tests know, 0123456789",
        "MIGRATE_ON_START": migrates,
        "LOG_LEVEL": "ERROR",
        "PORT": "0",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "todo_api", "serve"],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("todo-api: the database can't be ")
    assert "certificate" in line
    assert "Pa55" not in line


def test_the_authorities_of_this_machine_are_found(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq's own OpenSSL looks for them in a folder that is on no machine."""
    for name in (FILE, FOLDER):
        monkeypatch.delenv(name, raising=False)
    paths = ssl.DefaultVerifyPaths(str(secured.authority), None, FILE, "", FOLDER, "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    url = secured.url().partition("&sslrootcert=")[0] + "&sslrootcert=system"
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(url)
    monkeypatch.setenv(FILE, "")  # so that what is set now goes with the test
    monkeypatch.delenv(FILE)
    name_authorities(os.environ)
    with psycopg.connect(url) as connection:
        assert connection.pgconn.ssl_in_use
