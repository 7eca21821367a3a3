"""nginx with the nginx.conf that operators get: only addresses and files are put in."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import todo_api
from support.certificates import make_authority, make_certificate
from support.waiting import until

SHOWN = Path(todo_api.__file__).parent / "deploy" / "nginx.conf"
HOST = "todo.example.com"
# In the foreground, with all its files in one folder.
_AROUND = """daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log info;
{user}
events {{ }}
http {{
    ssl_ciphers DEFAULT:@SECLEVEL=0;  # so that only nginx.conf keeps old TLS out
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


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The text with each first part, which stands there once, replaced by the second."""
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def find_nginx() -> str:
    """The program, which is not on everybody's PATH."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "there is no nginx to run: install nginx-light"
    return program


def configuration(
    folder: Path, port: int, *service_ports: int, changes: Sequence[tuple[str, str]] = ()
) -> Path:
    """A file with nginx.conf in it, for certificates that are made in `folder` beside `authority.crt`."""
    authority = make_authority(folder, "authority")
    certificate = make_certificate(folder, authority, HOST)
    file = folder / "nginx.conf"
    text = _AROUND.format(
        folder=folder,
        user="user root;" if Path(folder).owner() == "root" else "",
        shown=replaced(
            SHOWN.read_text(encoding="utf-8"),
            *changes,
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (
                "server 127.0.0.1:8000;",
                " ".join(f"server 127.0.0.1:{service};" for service in service_ports),
            ),
            (f"/etc/ssl/{HOST}.pem", str(certificate.file)),
            (f"/etc/ssl/{HOST}.key", str(certificate.key)),
        ),
    )
    file.write_text(text)
    return file


@contextmanager
def nginx(
    service_port: int, folder: Path, *changes: tuple[str, str], others: Sequence[int] = ()
) -> Iterator[Nginx]:
    """Run one before the service at `service_port` and those at other ports, with changes of the file."""
    program = find_nginx()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = configuration(folder, port, service_port, *others, changes=changes)
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen([program, "-p", folder, "-c", file], stderr=stderr)
    try:
        running = Nginx(port, folder, folder / "authority.crt")

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
