"""/metrics: what it shows is true of all worker processes together, and serving it harms nothing."""

import http.client
import os
import random
import re
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest

from resilience.monitoring.scrape import ON, Scraper, Sums, files, log_lines, processes, scraped
from support.live_service import LiveClient, LiveService, LiveUser, live_service
from support.postgres.proxy import proxied
from support.waiting import until
from todo_api.database.pool import POOL_TIMEOUT_S

WORKERS = 3
TASKS = "/api/<user_id>/tasks"


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {**ON, "WORKERS": str(WORKERS)}


@pytest.fixture
def scraper(service: LiveService) -> Scraper:
    return Scraper(service)


def gain(before: Sums, after: Sums, name: str, **labels: str) -> float:
    return after.of(name, **labels) - before.of(name, **labels)


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(work, range(number)))


def everyday(service: LiveService, number: int) -> None:
    """Five requests on a connection of its own."""
    with service.client() as client:
        user = service.sign_up(client)
        service.add(client, user)
        statuses = [
            client.ask("GET", user.tasks, token=user.token).status,
            client.ask("GET", f"{user.tasks}/{uuid.uuid4()}", token=user.token).status,
            client.ask("GET", f"/nothing/{number}").status,
        ]
    assert statuses == [200, 404, 404]


# --- requests ---


def test_requests_of_all_processes_add_up(
    service: LiveService, scraper: Scraper, figure: Any
) -> None:
    before = scraper.sums()
    at_once(40, lambda number: everyday(service, number))
    after = scraper.sums()
    for labels in (
        {"method": "POST", "route": "/api/auth/signup", "status": "201"},
        {"method": "POST", "route": TASKS, "status": "201"},
        {"method": "GET", "route": TASKS, "status": "200"},
        {"method": "GET", "route": f"{TASKS}/<task_id>", "status": "404"},
        {"method": "GET", "route": "(none)", "status": "404"},
    ):
        assert gain(before, after, "http_requests_total", **labels) == 40, labels
    assert gain(before, after, "http_requests_total") == 200
    figure(19, "200 requests to 3 processes: counted in /metrics", "200, each by route and status")


def test_every_request_is_in_the_histogram_of_its_route(
    service: LiveService, scraper: Scraper
) -> None:
    at_once(10, lambda number: everyday(service, number))
    sums = scraper.sums()
    counted = {
        (labels["method"], labels["route"]) for _, labels in series(sums, "http_requests_total")
    }
    assert ("GET", TASKS) in counted
    for method, route in counted:
        name = {"method": method, "route": route}
        requests = sums.of("http_requests_total", **name)
        assert sums.of("http_request_duration_seconds_count", **name) == requests
        assert sums.of("http_request_duration_seconds_bucket", le="+Inf", **name) == requests
        assert 0 < sums.of("http_request_duration_seconds_sum", **name) < 60 * requests
    assert sums.of("http_request_duration_seconds_count") == sums.of("http_requests_total")


def series(sums: Sums, name: str) -> list[tuple[float, dict[str, str]]]:
    return [
        (value, dict(has)) for (found, has), value in sums.items() if found == f"todo_api_{name}"
    ]


def test_what_clients_make_up_makes_no_series(
    service: LiveService, scraper: Scraper, figure: Any
) -> None:
    with service.client() as client:
        client.ask("GET", "/nothing")
        client.ask("NONE", "/nothing")
        client.ask("NONE", "/api/auth/login")
        before = scraper.sums()
        for number in range(1000):
            client.ask("GET", f"/{random.choice('abc/')}{uuid.uuid4()}/{number}")
            if number % 10 == 0:
                client.ask(f"M{number}", f"/{uuid.uuid4()}")
    after = scraper.sums()
    assert after.keys() == before.keys()
    assert gain(before, after, "http_requests_total", route="(none)", method="GET") == 1000
    assert gain(before, after, "http_requests_total", route="(none)", method="(other)") == 100
    figure(19, "1 100 made-up paths and methods: new series in /metrics", "0")


