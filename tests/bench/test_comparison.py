"""What a comparison makes of its readings: ratios, marks, tables and pictures."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from . import bars, lines, results
from .load import Request, read_output
from .marks import ASYNCPG, BUSY, MANY, OTHERS, PEERS, SINGLE, SQLMODEL, Mark, at_most, marks
from .peers import readings_of, ready_peers
from .processes import unique_mib
from .readings import OURS, PartFailed, Reading, Run, middle, ratio
from .table_growth import of_others


def reading(target: str, scenario: str = "get", **more: object) -> Reading:
    given: dict[str, object] = {
        "part": "peers", "round": 1, "concurrency": BUSY, "requests": 4000, "per_second": 1000.0,
        "p95_ms": 20.0, "p99_ms": 30.0, "app_cpu": 0.9, "db_cpu": 0.2,
    }  # fmt: skip
    return Reading(target=target, scenario=scenario, **{**given, **more})  # type: ignore[arg-type]


def full_run() -> Run:
    """One in which we are ahead of everybody in everything."""
    run = Run(
        rounds=1, duration=4, machine="a machine", start_s=[0.8, 0.7], memory_mib=[20.0, 21.5]
    )
    for scenario in (*SINGLE, "list1000"):
        run.readings.append(reading(OURS, scenario, per_second=2000.0, app_cpu=0.3))
        run.readings += [reading(peer, scenario) for peer in PEERS]
    for scenario in SINGLE:
        for target, p99 in ((OURS, 50.0), (ASYNCPG, 100.0)):
            run.readings.append(
                reading(target, scenario, part="latency", concurrency=MANY, p95_ms=40.0, p99_ms=p99)
            )
    for part, targets in {
        "constant": (OURS, "constant"),
        "workers": ("1", "2"),
        "connections": (OURS, ASYNCPG),
        "growth": ("empty", "10 000 of the user", OTHERS),
    }.items():
        for scenario in ("get", "create", "list20"):
            run.readings += [reading(target, scenario, part=part) for target in targets]
    return run


def of(run: Run, what: str) -> Mark:
    [found] = [mark for mark in marks(run) if mark.what.startswith(what)]
    return found


# --- ratios ---


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    ours = {
        n: reading(OURS, round=n, per_second=value)
        for n, value in ((1, 10.0), (2, 90.0), (3, 40.0))
    }
    theirs = {
        n: reading("peer", round=n, per_second=value)
        for n, value in ((1, 10.0), (2, 30.0), (3, 20.0))
    }
    assert ratio(ours, theirs, "per_second") == 2
    assert middle(ours, "per_second") == 40


def test_a_round_that_only_one_has_counts_for_nothing() -> None:
    ours, theirs = {1: reading(OURS)}, {2: reading("peer")}
    assert ratio(ours, theirs, "per_second") is None
    assert ratio({}, {}, "per_second") is None
    assert middle({}, "per_second") is None


def test_readings_at_other_connections_are_others() -> None:
    run = Run(readings=[reading(OURS, concurrency=count) for count in (BUSY, MANY)])
    assert [one.concurrency for one in run.of("peers", OURS, "get", BUSY).values()] == [BUSY]


# --- marks ---


def test_every_mark_can_be_met() -> None:
    assert {mark.what: mark.met for mark in marks(full_run())} == dict.fromkeys(
        (mark.what for mark in marks(Run())), True
    )


def test_what_was_not_measured_is_not_met() -> None:
    assert {(mark.met, mark.figures) for mark in marks(Run())} == {(None, "not measured")}


def test_one_scenario_out_of_bounds_fails_its_mark() -> None:
    run = full_run()
    run.readings.append(
        reading(OURS, "create", app_cpu=0.3, per_second=900.0)
    )  # the later one counts
    mark = of(run, "requests/s against FastAPI+asyncpg")
    assert mark.met is False
    assert "get 2.00, " in mark.figures
    assert "create **0.90**" in mark.figures
    assert of(run, "CPU a request, server, against").met


def test_a_missing_peer_leaves_a_mark_open() -> None:
    run = full_run()
    run.readings = [one for one in run.readings if one.target != SQLMODEL]
    assert of(run, "CPU a request, server, against").figures == "not measured"
    mark = of(run, "list of 1 000, requests/s")
    assert mark.met is None
    assert "fastapi_sqlmodel not measured" in mark.figures


@pytest.mark.parametrize(
    "worse", [{"per_second": 500.0}, {"app_cpu": 2.0}, {"db_cpu": 1.3}], ids=str
)
def test_growth_takes_the_worse_of_time_and_cpu(worse: dict[str, float]) -> None:
    run = full_run()
    run.readings.append(reading(OTHERS, "get", part="growth", **worse))
    assert f"get with {OTHERS} **2.00**" in of(run, "with many tasks").figures


def test_the_worst_start_and_the_largest_worker_count() -> None:
    assert of(full_run(), "start to the first 200").measured == {"slowest": 0.8}
    assert of(full_run(), "memory of a worker").measured == {"largest": 21.5}
    assert of(Run(memory_mib=[38.2]), "memory of a worker").met is False  # 40 MB are 38.1 MiB


def test_a_bound_is_within() -> None:
    assert Mark("", "", "", {"get": 1.0}, at_most(1.0)).met


# --- what other programs write ---


def test_what_wrk_printed_is_read() -> None:
    printed = (
        'Running 1s test\nREAD {"requests": 7, "seconds": 1.5, "errors": 0}\nRequests/sec: 4\n'
    )
    assert read_output(printed) == {"requests": 7, "seconds": 1.5, "errors": 0}
    with pytest.raises(PartFailed, match="unable to connect"):
        read_output("unable to connect to 127.0.0.1")


def test_what_the_peers_bench_wrote_is_read() -> None:
    cell = {
        "round": 2, "target": "fastify_pg", "scenario": "get", "concurrency": 16, "requests": 9,
        "seconds": 4.0, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "errors": 1, "per_second": 2.25,
        "db_cpu": 0.1, "client_cpu": 0.2, "app_cpu": 0.3, "foreign_cores": 0.4,
    }  # fmt: skip
    [read] = readings_of("latency", json.dumps({"cells": [cell], "starts": []}))
    assert (read.part, read.round, read.cpu, read.seconds) == ("latency", 2, 0.4, 1 / 2.25)


def test_unique_memory_is_what_is_private() -> None:
    rollup = (
        "Rss:  90000 kB\nShared_Clean: 7 kB\nPrivate_Clean:  1024 kB\nPrivate_Dirty:   512 kB\n"
    )
    assert unique_mib(rollup) == 1.5


def test_a_request_is_a_line_for_the_load() -> None:
    assert str(Request("GET", "/a", "t")) == "GET\t/a\tt\t\n"
    assert str(Request("POST", "/a", "t", {"title": "x"})) == 'POST\t/a\tt\t{"title": "x"}\n'


def test_peers_that_are_not_there_or_not_set_up_are_left_out(tmp_path: Path) -> None:
    for peer, made in ((ASYNCPG, ".venv"), ("fastify_pg", "node_modules"), (SQLMODEL, "app")):
        (tmp_path / peer / made).mkdir(parents=True)
        (tmp_path / peer / "run.sh").touch()
    ready, missing = ready_peers(tmp_path)
    assert ready == ["fastify_pg", ASYNCPG]
    assert missing == [
        f"{SQLMODEL} is not set up ({SQLMODEL}/setup.sh)",
        "flask_sqlalchemy is not there",
        "django_rest is not there",
    ]


# --- what is written ---


def test_the_page_has_every_mark_and_its_command() -> None:
    page = results.page(full_run())
    for mark in marks(full_run()):
        assert (
            f"| {mark.what} | {mark.bound} | {mark.figures} | yes | `--only {mark.part}` |" in page
        )
        assert f"\n{results.COMMAND} --peers PEERS --only {mark.part}\n" in page


def test_the_page_of_half_a_run_says_what_is_missing() -> None:
    page = results.page(Run(missing=["fastify_pg is not there"]))
    assert "Left out: fastify_pg is not there." in page
    assert "not all measured" in page


def test_another_commit_stands_beside() -> None:
    run = full_run()
    run.readings += [reading("at_1234567", one, app_cpu=0.6) for one in ("get", "list1000")]
    assert "Against itself, at commit 1234567" in results.page(run)
    assert "| get | 2.00 | 0.50 | 1.00 |" in results.page(run)


def test_the_table_for_the_readme_has_every_scenario() -> None:
    text = results.readme_table(full_run())
    assert "| get | 2000 (0.3) | 1000 (0.9) | 1000 (0.9) | 1000 (0.9) |" in text
    assert len(text.splitlines()) == 8


def test_the_readme_gets_the_table_and_keeps_the_rest(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(before := results.README.read_text(encoding="utf-8"), encoding="utf-8")
    results.write_readme(run := full_run(), readme)
    after = readme.read_text(encoding="utf-8")
    table = results.readme_table(run)
    assert table in after
    assert [line for line in after.splitlines() if line in before] == [
        line for line in before.splitlines() if line in after
    ]
    assert len(after.splitlines()) == len(before.splitlines())
    readme.write_text(after.replace("| requests/s", "| answers/s"), encoding="utf-8")
    with pytest.raises(ValueError, match="no table"):
        results.write_readme(run, readme)


def test_the_readme_has_the_figures_of_the_page() -> None:
    page = (results.FOLDER / "RESULTS.md").read_text(encoding="utf-8")
    rates, cpu = (
        rows(page, below) for below in ("Requests/s at 16", "CPU in ms a request, server")
    )
    for (scenario, server), figure in rows(
        results.README.read_text(encoding="utf-8"), "At 16"
    ).items():
        of_server, _, _ = cpu[scenario, server].partition(" + ")
        assert figure == f"{rates[scenario, server]} ({of_server})", (scenario, server)


def rows(page: str, below: str) -> dict[tuple[str, str], str]:
    """The cells of the first table below a text, by the names of their row and their column."""
    table = page.partition(f"\n{below}")[2].partition("\n|")[2].partition("\n\n")[0]
    lines = [[cell.strip() for cell in line.split("|")] for line in f"|{table}".splitlines()]
    (_, _, *head, _), _, *lines = lines
    return {
        (line[1], name): cell for line in lines for name, cell in zip(head, line[2:-1], strict=True)
    }


@pytest.mark.parametrize("draw", [bars.bars, lines.lines])
def test_a_picture_is_xml_with_figures_inside_its_frame(draw: Callable[[Run], str]) -> None:
    for run in (full_run(), Run()):
        picture = ElementTree.fromstring(draw(run))
        _, _, width, height = map(float, picture.attrib["viewBox"].split())
        for one in picture.iter():
            assert 0 <= float(one.get("x", 0)) <= width
            assert 0 <= float(one.get("y", 0)) <= height
    words = " ".join(ElementTree.fromstring(draw(full_run())).itertext())
    assert re.search(r"\bget\b", words)


def test_an_axis_ends_at_a_round_number() -> None:
    assert [lines.round_up(value) for value in (0.7, 1, 1.1, 4.2, 51, 900)] == [
        1,
        1,
        2,
        5,
        100,
        1000,
    ]


def test_a_size_reads_as_people_write_it() -> None:
    assert of_others(1_000_000) == OTHERS
