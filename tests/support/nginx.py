"""nginx with the configuration that the README shows: only addresses and files are put in."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.certificates import make_authority, make_certificate
from support.waiting import until

README = Path(__file__).parents[2] / "README.md"
HOST = "todo.example.com"
# In the foreground, with all its files in one folder.
_AROUND = """daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log info;
{user}
events {{ }}
http {{
    ssl_ciphers DEFAULT:@SECLEVEL=0;  # so that only what the README shows keeps old TLS out
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {shown}
}}
"""


class Nginx:
    """A running one."""

    def __init__(self, port: int, folder: Path, authority: Path) -> None:
        self.port = port
        self.folder = folder
        self.tls = ssl.create_default_context(cafile=str(authority))

    def open(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """A connection, by TLS."""
        return self.tls.wrap_socket(self.open_plain(source), server_hostname=HOST)

    def open_plain(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection without TLS."""
        return socket.create_connection(("127.0.0.1", self.port), 60, (source, 0))

    def saw(self, first_line: str) -> bool:
        """Whether nginx itself took this for a request."""
        return f'"{first_line} HTTP/1.1"' in (self.folder / "access.log").read_text()


def shown() -> str:
    """The configuration in the README."""
    [found] = re.findall(r"```nginx\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return found


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(service_port: int, folder: Path) -> Iterator[Nginx]:
    """Run one before the service at `service_port`."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "there is no nginx to run: install nginx-light"
    authority = make_authority(folder, "authority")
    certificate = make_certificate(folder, authority, HOST)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = _AROUND.format(
        folder=folder,
        user="user root;" if Path(folder).owner() == "root" else "",
        shown=_replaced(
            shown(),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("127.0.0.1:8000", f"127.0.0.1:{service_port}"),
            (f"/etc/ssl/{HOST}.pem", str(certificate.file)),
            (f"/etc/ssl/{HOST}.key", str(certificate.key)),
        ),
    )
    (folder / "nginx.conf").write_text(configuration)
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [program, "-p", folder, "-c", folder / "nginx.conf"], stderr=stderr
        )
    try:
        running = Nginx(port, folder, authority.file)

        def answers() -> bool:
            assert process.poll() is None, (folder / "stderr").read_text()
            try:
                running.open().close()
            except OSError:
                return False
            return True

        until(answers)
        yield running
    finally:
        process.terminate()
        process.wait(20)