def test_what_the_server_refuses_itself_is_counted_apart(
    service: LiveService, scraper: Scraper
) -> None:
    before = scraper.sums()
    with service.open() as connection:
        connection.sendall(b"no HTTP\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.0 400")
    after = scraper.sums()
    assert gain(before, after, "http_server_refusals_total", status="400") == 1
    assert gain(before, after, "http_requests_total") == 0


def test_large_answers_that_are_unread_are_counted(
    service: LiveService, client: LiveClient, scraper: Scraper
) -> None:
    user = service.sign_up(client)
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tasks (user_id, title) SELECT %s, repeat(chr(127744), 500)"
            " FROM generate_series(1, 2000)",
            (user.id,),
        )
    before = scraper.sums()
    with service.open(receive_buffer=4096) as reader:
        head = f"GET {user.tasks} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {user.token}\r\n\r\n"
        reader.sendall(head.encode())
        assert reader.recv(12) == b"HTTP/1.1 200"
        until(lambda: gain(before, scraper.sums(), "unsent_bytes") > 4_000_000)
    until(lambda: gain(before, scraper.sums(), "unsent_bytes") == 0)


def test_nothing_of_a_user_is_shown(
    service: LiveService, client: LiveClient, scraper: Scraper
) -> None:
    user = service.sign_up(client)
    task = service.add(client, user)
    for path in (task, f"{user.tasks}?cursor={user.token}", f"/{user.email}"):
        client.ask("GET", path, token=user.token)
    client.ask("POST", "/api/auth/login", {"email": user.email, "password": user.password})
    shown = scraper.text()
    task_id = task.rpartition("/")[2]
    for secret in (user.id, user.email, user.token, user.password, task_id, "127.0.0.1"):
        assert secret not in shown


# --- the door ---


def test_each_event_at_the_door_is_counted(
    service: LiveService, client: LiveClient, scraper: Scraper
) -> None:
    ann, bob = service.sign_up(client), service.sign_up(client)
    right = {"email": ann.email, "password": ann.password}
    causes: dict[str, tuple[Any, ...]] = {
        "signup_refused": ("POST", "/api/auth/signup", right),
        "login": ("POST", "/api/auth/login", right),
        "login_refused": ("POST", "/api/auth/login", right | {"password": "something else"}),
        "foreign_user": ("GET", bob.tasks, None, None, ann),
        "logout": ("POST", "/api/auth/logout", None, None, ann),
        "token_refused": ("GET", ann.tasks, None, None, ann),
    }
    for event, (method, path, *rest) in causes.items():
        body, headers, who = [*rest, None, None, None][:3]
        before = scraper.sums()
        client.ask(method, path, body, headers, token=who and who.token)
        after = scraper.sums()
        assert gain(before, after, "auth_events_total", event=event) == 1, event
        assert gain(before, after, "auth_events_total") == 1, event
    before = scraper.sums()
    service.sign_up(client)
    assert gain(before, scraper.sums(), "auth_events_total", event="signup") == 1


def test_refusals_of_the_rate_limit_are_counted(module_database_url: str, tmp_path: Path) -> None:
    limit = {"WORKERS": "2", "AUTH_RATE_LIMIT": "5 per hour"}
    with scraped(module_database_url, tmp_path, **limit) as (service, scraper):
        wrong = {"email": "nobody@example.com", "password": "wrong password"}
        with service.client() as client:
            for _ in range(8):
                client.ask("POST", "/api/auth/login", wrong)
        sums = scraper.sums()
        assert sums.of("rate_limit_refusals_total", route="/api/auth/login") == 3
        assert sums.of("rate_limit_refusals_total", limit="address") == 3
        assert sums.of("rate_limit_refusals_total") == 3
        assert sums.of("http_requests_total", status="429") == 3
        assert sums.of("auth_events_total", event="rate_limited") == 3
        assert sums.of("auth_events_total", event="login_refused") == 5


