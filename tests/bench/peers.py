"""The peers, and the service beside them, measured by the peers' own bench/bench.py."""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from .marks import ASYNCPG, BUSY, MANY, PEERS, SINGLE
from .readings import PartFailed, Reading, Run
from .service import SETTINGS

SCENARIOS = ("get", "list20", "list1000", "create", "update", "complete")
_SHOWN = "PEERS"  # the peers' folder, in what is written


class Side(NamedTuple):
    """A version of the service to measure: its name, and the Python that has it installed."""

    name: str
    python: Path


def ready_peers(folder: Path) -> tuple[list[str], list[str]]:
    """The peers that can be run, and why the others can't."""
    ready, missing = [], []
    for name in PEERS:
        if not (folder / name / "run.sh").exists():
            missing.append(f"{name} is not there")
        elif not any((folder / name / made).exists() for made in (".venv", "node_modules")):
            missing.append(f"{name} is not set up ({name}/setup.sh)")
        else:
            ready.append(name)
    return ready, missing


def measure_peers(folder: Path, run: Run, peers: list[str], sides: list[Side]) -> None:
    """Every scenario at 16 connections against every peer."""
    _bench(folder, run, "peers", peers, sides, SCENARIOS, (BUSY,))


def measure_latency(folder: Path, run: Run, peers: list[str], sides: list[Side]) -> None:
    """Every scenario of a task or a few at 128 connections, against the strongest Python peer."""
    strongest = [name for name in peers if name == ASYNCPG]
    _bench(folder, run, "latency", strongest, sides[:1], SINGLE, (MANY,))


def measure_connections(folder: Path, run: Run, peers: list[str], sides: list[Side]) -> None:
    """A get at ever more connections, for the picture."""
    fast = [name for name in peers if name in (ASYNCPG, "fastify_pg")]
    _bench(folder, run, "connections", fast, sides[:1], ("get",), (1, 4, 16, 64, 128))


def _bench(
    folder: Path,
    run: Run,
    part: str,
    peers: list[str],
    sides: list[Side],
    scenarios: tuple[str, ...],
    connections: tuple[int, ...],
) -> None:
    settings = " ".join(f'{name}="{value}"' for name, value in SETTINGS.items())
    options = [
        *("--peers", ",".join(peers), "--no-floor"),
        *("--rounds", str(run.rounds), "--duration", str(run.duration)),
        *("--scenarios", ",".join(scenarios), "--concurrency", ",".join(map(str, connections))),
    ]
    targets: list[str] = []
    shown: list[str] = []
    for side in sides:
        for found, python in ((targets, str(side.python)), (shown, ".venv/bin/python")):
            command = f"env {settings} {shlex.quote(python)} -m todo_api serve --port {{port}}"
            spec = f"name={side.name} health=/health/ready cwd={{}} cmd={shlex.quote(command)}"
            found += ["--target", spec]
    run.commands[part] = [shlex.join([f"{_SHOWN}/bench/bench.py", *options, *_in(shown, ".")])]
    with tempfile.TemporaryDirectory(prefix="todo-bench-") as nowhere:  # where no .env is
        out = Path(nowhere, "results")
        command_line = [sys.executable, str(folder / "bench" / "bench.py"), *options]
        with subprocess.Popen(
            [*command_line, "--out", str(out), *_in(targets, nowhere)],
            stdout=subprocess.DEVNULL,
            cwd=nowhere,
        ) as process:
            try:
                status = process.wait()
            finally:
                process.terminate()  # it stops all that it started; kill() would leave it running
        if status:
            raise PartFailed("the peers' bench.py ended with an error, which is above")
        run.readings += readings_of(part, out.with_suffix(".json").read_text(encoding="utf-8"))


def _in(targets: list[str], folder: str) -> list[str]:
    return [one.replace("cwd={}", f"cwd={folder}") for one in targets]


def readings_of(part: str, results: str) -> list[Reading]:
    """The readings in what bench.py has written."""
    cells = json.loads(results)["cells"]
    return [msgspec.convert({**cell, "part": part}, Reading) for cell in cells]
