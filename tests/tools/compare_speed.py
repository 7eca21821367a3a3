"""Measure the service against its peers and itself; write tests/bench/RESULTS.md and README.md's table.

    python tests/tools/compare_speed.py --peers FOLDER                    all of it (half an hour)
    python tests/tools/compare_speed.py --peers FOLDER --against COMMIT   and beside the service as it was
    python tests/tools/compare_speed.py --peers FOLDER --only constant    a part; prints its marks
    python tests/tools/compare_speed.py --peers FOLDER --quick            a rehearsal (six minutes); prints

FOLDER holds servers of the same API and bench/bench.py; a peer that is not there or not set up is left
out. It needs wrk; as root the peers' bench runs PostgreSQL as PG_USER. Leave the machine alone meanwhile.
"""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import on_path  # noqa: F401
import psycopg

from bench import commit, results
from bench.alone import measure_constant, measure_start, measure_workers
from bench.load import need_wrk
from bench.peers import Side, measure_connections, measure_latency, measure_peers, ready_peers
from bench.readings import OURS, PartFailed, Run
from bench.rig import rig
from bench.table_growth import SIZES, measure_growth

WITH_PEERS = {
    "peers": measure_peers,
    "latency": measure_latency,
    "connections": measure_connections,
}
ALONE = {
    "constant": measure_constant,
    "growth": measure_growth,
    "workers": measure_workers,
    "start": measure_start,
}
LAST = commit.ROOT / "build" / "speed.json"  # what was read, to write the page again


def main() -> None:
    given = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # by way of every `finally`
    if given.again:
        run = msgspec.json.decode(LAST.read_bytes(), type=Run)
    else:
        need_wrk()
        run = _measure(given)
        LAST.parent.mkdir(exist_ok=True)
        LAST.write_bytes(msgspec.json.encode(run))
    if given.again or not (given.quick or given.only):
        results.write(run, results.FOLDER)
        results.write_readme(run, results.README)
    sys.stdout.write(results.marks_table(run))
    if run.missing:
        sys.exit(f"left out: {'; '.join(run.missing)}")


def _measure(given: argparse.Namespace) -> Run:
    parts = given.only or [*WITH_PEERS, *ALONE]
    run = Run(
        made_on=datetime.now(UTC).date().isoformat(),
        version=commit.described() + ("" if commit.is_clean() else " with changes"),
        against=given.against or "",
        machine=machine(),
        rounds=1 if given.quick else given.rounds,
        duration=1 if given.quick else given.duration,
    )
    with ExitStack() as stack:
        sides = [Side(OURS, Path(sys.executable))]
        if given.against:
            sides.append(stack.enter_context(commit.installed(given.against)))
        if wanted := [part for part in WITH_PEERS if part in parts]:
            peers, run.missing = _peers(given.peers)
            for part in wanted:
                with _spared(part, run):
                    WITH_PEERS[part](given.peers, run, peers, sides)
        if wanted := [part for part in ALONE if part in parts]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="todo-load-")))
            sizes = SIZES[:1] if given.quick else SIZES
            place = stack.enter_context(rig(folder, run.rounds, run.duration, sizes))
            for part in wanted:
                with _spared(part, run):
                    ALONE[part](place, run)
    return run


@contextmanager
def _spared(part: str, run: Run) -> Iterator[None]:
    """Let the other parts go on when this one fails: a run takes half an hour."""
    try:
        yield
    except (PartFailed, AssertionError, OSError, httpx.HTTPError, psycopg.Error) as error:
        sys.stderr.write(f"{part}: {type(error).__name__}: {error}\n")
        run.missing.append(f"the part {part} failed")


def _peers(folder: Path | None) -> tuple[list[str], list[str]]:
    """Those that can be measured, and what is missing of the others."""
    if folder is None or not (folder / "bench" / "bench.py").exists():
        sys.exit("--peers has to name the folder with the peers and their bench/bench.py")
    if not (os.environ.get("PG_BIN") or shutil.which("pg_config")):
        sys.exit(
            "the peers' bench needs PostgreSQL's programs: install them, or name them in PG_BIN"
        )
    ready, missing = ready_peers(folder)
    for sentence in missing:
        sys.stderr.write(f"left out: {sentence}\n")
    return ready, missing


def machine() -> str:
    """What the page says of the machine."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(": ")[2] for line in cpuinfo.splitlines() if "model name" in line]
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    if unknown := set(parts) - {*WITH_PEERS, *ALONE}:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return parts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--peers", type=lambda text: Path(text).resolve(), help="the folder of the peers")
    add("--against", metavar="COMMIT", help="measure the service at this commit too")
    add("--only", type=_parts, help=f"parts of {', '.join([*WITH_PEERS, *ALONE])}; prints")
    add("--quick", action="store_true", help="one round of a second each, small tables; prints")
    add("--rounds", type=int, default=3)
    add("--duration", type=int, default=4, help="seconds a reading")
    add("--again", action="store_true", help="write the page again, from what was read last")
    return parser


if __name__ == "__main__":
    main()
