"""nginx.conf and Caddyfile: the proxies accept them. tests/resilience sends requests through nginx.conf."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from resilience.nginx import HOST, configuration, find_nginx

import todo_api

DEPLOY = Path(todo_api.__file__).parent / "deploy"


@pytest.mark.programs
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    file = configuration(tmp_path, port=443, service_port=8000)
    done = subprocess.run(
        [find_nginx(), "-t", "-p", tmp_path, "-c", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    assert not re.search(r"/etc/ssl", file.read_text())  # the copy's own certificates were read


@pytest.mark.programs
def test_caddy_accepts_its_file(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    assert caddy, "there is no caddy to ask: install caddy"
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert text.count(f"\n{HOST} {{") == 1
    version = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < (2, 6, 4):  # Debian 12's
        text = _as_before_2_6_4(text)
    copy = tmp_path / "Caddyfile"
    copy.write_text(text)
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", copy],
        env={
            "HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


def _as_before_2_6_4(text: str) -> str:
    """With the former names of the two buffers, which had one size."""
    for new, old in (
        ("request_buffers 1MB", "buffer_requests"),
        ("response_buffers 1MB", "buffer_responses\n\t\tmax_buffer_size 1MB"),
    ):
        assert text.count(new) == 1
        text = text.replace(new, old)
    return text
