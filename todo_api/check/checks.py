"""Runs checks one after the other: each within its time, all within a total, and none can end the others."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from todo_api.upkeep.findings import Finding, error, ok, warning
from todo_api.upkeep.probe import ProbeError

TOTAL_S = 60.0
PATIENCE_S = 10.0  # longer than a statement may take, so only silence lasts so long

Result = TypeVar("Result")


class TimeUp(Exception):
    """There was no answer in time."""


class Checks:
    """What was found so far."""

    def __init__(self, total_s: float = TOTAL_S) -> None:
        self.found: list[Finding] = []
        self._deadline = time.monotonic() + total_s

    def add(
        self, name: str, check: Callable[[], Iterable[Finding]], patience_s: float | None = None
    ) -> bool:
        """Run a check and keep what it finds, or that it failed; False if it did not end in time."""
        try:
            self.found += self.within(patience_s or PATIENCE_S, lambda: list(check()))
        except TimeUp as late:
            hint = "see whether it is overloaded, or cut off from this machine"
            self.found.append(error(name, str(late), hint))
            return False
        except ProbeError as failure:
            self.found.append(_failed(name, failure))
        except Exception as failure:  # noqa: BLE001 (no check ends the others)
            # by its kind: its words may hold what nobody should read
            told = f"the check failed: {type(failure).__name__}"
            self.found.append(error(name, told, "please report it"))
        return True

    def within(self, patience_s: float, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises; TimeUp when that takes longer, and the work is left to itself."""
        patience_s = min(patience_s, self._deadline - time.monotonic())
        if patience_s <= 0:
            raise TimeUp("the time for all checks is up")
        done: queue.SimpleQueue[tuple[list[Result], BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put(([work()], None))
            except BaseException as failure:  # noqa: BLE001 (raised in the other thread)
                done.put(([], failure))

        # A daemon: the process does not wait for it at its end.
        threading.Thread(target=run, daemon=True).start()
        try:
            result, failure = done.get(timeout=patience_s)
        except queue.Empty:
            raise TimeUp(f"no answer within {patience_s:.0f} s") from None
        if failure is not None:
            raise failure
        return result[0]


def _failed(name: str, failure: ProbeError) -> Finding:
    if failure.is_denied:
        return ok(name, f"not looked at: {failure} (it needs the login that migrates, MIGRATE_URL)")
    if failure.is_busy:
        return warning(
            name, f"not looked at: {failure}", "run the check again when there is less to do"
        )
    return error(name, str(failure), "see the server's log")