def test_refusals_for_guesses_at_one_account_are_counted_for_themselves(
    module_database_url: str, tmp_path: Path
) -> None:
    limit = {"WORKERS": "2", "ACCOUNT_GUESS_LIMIT": "5 per hour"}
    with scraped(module_database_url, tmp_path, **limit) as (service, scraper):
        before = scraper.sums()
        assert before.of("rate_limit_refusals_total", limit="account") == 0
        wrong = {"email": "nobody.else@example.com", "password": "wrong password"}
        with service.client() as client:
            for _ in range(8):
                client.ask("POST", "/api/auth/login", wrong)
        after = scraper.sums()
        for labels, count in (({"limit": "account"}, 3), ({"limit": "address"}, 0)):
            assert gain(before, after, "rate_limit_refusals_total", **labels) == count


def test_passwords_that_wait_are_hashed_or_are_refused_are_counted(
    module_database_url: str, tmp_path: Path, figure: Any
) -> None:
    costly = {"WORKERS": "1", "THREADS": "64", "BCRYPT_ROUNDS": "12"}
    with scraped(module_database_url, tmp_path, **costly) as (service, scraper):
        found: list[int] = []

        def log_in(number: int) -> None:
            wrong = {"email": f"{number}@example.com", "password": "wrong password"}
            with service.client() as client:
                found.append(client.ask("POST", "/api/auth/login", wrong).status)

        def storm() -> None:
            at_once(60, log_in)

        thread = threading.Thread(target=storm)
        thread.start()
        until(lambda: scraper.sums().of("password_hashes_pending", state="waiting"))
        thread.join()
        assert set(found) == {401, 503}
        sums = scraper.shows(found.count(401), "password_hashes_total")
        assert sums.of("password_hash_refusals_total") == found.count(503)
        assert sums.of("password_hash_cpu_seconds_total") > 0
        assert sums.of("password_hash_wait_seconds_total") > 0
        scraper.shows(0, "password_hashes_pending")
        figure(
            19,
            "a storm of 60 logins: hashed and refused in /metrics, as answered",
            f"{found.count(401)} and {found.count(503)}",
        )


# --- the database ---


def test_waiting_for_a_connection_is_shown_while_it_lasts_and_counted(
    module_database_url: str, tmp_path: Path
) -> None:
    two_connections = {"WORKERS": "1", "THREADS": "4"}
    with (
        scraped(module_database_url, tmp_path, **two_connections) as (service, scraper),
        service.client() as client,
        psycopg.connect(module_database_url) as locks,
    ):
        users = [service.sign_up(client) for _ in range(3)]
        sums = scraper.shows(2, "database_connections", state="idle")
        assert sums.of("database_connections_max") == 2
        before = sums.of("database_waits_total")
        locks.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")

        def list_tasks(user: LiveUser) -> int:
            with service.client() as another:
                return another.ask("GET", user.tasks, token=user.token).status

        with ThreadPoolExecutor(3) as threads:
            asked = [threads.submit(list_tasks, user) for user in users]
            sums = scraper.shows(1, "database_waiting_requests")
            assert sums.of("database_connections", state="in_use") == 2
            assert sums.of("database_connections", state="idle") == 0
            sums = scraper.shows(1, "database_errors_total", reason="PoolTimeout")
            locks.rollback()
            assert 503 in [one.result() for one in asked]
        assert sums.of("database_waits_total") - before == 1
        assert POOL_TIMEOUT_S - 0.1 < sums.of("database_wait_seconds_total") < 60
        sums = scraper.shows(0, "database_connections", state="in_use")
        assert sums.of("database_waiting_requests") == 0


def test_a_database_that_is_away_is_counted_by_what_it_said(
    module_database_url: str, tmp_path: Path
) -> None:
    with (
        proxied(module_database_url) as proxy,
        scraped(proxy.url, tmp_path) as (service, scraper),
        service.client() as client,
    ):
        user = service.sign_up(client)
        proxy.refuse()
        for _ in range(3):
            assert client.ask("GET", user.tasks, token=user.token).status == 503
        sums = scraper.shows(3, "database_errors_total")
        assert sums.of("database_errors_total", reason="PoolTimeout") >= 1
        assert sums.of("http_requests_total", route=TASKS, status="503") == 3


# --- the workers ---


