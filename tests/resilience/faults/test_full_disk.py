"""PostgreSQL's disk is full, that of its tables, of its log or of DATA_DIR: nothing is half-written or lost.

A small tmpfs is filled to its last byte, so these tests run as root.
"""

import errno
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from resilience.faults.writers import Writers
from support.command import ACCOUNT, a_desk, processes_in
from support.live_service import LiveService, live_service
from support.postgres.server import Server, a_server
from support.waiting import at_most, until

WRITERS = 20
RECOVERED_S = at_most(5)
SETTINGS = {"WORKERS": "2", "AUTH_RATE_LIMIT": "1000000 per minute"}


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@contextmanager
def small_disk(server: Server, folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of its own for `folder`, until the server's end."""
    folder.mkdir()
    size = f"size={megabytes}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "todo-api-test", folder], check=True)
    try:
        server.take()
        yield
    finally:
        server.stop()
        subprocess.run(["umount", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Without a byte left; what fills it is taken away at the end of the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    yield
    filler.unlink(missing_ok=True)


@contextmanager
def served(server: Server, folder: Path) -> Iterator[LiveService]:
    server.ask("CREATE DATABASE todo")
    url = make_conninfo(server.url, dbname="todo")
    with live_service(url, folder, **SETTINGS) as service:
        yield service
        assert service.leaks() == []


def until_refused(writers: Writers, times: int) -> None:
    """Wait until so many requests more have been answered 503."""
    before = writers.statuses[503]
    until(lambda: writers.statuses[503] >= before + times)


def until_all_wrote(writers: Writers) -> float:
    """Wait until each writer has written again; how many seconds that took."""
    began = time.monotonic()
    until(lambda: writers.all_wrote_since(began))
    return time.monotonic() - began


def test_a_full_disk_of_tables_refuses_writes_until_there_is_room(
    server: Server, tmp_path: Path, figure: Any
) -> None:
    with small_disk(server, server.data, 100):
        server.make(f"--waldir={server.folder / 'wal'}")
        server.start()
        with served(server, tmp_path) as service:
            with Writers(service, WRITERS) as writers, service.client() as client:
                until_all_wrote(writers)
                with filled(server.data):
                    until_refused(writers, 5 * WRITERS)
                    assert client.ask("GET", "/health/live").status == 200
                    assert client.ask("GET", "/health/ready").status == 200  # it answers
                recovered_s = until_all_wrote(writers)
            assert writers.contradictions() == []
            assert writers.unknown == 0
            assert writers.statuses.keys() == {200, 201, 204, 503}
            assert "unavailable: DiskFull (53100)" in service.log()
    assert recovered_s < RECOVERED_S
    figure(
        16,
        f"a full disk of tables under {WRITERS} writers: 503s; each has written again within",
        f"{writers.statuses[503]}; {recovered_s:.1f} s",
    )


def test_a_full_disk_of_the_write_ahead_log_ends_postgresql_and_loses_nothing(
    server: Server, tmp_path: Path, figure: Any
) -> None:
    wal = server.folder / "wal"
    with small_disk(server, wal, 64):
        server.make(f"--waldir={wal}", "--wal-segsize=1")  # MB, so that the next one is due soon
        server.start()
        with served(server, tmp_path) as service:
            with Writers(service, WRITERS) as writers, service.client() as client:
                until_all_wrote(writers)
                with filled(wal):
                    until(
                        lambda: not server.is_running()
                    )  # after a PANIC it finds no room to recover
                    until_refused(writers, 5 * WRITERS)
                    assert client.ask("GET", "/health/live").status == 200
                    assert client.ask("GET", "/health/ready").status == 503
                server.start()
                recovered_s = until_all_wrote(writers)
                assert client.ask("GET", "/health/ready").status == 200
            assert "PANIC" in server.log()
            assert writers.contradictions() == []
            assert writers.unknown == 0
            assert writers.statuses.keys() == {200, 201, 204, 503}
    assert recovered_s < RECOVERED_S
    figure(
        16,
        f"a full disk of the write-ahead log under {WRITERS} writers: 503s; after the database's return"
        " each has written again within",
        f"{writers.statuses[503]}; {recovered_s:.1f} s",
    )


@pytest.mark.parametrize("state", ["not ready", ""])
def test_on_a_full_disk_the_embedded_postgresql_says_so_and_starts_when_there_is_room(
    state: str,
) -> None:
    with a_desk() as desk:
        data_dir = desk.folder / "data"
        data_dir.mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", "size=200m,mode=0700", "todo-api-test", data_dir]
        subprocess.run(mounted, check=True)
        try:
            settings = {"DATA_DIR": str(data_dir), "PORT": "0", "LOG_LEVEL": "ERROR"}
            service = desk.start("serve", **settings).ready()
            session = service.call("POST", "/api/auth/signup", ACCOUNT)[1]["data"]
            assert service.end(signal.SIGTERM).status == 0
            until(lambda: not processes_in(desk.folder))
            # Version 1.0.0 emptied the file, and the keeper then had no room to write into it.
            (data_dir / "pg/server.lock").write_text(state)
            with filled(data_dir):
                refused = desk.run("serve", **settings)
                assert (refused.status, refused.out) == (1, "")
                assert "Traceback" not in refused.err
                said = "0 bytes are free" if state else "No space left on device"
                assert said in refused.err
                assert str(data_dir) in refused.err
            until(lambda: not processes_in(desk.folder))
            service = desk.start("serve", **settings).ready()
            assert service.titles(session) == []
            assert service.end(signal.SIGTERM).status == 0
            until(lambda: not processes_in(desk.folder))
        finally:
            for command in desk.commands:
                command.clear_away()
            until(lambda: not processes_in(desk.folder))
            subprocess.run(["umount", data_dir], check=True)
