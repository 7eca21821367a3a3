"""Reads /metrics of a running service, as Prometheus does."""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from support.live_service import PATIENCE_S, LiveService, Reply, live_service
from support.waiting import until

ON = {"METRICS_PORT": "0"}


class Sums(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """The series of one scrape."""

    def of(self, name: str, **labels: str) -> float:
        """The sum of the series `name` (without `todo_api_`) that have these labels."""
        wanted = labels.items()
        return sum(
            value
            for (found, has), value in self.items()
            if found == f"todo_api_{name}" and wanted <= dict(has).items()
        )


class Scraper:
    """What asks a service for its metrics."""

    def __init__(self, service: LiveService) -> None:
        self._service = service
        url = next(
            line["message"].removeprefix("metrics on ")
            for line in log_lines(service)
            if line["message"].startswith("metrics on ")
        )
        self.host, _, port = url.removeprefix("http://").removesuffix("/metrics").partition(":")
        self.port = int(port)

    def ask(
        self,
        path: str = "/metrics",
        method: str = "GET",
        host: str = "127.0.0.1",
        named: str | None = None,
    ) -> Reply:
        """The answer of `host`, which the request calls `named`."""
        connection = http.client.HTTPConnection(host, self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers={"Host": named} if named else {})
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        finally:
            connection.close()
        self._service.scan.answer(str(reply.headers), reply.body)
        return reply

    def text(self) -> str:
        reply = self.ask()
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def sums(self) -> Sums:
        return Sums(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(self.text())
                for sample in family.samples
            }
        )

    def shows(self, number: float, name: str, **labels: str) -> Sums:
        """Wait for a sum, which may be one that is looked at once a second; the scrape that has it."""

        def look() -> Sums | None:
            found = self.sums()
            return found if found.of(name, **labels) == number else None

        return until(look)


@contextmanager
def scraped(
    database_url: str, folder: Path, **settings: str
) -> Iterator[tuple[LiveService, Scraper]]:
    """A service with metrics."""
    unlimited = {"AUTH_RATE_LIMIT": "1000000 per minute"}
    with live_service(database_url, folder, **(ON | unlimited | settings)) as service:
        yield service, Scraper(service)
        assert service.leaks() == []


def log_lines(service: LiveService) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log().splitlines()]


def processes(service: LiveService, name: str) -> list[int]:
    """The pids of the service's `worker` or `metrics process` that run, oldest first."""
    said = [line["message"].split() for line in log_lines(service)]
    begun = [
        int(words[-2]) for words in said if " ".join(words[:-2]) == name and words[-1] == "started"
    ]
    return [pid for pid in begun if Path(f"/proc/{pid}/cmdline").exists() and not _is_zombie(pid)]


def files(pid: int) -> set[str]:
    """The files that a process counts in."""
    maps = Path(f"/proc/{pid}/maps").read_text().split()
    return {word for word in maps if word.endswith(".db") and os.sep in word}


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
