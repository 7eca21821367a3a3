"""systemd as the first process of namespaces of its own, with one unit: the machine around it stays as it is.

It needs root. Files that are changed inside (/etc, /var, /opt, /run) are gone with it. The network is
the machine's.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.waiting import until

SYSTEMD = Path("/lib/systemd/systemd")
# The unit's dependencies, as the system has them, without all that a machine starts besides.
TARGETS = ("basic", "multi-user", "network-online", "shutdown", "sysinit", "umount")
_START = """set -eu
mount --make-rprivate /
for part in etc var opt; do
    own={folder}/$part
    mkdir -p $own/changes $own/work
    mount -t overlay overlay -o lowerdir=/$part,upperdir=$own/changes,workdir=$own/work /$part
done
mount -t tmpfs tmpfs /run
mkdir /run/units /run/units/todo-api.service.d
for target in {targets}; do
    printf '[Unit]\\nDefaultDependencies=no\\n' >/run/units/$target.target
done
cp {unit} /run/units/
printf '%s\\n' '[Service]' StandardOutput=append:{log} StandardError=append:{log} \\
    >/run/units/todo-api.service.d/log.conf
mount -t tmpfs tmpfs /sys/fs/cgroup
{cgroups}
mount -t proc proc /proc
{prepare}
exec env container=namespaces SYSTEMD_UNIT_PATH=/run/units {systemd} --system --unit=basic.target
"""


class Machine:
    """What is inside the namespaces."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self._log = log

    def run(self, *command: str) -> str:
        """The output of a command inside; AssertionError when it fails."""
        done = self.try_to_run(*command)
        assert done.returncode == 0, (done.stdout, done.stderr, self.log())
        return done.stdout.strip()

    def try_to_run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        inside = ["nsenter", "--all", "--target", str(self.pid), *command]
        return subprocess.run(inside, capture_output=True, text=True, check=False, timeout=120)

    def log(self) -> str:
        """What the unit wrote."""
        return self._log.read_text() if self._log.exists() else ""

    def properties(self, *names: str) -> dict[str, str]:
        """What systemd says about the unit."""
        shown = self.run("systemctl", "show", "todo-api", "--property", ",".join(names))
        return dict(line.split("=", 1) for line in shown.splitlines())


@contextmanager
def booted(unit: Path, folder: Path, prepare: str) -> Iterator[Machine]:
    """Start systemd with `unit`, not yet started, after the shell lines `prepare` have run inside."""
    log, output = folder / "log", folder / "systemd"
    groups = {hierarchy: place / f"todo-api-{os.getpid()}" for hierarchy, place in _hierarchies()}
    # The upper folders of the overlays can't be on an overlay, which `folder` may be.
    changes = Path("/dev/shm") / f"todo-api-{os.getpid()}"
    script = folder / "start"
    script.write_text(
        _START.format(
            folder=changes,
            targets=" ".join(TARGETS),
            unit=unit,
            log=log,
            cgroups="\n".join(
                f"mkdir -p {group.parent}\nmount -t {hierarchy} cgroup {group.parent}"
                for hierarchy, group in groups.items()
            ),
            prepare=prepare,
            systemd=SYSTEMD,
        )
    )
    for group in groups.values():
        group.mkdir()

    def move() -> None:
        for group in groups.values():
            (group / "cgroup.procs").write_text(str(os.getpid()))

    spaces = ("--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--ipc", "--uts")
    with output.open("wb") as stream:
        started = subprocess.Popen(
            ["unshare", *spaces, "sh", script], stdout=stream, stderr=stream, preexec_fn=move
        )
    try:
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
        pid = until(lambda: int((children.read_text().split() or ["0"])[0]))
        machine = Machine(pid, log)

        def is_up() -> bool:
            assert started.poll() is None, output.read_text()
            state = machine.try_to_run("systemctl", "is-active", "basic.target")
            return state.stdout.strip() == "active"

        until(is_up)
        yield machine
    finally:
        with suppress(ProcessLookupError):
            started.send_signal(signal.SIGKILL)  # and with it everything inside
        started.wait(20)
        for group in groups.values():
            until(lambda group=group: _removed(group))
        shutil.rmtree(changes, ignore_errors=True)


def _hierarchies() -> list[tuple[str, Path]]:
    """Where the cgroups are that systemd needs: version 2, and its own of version 1 where there is one."""
    found = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.append(("cgroup2", Path(place)))
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            found.append(("cgroup -o none,name=systemd", Path(place)))
    return found


def _removed(group: Path) -> bool:
    """Whether a cgroup and all below it could be removed: none has a process any more."""
    try:
        for inner in sorted(group.rglob("*/"), reverse=True):
            inner.rmdir()
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
