"""The dashboard and the alert rules: they speak of what /metrics has, and promtool understands all of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import todo_api
from resilience.monitoring.scrape import scraped
from support.postgres.proxy import proxied

FILES = Path(todo_api.__file__).parent / "observability" / "monitoring"
RULES = FILES / "alerts.yml"
DASHBOARD = FILES / "dashboard.json"
NAME = re.compile(r"\btodo_api_\w+")
LABELS = re.compile(r'(\w+) *(?:=~|!~|!=|=) *"')
GROUPED = re.compile(r"by \(([\w, ]+)\)")
OF_PROMETHEUS = {"job", "instance"}  # what Prometheus adds to what it scrapes


def expressions() -> list[str]:
    """The PromQL of the dashboard, as Grafana would send it."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [filled_in(target["expr"]) for panel in panels for target in panel.get("targets", ())]


def filled_in(expression: str) -> str:
    """With values for Grafana's variables."""
    values = {"$__rate_interval": "1m", "$job": "todo-api", "$instance": ".+"}
    return re.sub(r"\$\w+", lambda one: values[one[0]], expression)


@pytest.fixture(scope="module")
def scrape(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """/metrics of a service to which everything has happened that it counts."""
    folder = tmp_path_factory.mktemp("service")
    with (
        proxied(module_database_url) as proxy,
        scraped(proxy.url, folder, AUTH_RATE_LIMIT="2 per hour") as (service, scraper),
    ):
        with service.client() as client:
            for _ in range(3):
                client.ask(
                    "POST", "/api/auth/login", {"email": "a@b.example", "password": "wrong pass"}
                )
            proxy.refuse()
            client.ask("GET", "/health/ready")
        yield scraper.text()


def test_dashboard_and_rules_name_what_is_there_and_the_dashboard_shows_all_of_it(
    scrape: str,
) -> None:
    families = {family.name: family for family in text_string_to_metric_families(scrape)}
    served = {sample.name for family in families.values() for sample in family.samples}
    shown = {name for expression in expressions() for name in NAME.findall(expression)}
    told = set(NAME.findall(re.sub(r"#.*", "", RULES.read_text())))
    assert shown <= served
    assert told <= served
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert stems == {re.sub(r"_(bucket|sum|count)$", "", name) for name in served}


def test_dashboard_and_rules_use_labels_that_are_there(scrape: str) -> None:
    has = (
        OF_PROMETHEUS
        | {"le"}
        | {
            label
            for family in text_string_to_metric_families(scrape)
            for sample in family.samples
            for label in sample.labels
        }
    )
    texts = [
        *expressions(),
        *re.findall(r"expr: (.+?)\n +(?:for|labels):", RULES.read_text(), re.DOTALL),
    ]
    assert len(texts) > 30
    for text in texts:
        used = {*LABELS.findall(text)}
        for group in GROUPED.findall(text):
            used |= set(group.replace(" ", "").split(","))
        assert used <= has, text


def promtool(*arguments: str | Path, fed: str = "") -> str:
    """What promtool says, which has to be content."""
    ran = subprocess.run(
        ["promtool", *arguments], input=fed, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.programs
def test_promtool_finds_nothing_to_say_about_the_metrics(scrape: str, figure: Any) -> None:
    assert promtool("check", "metrics", fed=scrape) == ""
    figure(19, "`promtool check metrics` on a real scrape: complaints", "0")


@pytest.mark.programs
def test_promtool_reads_the_rules(figure: Any) -> None:
    said = promtool("check", "rules", RULES)
    assert "SUCCESS" in said
    figure(
        19, "alert rules that `promtool check rules` accepts", re.findall(r"(\d+) rules", said)[0]
    )


@pytest.mark.programs
def test_promtool_reads_the_queries_of_the_dashboard(tmp_path: Path, figure: Any) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "queries.json"  # which is YAML too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    said = promtool("check", "rules", file)
    assert f"{len(rules)} rules found" in said
    figure(19, "queries of the dashboard that promtool accepts", str(len(rules)))


@pytest.mark.programs
def test_each_alert_is_given_when_it_should_and_not_before(tmp_path: Path, figure: Any) -> None:
    cases = Path(__file__).with_name("alerts_test.yml").read_text()
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    for given in (r"exp_alerts: \[\]", r"exp_alerts:\n"):
        assert set(re.findall(rf"alertname: (\w+)(?:, |\n +){given}", cases)) == alerts
    file = tmp_path / "alerts_test.yml"
    file.write_text(cases.replace("RULES", str(RULES)))
    assert "SUCCESS" in promtool("test", "rules", file)
    figure(
        19,
        "alerts tried just below and above their bounds with `promtool test rules`",
        str(len(alerts)),
    )
