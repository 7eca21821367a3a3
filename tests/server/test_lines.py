"""The lines in which requests wait for a thread: who takes turns with whom, and who is refused."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from support.small_service import StartSmall, answers
from support.waiting import until
from todo_api.server.lines import HASHING, MOST_WAITING, OTHER, READ, WRITE, Lines, Place
from todo_api.server.turns import Turns, groups_of

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

THREADS = 8
JSON = "Content-Type: application/json\r\n"
PLACES = 2  # of the threads, for requests that hash


def lines(most_hashing: int = 100) -> Lines:
    return Lines(THREADS, PLACES, lambda: most_hashing - PLACES)


def request(name: str) -> Any:
    return SimpleNamespace(name=name, requests=[SimpleNamespace(is_refused=False)])


def hashing(client: str) -> Place:
    return Place(HASHING, None, groups_of(ip_address(client)))


def taken(found: Lines, give_back: bool = True) -> list[str]:
    """Who gets a thread, one after the other; who is refused is in brackets."""
    names = []
    while found:
        channel, line = found.popleft()
        is_refused = channel.requests[0].is_refused
        names.append(f"({channel.name})" if is_refused else channel.name)
        if give_back:
            found.give_back(line)
    return names


def test_networks_take_turns_however_many_requests_each_sends() -> None:
    found = lines()
    for number in range(3):
        found.append(request(f"flood {number}"), hashing("192.0.2.1"))
    found.append(request("ann"), hashing("198.51.100.7"))
    found.append(request("bob"), hashing("2001:db8::7"))
    assert taken(found) == ["flood 0", "ann", "bob", "flood 1", "flood 2"]


@pytest.mark.parametrize(
    "attackers",
    [
        [f"2001:db8:1:{number:x}::1" for number in range(256)],  # the /64s of a /56
        [f"2001:db8:1:{number << 8:x}::1" for number in range(256)],  # the /56s of a /48
        [f"2001:db8:{number:x}::1" for number in range(256)],  # the /48s of a /32
        [f"192.0.2.{number}" for number in range(256)],
        [f"192.0.{number}.1" for number in range(256)],
    ],
)
@pytest.mark.parametrize("user", ["198.51.100.7", "2001:db9::7"])
def test_many_networks_of_one_owner_have_one_turn(attackers: list[str], user: str) -> None:
    found = lines(most_hashing=10)
    for address in attackers:
        found.append(request("attacker"), hashing(address))
    found.append(request("user"), hashing(user))
    answered = [name for name in taken(found) if not name.startswith("(")]
    assert answered[1] == "user"
    assert len(answered) == 10


def test_beside_an_attacker_in_the_same_48_a_user_has_a_turn_too() -> None:
    found = lines(most_hashing=10)
    for number in range(256):
        found.append(request("attacker"), hashing(f"2001:db8:1:{number:x}::1"))
    found.append(request("user"), hashing("2001:db8:1:ff00::7"))
    assert [name for name in taken(found) if not name.startswith("(")][1] == "user"


def test_when_too_many_wait_the_newest_of_the_largest_group_is_refused() -> None:
    found = lines(most_hashing=3)
    found.append(request("ann"), hashing("198.51.100.7"))
    for number in range(4):
        found.append(request(f"flood {number}"), hashing("192.0.2.1"))
    found.append(request("bob"), hashing("198.18.0.1"))
    assert taken(found) == ["ann", "(flood 2)", "flood 0", "(flood 3)", "bob", "(flood 1)"]
    assert found.load().hashing_refused == 3


def test_requests_to_refuse_take_turns_with_the_others() -> None:
    found = lines(most_hashing=PLACES)
    found.append(request("ann"), hashing("198.51.100.7"))
    for _ in range(50):
        found.append(request("flood"), hashing("192.0.2.1"))
    found.append(request("page"), Place(OTHER, "somebody"))
    assert {"ann", "page"} < set(taken(found)[:4])


def test_few_requests_of_one_user_run_at_a_time() -> None:
    found = lines()
    for number in range(5):
        found.append(request(f"write {number}"), Place(WRITE, "ann", ("session",)))
        found.append(request(f"read {number}"), Place(READ, "ann", ("session",)))
    found.append(request("bob's"), Place(WRITE, "bob", ("session",)))
    running = taken(found, give_back=False)
    assert running == ["write 0", "read 0", "bob's", "write 1", "read 1"]


def test_the_next_one_runs_when_one_has_ended() -> None:
    found = lines()
    for number in range(3):
        found.append(request(f"write {number}"), Place(WRITE, "ann", ("session",)))
    (_, line), _ = found.popleft(), found.popleft()
    assert not found
    assert found.give_back(line)
    assert found.popleft()[0].name == "write 2"


def test_a_user_s_line_has_an_end_and_another_session_is_not_shut_out() -> None:
    found = lines()
    for _ in range(MOST_WAITING + 2 + 10):
        found.append(request("flood"), Place(WRITE, "ann", ("one",)))
    found.append(request("mine"), Place(WRITE, "ann", ("other",)))
    names = taken(found)
    assert names.index("mine") == 2
    assert names.count("(flood)") == 11
    assert found.load().users_refused == 11


def test_who_waits_too_long_is_refused() -> None:
    found = lines()
    now = 1e9  # later than any request of this test
    found.append(request("login"), hashing("192.0.2.1"))
    found.append(request("write"), Place(WRITE, "ann", ("session",)))
    found.append(request("page"), Place(OTHER, "somebody"))
    assert found.refuse_overdue(now) == 2
    assert taken(found) == ["page", "(login)", "(write)"]
    assert not found.refuse_overdue(now)


def test_lines_leave_nothing_behind() -> None:
    found = lines()
    for user in range(100):
        found.append(request("write"), Place(WRITE, user, ("session",)))
    assert len(taken(found)) == 100
    assert not found._lines
    assert not found._ready


def test_turns_count_what_waits() -> None:
    turns = Turns()
    for name in "abc":
        turns.append((name, "inside"), name)
    assert list(turns.remove(lambda item: item == "b")) == ["b"]
    assert (len(turns), turns.popleft(), turns.pop(), len(turns)) == (2, "a", "c", 0)


class Gate:
    """Requests that run until it opens."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def request(self, path: str, headers: str = "") -> bytes:
        self._count += 1
        began = self._folder / f"began-{self._count}"
        query = f"gate={self._folder}/gate&began={began}"
        return f"POST {path}?{query} HTTP/1.1\r\nHost: x\r\n{JSON}{headers}\r\n".encode()

    def began(self) -> int:
        return len(list(self._folder.glob("began-*")))

    def open(self) -> None:
        (self._folder / "gate").touch()


