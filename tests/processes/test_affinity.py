"""A worker's threads stay on one core; threads that hash without the GIL have all cores."""

import os
import re
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from support.live_service import live_service
from support.waiting import until
from todo_api.processes.machine import core_of

CORES = os.sched_getaffinity(0)
NICE_OF_HASHING = str(min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19))


def test_each_worker_of_a_service_has_a_core_of_its_own_as_far_as_there_are_enough() -> None:
    for period in range(20):
        assert {core_of(place, 1, period, {0, 2, 3, 7}) for place in range(4)} == {0, 2, 3, 7}
    assert core_of(4, 1, 0, {0, 2, 3, 7}) == core_of(0, 1, 0, {0, 2, 3, 7})


def test_two_services_on_one_core_part_after_a_while() -> None:
    together = [
        core_of(0, 1, period, {0, 1}) == core_of(0, 2, period, {0, 1}) for period in range(20)
    ]
    assert set(together) == {True, False}


@pytest.mark.slow
def test_request_threads_share_a_core_and_hashing_threads_have_all(
    database_url: str, tmp_path: Path
) -> None:
    with live_service(database_url, tmp_path, WORKERS="2", THREADS="5") as service:
        account = {"email": "a@example.com", "password": "correct horse"}
        assert httpx.post(f"{service.url}/api/auth/signup", json=account).status_code == 201
        workers = [int(pid) for pid in re.findall(r"worker (\d+) started", service.log())]
        assert len(workers) == 2
        # Between two looks at the threads they may all move on, so they have to be found together once.
        assert until(lambda: _kept_together(workers))


@pytest.mark.slow
def test_without_core_pinning_every_thread_has_all_cores(database_url: str, tmp_path: Path) -> None:
    with live_service(database_url, tmp_path, THREADS="5", CORE_PINNING="false") as service:
        assert httpx.get(f"{service.url}/health/ready").status_code == 200
        [worker] = re.findall(r"worker (\d+) started", service.log())
        # The thread that pins starts before the worker serves, and pins at once.
        threads = [int(task.name) for task in Path(f"/proc/{worker}/task").iterdir()]
        assert len(threads) > 5
        assert {frozenset(os.sched_getaffinity(tid)) for tid in threads} == {frozenset(CORES)}
        assert {os.sched_getscheduler(tid) for tid in threads} == {os.SCHED_OTHER}


REFUSING = """
import errno, os, resource, sys

def refuse(*arguments):
    raise PermissionError(errno.EPERM, "Operation not permitted")

for name in ("sched_setaffinity", "sched_setscheduler", "setpriority", "nice"):
    setattr(os, name, refuse)
resource.setrlimit = refuse
import fcntl
fcntl.ioctl = refuse
from todo_api.cli import main
sys.exit(main(["serve"]))
"""


@pytest.mark.slow
def test_a_kernel_that_refuses_every_call_is_served_all_the_same(
    database_url: str, tmp_path: Path
) -> None:
    """As seccomp profiles and systemd's filters do: slower maybe, but nothing is 500 for it."""
    metrics = {"METRICS_PORT": "0", "LOG_FORMAT": "json"}
    with live_service(
        database_url, tmp_path, command=[sys.executable, "-c", REFUSING], **metrics
    ) as service:
        account = {"email": "a@example.com", "password": "correct horse"}
        answer = httpx.post(f"{service.url}/api/auth/signup", json=account)
        assert answer.status_code == 201
        assert httpx.post(f"{service.url}/api/auth/login", json=account).status_code == 200
        [address] = re.findall(r"metrics on (http://[\w.:]+/metrics)", service.log())
        assert "todo_api_http_requests_total" in httpx.get(address).text


def _kept_together(workers: list[int]) -> bool:
    chosen = []
    hashing = []
    patient = []
    for pid in workers:
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        yielding = [tid for tid in threads if _niceness(pid, tid) == NICE_OF_HASHING]
        hashing += [os.sched_getaffinity(tid) for tid in yielding]
        cores = Counter(frozenset(os.sched_getaffinity(tid)) for tid in {*threads} - {*yielding})
        patient += [tid for tid in threads if os.sched_getscheduler(tid) == os.SCHED_BATCH]
        chosen += [core for core, count in cores.items() if len(core) == 1 and count >= 1 + 5]
    assert hashing
    return (
        len(chosen) == 2
        and len(patient) >= 2 * (1 + 5)
        and len({*chosen}) == min(2, len(CORES))
        and all(cores == CORES for cores in hashing)
    )


def _niceness(pid: int, tid: int) -> str:
    """Field 19 of proc(5)'s stat; the second is a name in parentheses."""
    return Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()[16]
