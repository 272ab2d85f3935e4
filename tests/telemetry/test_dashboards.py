"""The dashboards: their files are what the code makes, Grafana's model reads them, and they keep to rules."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry import instruments
from telemetry.dashboards import write
from telemetry.dashboards.pages import PAGES
from telemetry.dashboards.panels import Page
from telemetry.instruments import Counter, Histogram, Instrument

HOUR = re.compile(r"increase\([^\[]+\[(1h|24h)\]\)")
UNITS = {"s", "ops", "short", "bytes", "percentunit", "currencyUSD"}
"""Names that Grafana has for units; an unknown one is shown as text behind the figure."""
PROCESS = {
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
    "python_gc_collections_total",
}  # fmt: skip
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)


def samples() -> set[str]:
    """All names that a scrape may have."""
    names = set(PROCESS)
    for each in vars(instruments).values():
        if isinstance(each, Instrument):
            name = each.name.replace(".", "_") + {"s": "_seconds", "By": "_bytes"}.get(each.unit, "")
            ends = ("_bucket", "_sum", "_count") if isinstance(each, Histogram) else ("_total",)
            names |= {name + end for end in ends} if isinstance(each, Counter | Histogram) else {name}
    return names


def load(page: Page) -> Any:
    return json.loads(write.path_of(page).read_text("utf-8"))


def panels(page: Page) -> list[Any]:
    """All panels but the titles of rows, of which some may be in them."""
    found = [each for panel in load(page)["panels"] for each in (panel, *panel.get("panels", []))]
    return [each for each in found if each["type"] != "row"]


@pages
def test_the_files_are_what_the_code_makes(page: Page) -> None:
    assert write.encoded(write.dashboard(page)) == write.path_of(page).read_text("utf-8"), (
        "run `python -m telemetry.dashboards.write`"
    )


@pages
def test_grafanas_own_model_reads_a_file_and_writes_it_without_a_difference(page: Page) -> None:
    text = write.path_of(page).read_text("utf-8")

    assert json.loads(write.encoded(Dashboard.from_json(json.loads(text)))) == json.loads(text)


def test_there_is_a_file_for_each_page_and_no_other() -> None:
    assert sorted(write.PLACE.glob("*.json")) == sorted(map(write.path_of, PAGES))
    assert len({page.uid for page in PAGES}) == len(PAGES) == 5


@pages
def test_every_panel_has_a_title_a_description_and_a_unit(page: Page) -> None:
    for panel in panels(page):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"]["uid"] == "$datasource"
        assert panel["targets"]


@pages
def test_every_query_is_of_the_desk_that_was_chosen_and_of_metrics_that_there_are(page: Page) -> None:
    known = samples()
    for panel in panels(page):
        for target in panel["targets"]:
            expr = target["expr"]
            selectors = re.findall(r"(\w+)\{([^}]*)\}", expr)
            assert selectors, expr
            for metric, where in selectors:
                assert metric in known, expr
                assert 'job=~"$job"' in where, expr
                assert 'instance=~"$instance"' in where, expr
            assert target["legendFormat"]
            assert target["datasource"]["uid"] == "$datasource"


@pages
def test_rates_are_over_grafanas_interval_and_only_what_says_so_over_hours(page: Page) -> None:
    for panel in panels(page):
        for target in panel["targets"]:
            rest = HOUR.sub("", target["expr"])
            assert "increase(" not in rest
            assert set(re.findall(r"\[([^\]]*)\]", rest)) <= {"$__rate_interval"}, rest
            if HOUR.search(target["expr"]):
                assert "hour" in panel["description"] or "day" in panel["description"], panel["title"]


@pages
def test_the_variables_are_there_and_each_query_finds_them(page: Page) -> None:
    variables = {each["name"]: each for each in load(page)["templating"]["list"]}

    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["query"] == "prometheus"
    assert "$job" in str(variables["instance"]["query"])


@pages
def test_headlines_come_first_and_the_panels_fill_rows_without_overlapping(page: Page) -> None:
    found, cells = load(page)["panels"], set[tuple[int, int]]()

    assert found[0]["type"] == "row"
    second = next(number for number, each in enumerate(found[1:], 1) if each["type"] == "row")
    assert {each["type"] for each in found[1:second]} == {"stat"}
    assert {each["type"] for each in found[second:]} == {"row", "timeseries"}
    for each in found:
        at = each["gridPos"]
        area = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= write.WIDTH
        assert not area & cells, each["title"]
        cells |= area
    tops = [each["gridPos"]["y"] for each in found]
    assert all(one <= other for one, other in pairwise(tops))
    assert len({each["id"] for each in found}) == len(found)


def test_what_the_document_says_is_measured_is_on_a_dashboard() -> None:
    shown = " ".join(target["expr"] for page in PAGES for panel in panels(page) for target in panel["targets"])

    for name in ("claude_queries_total", "claude_query_duration_seconds", "db_operations_total", "queue_depth"):
        assert name in shown


@pytest.mark.parametrize("word", ["0.0.0.0", "latest", "registry"])
def test_compose_listens_on_loopback_and_names_its_versions(word: str) -> None:
    compose = Path(write.__file__).with_name("compose.yml").read_text("utf-8")

    assert word not in compose
    assert re.findall(r"image: \S+:v?\d+\.\d+\.\d+$", compose, re.MULTILINE).__len__() == 2
    assert "--web.listen-address=127.0.0.1:9090" in compose
    assert "GF_SERVER_HTTP_ADDR: 127.0.0.1" in compose
