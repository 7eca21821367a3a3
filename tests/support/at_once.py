"""Many threads that do the same at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` returned or raised, from `count` threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait(timeout=30)
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 (the test judges it)
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
