"""Children and their parent: each notices the end of the other, whatever its siblings do."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from support.processes import alive, children
from support.waiting import until

if TYPE_CHECKING:
    from support.small_service import StartSmall


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_child_notices_its_parents_end_although_a_sibling_stands_still(
    start: StartSmall, stopped: int
) -> None:
    service = start(workers=2)
    both = until(lambda: (found := children(service.process.pid))[1:] and found)
    still, other = both[stopped], both[1 - stopped]
    os.kill(still, signal.SIGSTOP)
    try:
        service.process.kill()
        service.process.wait()
        # It holds no copy of the sibling's link to the parent.
        until(lambda: not alive(other))
        assert alive(still)
    finally:
        os.kill(still, signal.SIGCONT)
    until(lambda: not alive(still))


@pytest.mark.slow
def test_a_worker_that_does_not_end_is_killed(start: StartSmall) -> None:
    service = start()
    worker = service.pid()
    os.kill(worker, signal.SIGSTOP)
    service.signal()
    assert service.process.wait(60) == 1
    assert not alive(worker)