def test_what_a_killed_worker_counted_stays_and_nothing_piles_up(
    service: LiveService, scraper: Scraper, figure: Any
) -> None:
    at_once(20, lambda number: everyday(service, number))
    before = scraper.sums()
    mapped = {file for pid in processes(service, "worker") for file in files(pid)}
    places = {file.rpartition("_")[2] for file in mapped}
    assert places == {f"{place}.db" for place in range(WORKERS)}
    for number in range(1, 2 * WORKERS + 1):  # each place twice, perhaps
        os.kill(processes(service, "worker")[0], signal.SIGKILL)
        scraper.shows(before.of("worker_restarts_total") + number, "worker_restarts_total")
        scraper.shows(WORKERS, "workers")
    after = scraper.sums()
    for (name, labels), value in before.items():
        if name.endswith(("_total", "_bucket", "_count", "_sum")) and "restarts" not in name:
            assert after[name, labels] >= value, name
    assert after.of("http_requests_total") == before.of("http_requests_total")
    assert {file for pid in processes(service, "worker") for file in files(pid)} == mapped
    at_once(20, lambda number: everyday(service, number))
    assert gain(after, scraper.sums(), "http_requests_total") == 100
    assert len(list(Path(next(iter(mapped))).parent.iterdir())) == len(mapped) + 2  # the parent's
    figure(19, "6 workers killed: requests counted before and missing from /metrics", "0")


def test_what_a_dead_worker_said_of_itself_is_gone(
    module_database_url: str, tmp_path: Path
) -> None:
    with scraped(module_database_url, tmp_path, WORKERS="2") as (service, scraper):
        scraper.shows(16, "database_connections_max")
        os.kill(processes(service, "worker")[0], signal.SIGKILL)  # too young to be replaced at once
        scraper.shows(8, "database_connections_max")
        scraper.shows(16, "database_connections_max")


def test_one_worker_is_enough(module_database_url: str, tmp_path: Path) -> None:
    with scraped(module_database_url, tmp_path, WORKERS="1") as (service, scraper):
        everyday(service, 0)
        sums = scraper.sums()
        assert sums.of("http_requests_total") == 5
        assert sums.of("workers") == 1
        assert sums.of("build_info", version=version("todo-api")) == 1
        assert sums.of("start_time_seconds") > 0


# --- the server of it ---


def listening(*pids: int) -> set[str]:
    """The local addresses (hexadecimal) that these processes listen on."""
    sockets = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(descriptor.readlink()))
            except OSError:  # closed meanwhile
                continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def imported(database_url: str, folder: Path, **settings: str) -> tuple[bool, set[str], int]:
    """Whether a service imported prometheus_client, where it listens, and what its API says of /metrics."""
    settings["PYTHONPROFILEIMPORTTIME"] = "1"  # writes to the log too
    with live_service(database_url, folder, looked_through=False, **settings) as service:
        log = service.log()
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        connection.request("GET", "/metrics")
        status = connection.getresponse().status
        connection.close()
        pids = map(int, re.findall(r"(?:worker|metrics process) (\d+) started", log))
        return "prometheus_client" in log, listening(*pids), status


def test_off_by_default_nothing_listens_and_nothing_is_imported(
    module_database_url: str, tmp_path: Path
) -> None:
    was_imported, addresses, status = imported(module_database_url, tmp_path)
    assert (was_imported, len(addresses), status) == (False, 1, 404)


def test_on_it_has_a_port_of_its_own_and_none_of_the_apis(
    module_database_url: str, tmp_path: Path
) -> None:
    was_imported, addresses, status = imported(module_database_url, tmp_path, **ON)
    assert (was_imported, len(addresses), status) == (True, 2, 404)


def test_only_this_machine_gets_at_it_unless_metrics_host_says_otherwise(
    scraper: Scraper, module_database_url: str, tmp_path: Path
) -> None:
    assert scraper.host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        scraper.ask(host="127.0.0.2")
    with scraped(module_database_url, tmp_path, METRICS_HOST="0.0.0.0") as (_, everywhere):
        assert everywhere.ask(host="127.0.0.2").status == 200
        assert everywhere.ask(named="metrics.internal:9464").status == 200


