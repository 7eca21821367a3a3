"""What both trials do: users at work, a phase after the other, and commands whose locks are watched."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.credentials import SECRET
from support.folders import quick_folder
from support.upgrade.locks import Locks
from support.upgrade.record import Record
from support.upgrade.versions import Version, former_version, this_version

USERS = int(os.environ.get("USERS", "1000"))
TASKS = int(os.environ.get("TASKS", "1000"))
AT_WORK, NEWCOMERS = 8, 2
_SECONDS = float(os.environ.get("SECONDS", "15"))
_PATIENCE_S = 600
_SETTINGS = {
    "JWT_SECRET": SECRET,
    "BCRYPT_ROUNDS": "4",
    "WORKERS": "1",
    "AUTH_RATE_LIMIT": "100000 per minute",
}


@dataclass
class Trial:
    """Two versions, a folder, and what users met; `stack` ends all that was started."""

    former: Version
    new: Version
    folder: Path
    record: Record
    stack: ExitStack
    settings: dict[str, str]

    def go_on(self, seconds: float = _SECONDS) -> None:
        """Let the users work."""
        time.sleep(seconds)

    def phase(self, name: str, may_fail: str = "", *, is_traceless: bool = False) -> None:
        """A phase in which nothing is done but what users do."""
        self.record.begin(name, may_fail, is_traceless=is_traceless)
        self.go_on()

    def command(self, superuser: str, name: str, *arguments: str) -> str:
        """Begin a phase with a command of the new version; which tables it locked, as Markdown."""
        phase = self.record.begin(name)
        log = self.folder / f"command-{len(self.record.phases)}.log"
        locks = Locks(superuser, log)
        began = time.monotonic()
        with locks.watched():
            process = self.new.spawn(self.folder, log, self.settings, *arguments)
            assert process.wait(_PATIENCE_S) == 0, log.read_text()
        phase.notes.append(f"the command took {time.monotonic() - began:.1f} s")
        return f"**{name}**\n\n{locks.report()}\n"


@contextmanager
def a_trial(commit: str) -> Iterator[Trial]:
    """One in a temporary folder, from the version of a commit to the one that is checked out."""
    with ExitStack() as stack:
        folder = quick_folder("upgrade-")
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)  # as root, PostgreSQL runs as another account, which has to get in
        programs = Path(tempfile.mkdtemp(prefix="upgrade-former-"))
        stack.callback(shutil.rmtree, programs)
        former = former_version(commit, programs)
        yield Trial(former, this_version(), folder, Record(), stack, dict(_SETTINGS))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
