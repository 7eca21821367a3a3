"""A worker that hangs is replaced. One that is only busy, or was stopped with its parent, is not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from support.small_service import GET, StartSmall, read_all
from support.waiting import until
from todo_api.processes import heartbeat, machine
from todo_api.processes.heartbeat import STEP_SECONDS, Heartbeats, LivedTime, Pulse, Watch

if TYPE_CHECKING:
    from pathlib import Path

SILENCE = 4


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says."""
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    monkeypatch.setattr(heartbeat, "waited_for_cores", lambda pid: {})
    return moment


def watch(beats: Heartbeats) -> Watch:
    return Watch(beats, 0, os.getpid())


@pytest.mark.slow
def test_a_stopped_worker_is_killed_and_replaced(start: StartSmall) -> None:
    service = start(silence=SILENCE)
    first = service.pid()
    os.kill(first, signal.SIGSTOP)
    assert until(service.pid) != first
    assert f"worker {first} hangs: its event loop has made no turn for {SILENCE} s" in service.log()
    assert f"worker {first} was ended by SIGKILL; starting another" in service.log()


@pytest.mark.slow
def test_a_worker_whose_interpreter_is_held_is_replaced(start: StartSmall) -> None:
    service = start(silence=SILENCE)
    first = service.pid()
    with service.open(b"GET /hold-gil HTTP/1.1\r\nHost: x\r\n\r\n"):
        until(lambda: f"worker {first} was ended by SIGKILL" in service.log())
        assert until(service.pid) != first


@pytest.mark.slow
def test_one_stopped_worker_of_two_is_replaced_and_the_other_stays(start: StartSmall) -> None:
    service = start(silence=SILENCE, workers=2)
    first = service.pid()
    other = until(lambda: next((p for p in (service.pid() for _ in range(20)) if p != first), 0))
    os.kill(first, signal.SIGSTOP)
    until(lambda: f"worker {first} was ended by SIGKILL" in service.log())
    assert f"worker {other} " not in service.log().partition("hangs")[2]


@pytest.mark.slow
def test_a_worker_whose_requests_never_end_is_replaced_and_finishes_the_others(
    start: StartSmall, tmp_path: Path
) -> None:
    service = start(longest=1)
    first = service.pid()
    with service.open(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"):
        client = service.open(b"GET /slow?seconds=4&began=/dev/null HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(client).endswith(b"hello")  # read_all: the drain ends the connection
        assert "have not ended for far too long" in service.log()
        assert until(service.pid) != first


@pytest.mark.slow
def test_requests_that_take_their_time_replace_nobody(start: StartSmall, tmp_path: Path) -> None:
    service = start(silence=SILENCE, longest=60, threads=2)
    first = service.pid()
    slow = f"GET /slow?seconds={2 * SILENCE}&began=/dev/null HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.open(slow.encode())) for _ in range(4)]
        for client in clients:
            assert client.recv(65536).endswith(b"hello")
    assert service.pid() == first
    assert "hangs" not in service.log()


@pytest.mark.slow
def test_a_service_that_was_stopped_as_a_whole_goes_on(start: StartSmall) -> None:
    service = start(silence=SILENCE, workers=2)
    os.killpg(service.process.pid, signal.SIGSTOP)
    time.sleep(2 * SILENCE)
    os.killpg(service.process.pid, signal.SIGCONT)
    with service.open(GET) as client:
        assert client.recv(65536).endswith(b"hello")
    time.sleep(1)
    assert "hangs" not in service.log()


def test_a_worker_that_can_not_start_for_ever_is_replaced_later(moment: list[float]) -> None:
    beats = Heartbeats(1, silence_s=10)
    watched = watch(beats)
    assert not any(watched.look(1.0, serves=False) for _ in range(59))
    assert watched.look(1.0, serves=False)


def test_a_clock_that_jumps_makes_nobody_late(moment: list[float]) -> None:
    lived = LivedTime()
    moment[0] += 3600  # a suspended laptop, where the clock goes on
    assert lived.look() == STEP_SECONDS
    beats = Heartbeats(1, silence_s=10)
    pulse, watched = Pulse(beats, 0, longest_s=10), watch(beats)

    def app(environ: object, start_response: object) -> list[bytes]:
        moment[0] += 3600
        pulse.beat()
        assert watched.look(1.0, serves=True) is None
        for _ in range(10):
            moment[0] += 1
            pulse.beat()
        assert watched.look(1.0, serves=True) == "1 requests have not ended for far too long"
        return []

    pulse.watched(app)({}, lambda *_: lambda _: None)  # type: ignore[arg-type]
    pulse.beat()
    assert watched.look(1.0, serves=True) is None


def test_time_without_a_core_is_no_silence(
    moment: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_s = [0.0]
    monkeypatch.setattr(heartbeat, "waited_for_cores", lambda pid: {"1": 0.0, "2": waited_s[0]})
    watched = watch(Heartbeats(1, silence_s=10))
    for _ in range(100):
        waited_s[0] += 0.95
        assert watched.look(1.0, serves=True) is None
    assert any(watched.look(1.0, serves=True) for _ in range(10))


def test_the_kernel_tells_how_long_threads_waited_for_a_core_or_nothing() -> None:
    assert min(machine.waited_for_cores(os.getpid()).values()) >= 0
    assert machine.waited_for_cores(2**22 + 1) == {}
