"""The dashboard's queries, asked of a Prometheus as Grafana asks them, while a service has traffic."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest

from resilience.monitoring.scrape import Scraper, scraped
from resilience.monitoring.test_monitoring import DASHBOARD, filled_in
from support.live_service import LiveService
from support.postgres.proxy import Proxy, proxied
from support.waiting import until

pytestmark = pytest.mark.programs

CONFIGURATION = """
global: {scrape_interval: 1s}
scrape_configs:
- job_name: todo-api
  static_configs: [{targets: ["TARGET"]}]
"""


class Prometheus:
    """A running one, which scrapes a service."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(f"{self._url}{path}?{urlencode(query)}", timeout=60) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def is_ready(self) -> bool:
        try:
            return bool(self.ask("/api/v1/query", query="up == 1")["result"])
        except OSError:
            return False

    def has_numbers(self, expression: str, *, instant: bool) -> bool:
        """Whether a panel with this query shows at least one number."""
        if instant:
            series = self.ask("/api/v1/query", query=expression)["result"]
            values = [one["value"] for one in series]
        else:
            now = time.time()
            span = {"start": str(now - 60), "end": str(now), "step": "1"}
            series = self.ask("/api/v1/query_range", query=expression, **span)["result"]
            values = [value for one in series for value in one["values"]]
        return any(text not in ("NaN", "+Inf", "-Inf") for _, text in values)


@pytest.fixture(scope="module")
def proxy(module_database_url: str) -> Iterator[Proxy]:
    with proxied(module_database_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def service(
    proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveService, Scraper]]:
    folder = tmp_path_factory.mktemp("service")
    with scraped(proxy.url, folder, AUTH_RATE_LIMIT="1 per hour") as found:
        yield found


@pytest.fixture(scope="module")
def prometheus(
    service: tuple[LiveService, Scraper], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    assert program, "there is no prometheus to run: install prometheus"
    folder = tmp_path_factory.mktemp("prometheus")
    target = f"{service[1].host}:{service[1].port}"
    (folder / "prometheus.yml").write_text(CONFIGURATION.replace("TARGET", target))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        running = Prometheus(port)

        def is_ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            return running.is_ready()

        until(is_ready)
        yield running
    finally:
        process.terminate()
        process.wait(20)


def traffic(service: LiveService, number: int) -> None:
    """Requests, a sign-up, and a login too many, from an address that was not there before."""
    with service.client(f"127.0.{number // 250 + 1}.{number % 250 + 1}") as client:
        user = service.sign_up(client)
        service.add(client, user)
        for _ in range(2):
            client.ask("POST", "/api/auth/login", {"email": user.email, "password": user.password})


def test_each_query_of_each_panel_has_numbers_to_show(
    service: tuple[LiveService, Scraper], proxy: Proxy, prometheus: Prometheus, figure: Any
) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    waiting = {
        (panel["title"], target["refId"]): (
            filled_in(target["expr"]),
            target.get("instant", False),
        )
        for panel in panels
        for target in panel.get("targets", ())
    }
    count = len(waiting)
    served = service[0]
    with served.client() as client:
        proxy.refuse()
        assert client.ask("GET", "/health/ready").status == 503
        proxy.accept()
        until(lambda: client.ask("GET", "/health/ready").status == 200)
    rounds = 0

    def all_have() -> bool:
        nonlocal rounds
        rounds += 1
        traffic(served, rounds)
        for name, (expression, instant) in list(waiting.items()):
            if prometheus.has_numbers(expression, instant=instant):
                del waiting[name]
        return not waiting

    with suppress(AssertionError):
        until(all_have)
    assert list(waiting) == []
    figure(
        19, "queries of the dashboard that have numbers in a Prometheus that scrapes", str(count)
    )


def test_its_variables_find_the_service(
    service: tuple[LiveService, Scraper], prometheus: Prometheus
) -> None:
    target = f"{service[1].host}:{service[1].port}"
    ask = prometheus.ask
    of_build = {"match[]": "todo_api_build_info"}
    until(lambda: ask("/api/v1/label/job/values", **of_build) == ["todo-api"])
    of_job = {"match[]": 'todo_api_build_info{job="todo-api"}'}
    assert ask("/api/v1/label/instance/values", **of_job) == [target]