@pytest.mark.parametrize(
    ("path", "headers", "places"),
    [("/hash", "", PLACES), ("/write", "Authorization: ann\r\n", 2)],
)
def test_a_full_line_leaves_threads_to_others(
    start: StartSmall, tmp_path: Path, path: str, headers: str, places: int
) -> None:
    service, gate = start(threads=THREADS), Gate(tmp_path)
    with contextlib.ExitStack() as stack:
        clients: list[socket] = [
            stack.enter_context(service.open(gate.request(path, headers))) for _ in range(10)
        ]
        until(lambda: gate.began() == places)
        for _ in range(20):
            assert service.get() == b"hello"
        assert gate.began() == places
        gate.open()
        for client in clients:
            assert [body for _, body in answers(client.recv(65536))] == [b"hello"]


@pytest.mark.slow
def test_what_waits_too_long_for_a_thread_is_answered_503(
    start: StartSmall, tmp_path: Path
) -> None:
    service, gate = start(threads=THREADS), Gate(tmp_path)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(service.open(gate.request("/hash"))) for _ in range(5)]
        until(lambda: gate.began() == PLACES)
        late = clients[PLACES:]  # in the order in which they were accepted
        for client in late:
            assert client.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert gate.began() == PLACES
        gate.open()


def test_a_client_behind_a_proxy_waits_in_its_own_network(
    start: StartSmall, tmp_path: Path
) -> None:
    service, gate = start(threads=THREADS, most_hashing=2), Gate(tmp_path)
    flood = "X-Forwarded-For: 192.0.2.1\r\n"
    with contextlib.ExitStack() as stack:

        def send(headers: str) -> socket:
            client = stack.enter_context(
                __import__("socket").create_connection(
                    ("127.0.0.1", service.port), timeout=60, source_address=("127.0.0.9", 0)
                )
            )
            client.sendall(gate.request("/hash", headers))
            return client  # type: ignore[no-any-return]

        for _ in range(PLACES):
            send(flood)
        until(lambda: gate.began() == PLACES)
        waiting = [send(flood) for _ in range(3)]
        assert waiting[-1].recv(65536).startswith(b"HTTP/1.1 503 ")
        user = send("X-Forwarded-For: 198.51.100.7\r\n")
        assert waiting[-2].recv(65536).startswith(b"HTTP/1.1 503 ")
        gate.open()
        assert user.recv(65536).startswith(b"HTTP/1.1 200 ")
