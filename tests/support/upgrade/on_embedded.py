"""One machine with a PostgreSQL of its own in its folder: restarted with one version and the other."""

import socket
import time

import psycopg

from support.upgrade.asking import Asking
from support.upgrade.town import at_work, fill
from support.upgrade.trial import AT_WORK, NEWCOMERS, TASKS, USERS, Trial, free_port
from support.upgrade.versions import Machine, Version

_AWAY = "ConnectionRefusedError"


def on_embedded(trial: Trial) -> str:
    """Do it; what is to be said beside the record."""
    data = trial.folder / "data"
    data.mkdir()
    trial.settings |= {"DATA_DIR": str(data)}
    machine = Machine("one", trial.folder, free_port(), trial.settings)
    trial.stack.callback(machine.clear_away)
    machine.start(trial.former)

    def asking() -> Asking:
        address = ("127.0.0.1", machine.port)
        return Asking(lambda: socket.create_connection(address, 60), "127.0.0.1", trial.record)

    trial.record.begin("filling")
    number = fill(_superuser(machine), asking(), USERS, TASKS)
    of_former = _applied(machine)
    said = f"Embedded PostgreSQL, {number} tasks of {USERS} users\n"
    with at_work(asking, trial.record, AT_WORK, NEWCOMERS):
        trial.phase("the former version serves")
        for again in ("", ", again"):
            _restart(machine, trial.new, trial, f"restart with the new version{again}")
            trial.phase(f"the new version serves{again}")
            count = str(_applied(machine) - of_former)
            _restart(machine, trial.former, trial, f"restart with the former version{again}")
            trial.phase(f"the former version on the new schema{again}", is_traceless=True)
        _restart(machine, trial.former, trial, "stop, rollback, start", "--count", count, "--yes")
        trial.phase("the former version on its own schema")
        trial.record.end()
    return f"{said}\nReasons of 503: {dict(machine.reasons())}\n"


def _restart(machine: Machine, version: Version, trial: Trial, name: str, *rollback: str) -> None:
    phase = trial.record.begin(name, _AWAY)
    began = time.monotonic()
    phase.notes.append(f"stop {machine.stop():.1f} s")
    if rollback:
        _, took = trial.new.run(trial.folder, trial.settings, "rollback", *rollback)
        phase.notes.append(f"rollback {took:.1f} s")
    phase.notes.append(f"start {machine.start(version):.1f} s")
    phase.notes.append(f"away for {time.monotonic() - began:.1f} s")


def _superuser(machine: Machine) -> str:
    """The URL that the latest start of an embedded one logs."""
    return machine.log.read_text().rsplit("psql '", 1)[1].split("'")[0]


def _applied(machine: Machine) -> int:
    with psycopg.connect(_superuser(machine)) as connection:
        row = connection.execute("SELECT count(*) FROM applied_migrations").fetchone()
    assert row is not None
    return int(row[0])
