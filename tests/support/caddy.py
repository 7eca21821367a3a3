"""Caddy with the Caddyfile that operators get: only addresses are put in, and TLS is left out."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import todo_api
from support.nginx import HOST, replaced
from support.waiting import until

SHOWN = Path(todo_api.__file__).parent / "deploy" / "Caddyfile"


def find_caddy() -> str:
    """The program."""
    program = shutil.which("caddy")
    assert program, "there is no caddy to ask: install caddy"
    return program


def shown() -> str:
    """The file, in the words of the caddy that is here."""
    text = SHOWN.read_text("utf-8")
    asked = [find_caddy(), "version"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    old = tuple(map(int, re.findall(r"\d+", version)[:3])) < (2, 6, 4)  # Debian 12's
    return _as_before_2_6_4(text) if old else text


def at_home_in(folder: Path) -> dict[str, str]:
    """Variables for a caddy that keeps its files there."""
    return dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))


@contextmanager
def caddy(service_port: int, folder: Path, *changes: tuple[str, str]) -> Iterator[int]:
    """Run one before the service at `service_port`, with these changes of the file; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    copy = folder / "Caddyfile"
    copy.write_text(
        replaced(
            shown(),
            *changes,
            ("{\n\tservers {", "{\n\tadmin off\n\tservers {"),
            (f"\n{HOST} {{", f"\nhttp://127.0.0.1:{port} {{"),
            ("127.0.0.1:8000", f"127.0.0.1:{service_port}"),
        )
    )
    run = [find_caddy(), "run", "--adapter", "caddyfile", "--config", copy]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(run, env=at_home_in(folder), stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (folder / "caddy.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    try:
        until(answers)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _as_before_2_6_4(text: str) -> str:
    """With the former names of the two buffers, which had one size."""
    return replaced(
        text,
        ("request_buffers 1MB", "buffer_requests"),
        ("response_buffers 1MB", "buffer_responses\n\t\tmax_buffer_size 1MB"),
    )
