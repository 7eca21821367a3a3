"""Programs of two versions: the one that is checked out, and one that git has."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from support.waiting import until

_ROOT = Path(__file__).parents[3]
PATIENCE_S = 300


@dataclass(frozen=True)
class Version:
    """A version that is installed in an environment of its own."""

    name: str
    python: Path

    def run(self, folder: Path, settings: dict[str, str], *arguments: str) -> tuple[str, float]:
        """What a command printed, and how long it took; it has to end well."""
        began = time.monotonic()
        ended = subprocess.run(
            [self.python, "-m", "todo_api", *arguments],
            cwd=folder,
            env=_environment(settings),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        took = time.monotonic() - began
        assert ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout, took

    def spawn(
        self, folder: Path, log: Path, settings: dict[str, str], *arguments: str
    ) -> subprocess.Popen[str]:
        """A command that goes on, with its log in a file."""
        with log.open("ab") as out:
            return subprocess.Popen(
                [self.python, "-m", "todo_api", *arguments],
                cwd=folder,
                env=_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                text=True,
            )


class Machine:
    """A place where one version at a time serves, always at the same port."""

    def __init__(self, name: str, folder: Path, port: int, settings: dict[str, str]) -> None:
        self.name, self.port, self.folder = name, port, folder
        self.log = folder / f"{name}.log"
        self._settings = settings | {"HOST": "127.0.0.1", "PORT": str(port), "LOG_FORMAT": "json"}
        self._process: subprocess.Popen[str] | None = None

    def start(self, version: Version) -> float:
        """Serve, and wait until it is ready; how long that took."""
        began = time.monotonic()
        process = self._process = version.spawn(self.folder, self.log, self._settings, "serve")

        def is_ready() -> bool:
            assert process.poll() is None, self.log.read_text()[-4000:]
            try:
                url = f"http://127.0.0.1:{self.port}/health/ready"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return bool(answer.status == 200)
            except (urllib.error.URLError, OSError):
                return False

        until(is_ready, PATIENCE_S)
        return time.monotonic() - began

    def stop(self) -> float:
        """End it as a service manager does; how long that took."""
        began = time.monotonic()
        process, self._process = self._process, None
        if process is None:
            return 0.0
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, self.log.read_text()[-4000:]
        return time.monotonic() - began

    def reasons(self) -> Counter[str]:
        """Why requests were answered 503, as the log says."""
        lines = self.log.read_text().splitlines()
        return Counter(
            re.sub(r"[^ -~]|[0-9a-f-]{36}", "", json.loads(line)["message"])[:160]
            for line in lines
            if '"unavailable: ' in line
        )

    def clear_away(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def this_version() -> Version:
    return Version("new", Path(sys.executable))


def former_version(commit: str, folder: Path) -> Version:
    """Take a commit out of git, and install it as its own README says; or its Python, if it is installed."""
    if Path(commit).is_file():
        return Version("former", Path(commit).absolute())
    source, environment = folder / "source", folder / "venv"
    source.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit], cwd=_ROOT, stdout=subprocess.PIPE, check=True
    )
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", ".[embedded]"]
    subprocess.run(install, cwd=source, check=True, stderr=subprocess.DEVNULL)
    shutil.rmtree(source)
    return Version("former", python)


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
    }
    return kept | settings
