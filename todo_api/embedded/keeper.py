"""The keeper of the embedded PostgreSQL: a detached process that outlives the service and the server.

running.py runs this file with `python -I -S`. It imports only a little of the standard library, because
the process stays beside the server for as long as the server runs.

Locks (flock) in the folder that holds the cluster:
    users.lock   held by every service as a shared lock; the keeper gets an exclusive one when all have gone
    server.lock  held by the keeper; the file's text is the server's state: "not ready", "ready" or "failed"
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PID_FILES = ("postmaster.pid", ".s.PGSQL.5432.lock")
NOT_READY, READY, FAILED = b"not ready", b"ready", b"failed"

# Given on the command line, where they override the cluster's configuration files.
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    # Relative to the cluster: no path to quote, and no parent folder that the server's account must reach.
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # PostgreSQL's error texts quote what users sent, and the service logs errors itself.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    # Compiled queries need memory that is writable and executable, which systemd units and SELinux forbid.
    "jit": "off",
}


def try_lock(fd: int, kind: int) -> bool:
    """Take the flock `kind` (LOCK_EX or LOCK_SH) without waiting; False if another process holds it."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def settle(data: Path) -> None:
    """Stop a leftover server in `data`, and remove pid files that would keep a new one from starting.

    PostgreSQL trusts a pid file if any process with this id and account is alive. It does not start with
    an empty pid file, which a power cut can leave.
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
    """Whether process `pid` is a PostgreSQL in `data`, not another process that got the same id."""
    if sys.platform == "linux":
        try:
            return (
                Path(f"/proc/{pid}/cwd").samefile(data)
                and Path(f"/proc/{pid}/exe").readlink().name.split(" ")[0] == "postgres"
            )
        except OSError:  # ended, a zombie, or of another account
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


def _launch(
    postgres: str, data: Path, connections: str, account: tuple[int, int] | None
) -> subprocess.Popen[bytes]:
    uid, gid = account or (None, None)
    command = [postgres, "-D", str(data)]
    settings = SETTINGS | {"max_connections": connections}
    command += [word for pair in settings.items() for word in ("-c", "=".join(pair))]
    folder: tuple[int, ...] = ()
    if account and sys.platform == "linux":
        # A descriptor opened by root lets the account use a folder whose parent it can't enter.
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
    """Whether server `pid` accepts connections: then line 8 of its pid file is "ready"."""
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
    """Write the server's state into the lock file, where waiting services read it.

    Written over the former one, so that a full disk has room for it.
    """
    os.pwrite(lock, state, 0)
    os.ftruncate(lock, len(state))


def _reported(lock: int, state: bytes) -> bool:
    """Whether the state could be written. The keeper goes on without: the server matters more."""
    try:
        report(lock, state)
    except OSError:
        return False
    return True


def _keep(
    home: Path,
    lock: int,
    postgres: str,
    connections: str,
    account: tuple[int, int] | None,
    served: mmap.mmap,
) -> None:
    """Run PostgreSQL while a service uses it; restart it when it dies."""
    data = home / "data"
    users = os.open(home / "users.lock", os.O_RDWR | os.O_NOFOLLOW)
    # Processes of a killed server hold its shared memory until they notice its end, so starts are retried for
    # 30 s. Without a pid file no server was killed, and a retry would not help.
    patience = time.monotonic() + (30 if (data / "postmaster.pid").exists() else 0)
    pause = 0.1
    while not try_lock(users, fcntl.LOCK_EX):
        server, ready, told = None, False, False
        try:
            settle(data)
            server = _launch(postgres, data, connections, account)
        except OSError as error:
            with contextlib.suppress(OSError):  # of a full disk
                os.write(2, os.fsencode(f"{postgres}: {error}\n"))
        # Polling, because no call can wait for a lock and a child at once without a race.
        while server and server.poll() is None:
            if try_lock(users, fcntl.LOCK_EX):
                _reported(lock, NOT_READY)
                _stop(server)
                break
            if not ready and _accepts(data, server.pid):
                ready, served[0] = True, True
                pause = 0.1
            if ready and not told:
                told = _reported(lock, READY)
            time.sleep(0.1 if ready else 0.01)
        else:
            _reported(lock, NOT_READY)
            if not served[0] and time.monotonic() > patience:
                _reported(lock, FAILED)
                return
            time.sleep(pause)
            pause = min(pause * 2, 5)
    # Release server.lock before users.lock, which is released when this process ends. A service that then
    # gets users.lock finds that there is no keeper, and starts one.
    fcntl.flock(lock, fcntl.LOCK_UN)


def main(home: str, lock: str, postgres: str, connections: str, *account: str) -> None:
    """Detach and run the keeper for `home` in a child process; start another if it is killed."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Ignored: the keeper ends with the last service, since a service that drains still needs the server.
        signal.signal(signum, lambda *_: None)
    if os.fork():  # so that the keeper is not a child of the service
        os._exit(0)
    ids = (int(account[0]), int(account[1])) if account else None
    served = mmap.mmap(-1, 1)  # whether the server was ready once: shared by all keepers
    while (Path(home) / "users.lock").exists():  # else somebody has deleted the folder
        keeper = os.fork()
        if not keeper:
            _keep(Path(home), int(lock), postgres, connections, ids, served)
            return
        ended = os.waitpid(keeper, 0)[1]
        # A keeper that failed, and was not killed, would fail again. But a server that was ready is kept up.
        if ended == 0 or (os.WIFEXITED(ended) and not served[0]):
            return
        _reported(int(lock), NOT_READY)
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
