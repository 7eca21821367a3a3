"""The keeper of the embedded PostgreSQL: a detached process that outlives the service and the server.

running.py runs this file with `python -I -S`. It imports only a little of the standard library, because
the process stays beside the server for as long as the server runs.

Locks (flock) in the folder that holds the cluster:
    users.lock   shared by every service; exclusive here means that the last one has gone
    server.lock  held by the keeper; its text says how the server is: "", "ready" or "failed"
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PID_FILES = ("postmaster.pid", ".s.PGSQL.5432.lock")
READY, FAILED = b"ready", b"failed"

# On the command line, where they win over the cluster's own files.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    # Relative to the cluster: no path to quote, and no parent folder that the server's account must reach.
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # PostgreSQL's error texts quote what users sent, and the service logs errors itself.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}


def try_lock(fd: int, kind: int) -> bool:
    """Take the flock `kind` (LOCK_EX or LOCK_SH) if that is possible at once."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def settle(data: Path) -> None:
    """End a server left over in `data`; remove pid files that keep a new one from starting.

    PostgreSQL believes a pid file when any process of that number and account is alive, and
    refuses an empty file, which a power cut leaves behind.
    """
    for file in (data / name for name in PID_FILES):
        try:
            pid = abs(int(file.read_text().splitlines()[0]))
        except FileNotFoundError:
            continue
        except (IndexError, ValueError):
            file.unlink(missing_ok=True)
            continue
        started = time.monotonic()
        while _is_postmaster(pid, data):
            _signal(pid, signal.SIGINT if time.monotonic() - started < 60 else signal.SIGQUIT)
            time.sleep(0.05)
        if _signal(pid, 0):
            file.unlink(missing_ok=True)


def _is_postmaster(pid: int, data: Path) -> bool:
    """Whether process `pid` is a PostgreSQL that works in `data`, not another process of that number."""
    if sys.platform == "linux":
        try:
            return (
                Path(f"/proc/{pid}/cwd").samefile(data)
                and Path(f"/proc/{pid}/exe").readlink().name.split(" ")[0] == "postgres"
            )
        except OSError:  # gone, a zombie, or of another account: not ours
            return False
    shown = subprocess.run(
        ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False
    )
    return b"postgres -D " + os.fsencode(data) + b" " in shown.stdout


def _signal(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _launch(postgres: str, data: Path, account: tuple[int, int] | None) -> subprocess.Popen[bytes]:
    uid, gid = account or (None, None)
    command = [postgres, "-D", str(data)]
    command += [word for pair in SETTINGS.items() for word in ("-c", "=".join(pair))]
    folder: tuple[int, ...] = ()
    if account and sys.platform == "linux":
        # Through a descriptor opened by root the account gets into a folder whose parent is closed to it.
        folder = (os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW),)
        command[2] = f"/proc/self/fd/{folder[0]}"
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def stop_with_keeper() -> None:
        if libc:
            libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG: SIGINT is a fast shutdown

    try:
        return subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=folder,
            user=uid,
            group=gid,
            extra_groups=[] if account else None,
            preexec_fn=stop_with_keeper,
        )
    finally:
        for fd in folder:
            os.close(fd)


def _accepts(data: Path, pid: int) -> bool:
    """Whether server `pid` takes connections: it says so in line 8 of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _stop(server: subprocess.Popen[bytes]) -> None:
    for signum, seconds in ((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, None)):
        server.send_signal(signum)
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def report(lock: int, state: bytes) -> None:
    """Write how the server is into the lock file, for those who wait for it."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, state, 0)


def _keep(
    home: Path, lock: int, postgres: str, account: tuple[int, int] | None, served: bool
) -> None:
    """Run PostgreSQL while it has users; start it again when it dies under them."""
    data = home / "data"
    users = os.open(home / "users.lock", os.O_RDWR | os.O_NOFOLLOW)
    # The orphans of a killed server hold its shared memory until they notice its end. Without a trace of
    # such an end, a server that does not start now will not start later either.
    patience = time.monotonic() + (30 if (data / "postmaster.pid").exists() else 0)
    pause = 0.1
    while not try_lock(users, fcntl.LOCK_EX):
        server, ready = None, False
        try:
            settle(data)
            server = _launch(postgres, data, account)
        except OSError as error:
            sys.stderr.write(f"{postgres}: {error}\n")
            sys.stderr.flush()
        # Polled: no call waits for a lock and a child at once without a race.
        while server and server.poll() is None:
            if try_lock(users, fcntl.LOCK_EX):
                report(lock, b"")
                _stop(server)
                break
            if not ready and _accepts(data, server.pid):
                ready = served = True
                pause = 0.1
                report(lock, READY)
            time.sleep(0.1 if ready else 0.01)
        else:
            report(lock, b"")
            if not served and time.monotonic() > patience:
                report(lock, FAILED)
                return
            time.sleep(pause)
            pause = min(pause * 2, 5)
    # Release server.lock before users.lock, which ends with this process: a service that gets users.lock then
    # finds that there is no keeper, and starts another.
    fcntl.flock(lock, fcntl.LOCK_UN)


def main(home: str, lock: str, postgres: str, *account: str) -> None:
    """Detach and keep the server of `home`; if the keeper itself is killed, take its place."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The keeper ends with its last user, not before: a service that drains still needs the server.
        signal.signal(signum, lambda *_: None)
    if os.fork():  # so that the service does not get a child that it did not start
        os._exit(0)
    ids = (int(account[0]), int(account[1])) if account else None
    served = False
    while (Path(home) / "users.lock").exists():  # else somebody has deleted the folder
        keeper = os.fork()
        if not keeper:
            _keep(Path(home), int(lock), postgres, ids, served)
            return
        if os.waitpid(keeper, 0)[1] == 0:
            return
        served = True
        report(int(lock), b"")
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