def test_on_loopback_a_page_that_has_its_name_lead_here_reads_nothing(scraper: Scraper) -> None:
    for named in ("evil.example", f"evil.example:{scraper.port}", "127.0.0.1.evil.example"):
        reply = scraper.ask(named=named)
        assert (reply.status, b"todo_api_" in reply.body) == (421, False), named
    for named in ("localhost", f"localhost:{scraper.port}", "[::1]"):
        assert scraper.ask(named=named).status == 200, named


def test_it_has_one_page_to_read(scraper: Scraper) -> None:
    reply = scraper.ask()
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    for path, method, status in (
        ("/", "GET", 404),
        ("/metrics/", "GET", 404),
        ("/api/auth/login", "POST", 404),
        ("/metrics", "POST", 405),
        ("/metrics?name[]=todo_api_workers&name[]=%00", "GET", 200),
    ):
        assert scraper.ask(path, method).status == status, (method, path)


STUCK = {
    "says nothing": b"",
    "begins only": b"GET /metr",
    "never reads": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
    "is no HTTP": b"\x16\x03\x01\x02\r\n\r\n",
    "has a body": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\nx",
}


def test_bad_scrapers_harm_neither_the_service_nor_the_good_ones(
    service: LiveService, scraper: Scraper, figure: Any
) -> None:
    before = scraper.sums()
    with ExitStack() as stack:
        for _ in range(20):
            for sent in STUCK.values():
                address = ("127.0.0.1", scraper.port)
                stack.enter_context(socket.create_connection(address, timeout=60)).sendall(sent)
        good = threading.Thread(target=at_once, args=(10, lambda number: everyday(service, number)))
        good.start()
        scrapes = at_once(50, lambda _: scraper.ask().status)
        good.join()
    assert scrapes == [200] * 50
    after = scraper.sums()
    assert gain(before, after, "http_requests_total") == 50
    assert gain(before, after, "http_server_refusals_total") == 0
    assert gain(before, after, "worker_restarts_total") == 0
    figure(19, "50 scrapes at once beside 100 stuck scrapers: answered; requests failed", "50; 0")


def test_a_killed_metrics_process_is_replaced_and_has_forgotten_nothing(
    service: LiveService, scraper: Scraper
) -> None:
    before = scraper.sums()
    [pid] = processes(service, "metrics process")
    os.kill(pid, signal.SIGKILL)
    until(lambda: processes(service, "metrics process") not in ([], [pid]))
    after = scraper.sums()
    assert after.of("http_requests_total") == before.of("http_requests_total")
    assert after.of("worker_restarts_total") == before.of("worker_restarts_total")
    everyday(service, 0)


def test_a_stuck_scraper_holds_up_no_end(module_database_url: str, tmp_path: Path) -> None:
    with scraped(module_database_url, tmp_path) as (service, scraper):
        address = ("127.0.0.1", scraper.port)
        stuck = socket.create_connection(address, timeout=60)
        stuck.sendall(STUCK["begins only"])
        scraper.text()
        [worker] = processes(service, "worker")
        folder = Path(next(iter(files(worker)))).parent
    stuck.close()
    assert [line["message"] for line in log_lines(service)][-1] == "stopped"
    unusual = [line["message"] for line in log_lines(service) if line["level"] != "INFO"]
    of_the_tests = ("running as root", "the login todo serves, and could do more")
    assert [message for message in unusual if not message.startswith(of_the_tests)] == []
    assert not folder.exists()


@pytest.fixture
def orphaned(module_database_url: str, tmp_path: Path) -> Iterator[Path]:
    """The folder of a service whose parent was killed."""
    with scraped(module_database_url, tmp_path, WORKERS="2") as (service, _):
        [worker, _] = processes(service, "worker")
        folder = Path(next(iter(files(worker)))).parent
        stat = Path(f"/proc/{worker}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
        yield folder


def test_a_killed_parent_leaves_no_files(orphaned: Path) -> None:
    until(lambda: not orphaned.exists())
