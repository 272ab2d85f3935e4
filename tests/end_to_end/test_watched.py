"""The real desk, worked while a real Prometheus scrapes it: every panel and every rule has something to show."""

import subprocess

import pytest

from telemetry.dashboards.pages import PAGES
from tests.claude_safely import environment
from tests.end_to_end import watching
from tests.end_to_end.places import Place, until
from tests.stub.server import Stub

pytestmark = pytest.mark.long


def promtool(*arguments: str, typed: str = "") -> str:
    ended = subprocess.run(
        [watching.command("promtool"), *arguments],
        cwd=watching.PLACE / "prometheus",
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended
    return ended.stdout + ended.stderr


def test_promtool_finds_nothing_wrong_with_configuration_and_rules_and_their_tests_pass() -> None:
    assert "valid prometheus config" in promtool("check", "config", "prometheus.yml")
    assert "19 rules found" in promtool("check", "rules", "rules.yml")
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


def test_every_query_of_every_panel_and_rule_has_a_series_of_a_desk_that_is_worked(
    place: Place, claude_api: Stub
) -> None:
    place.environment |= environment(claude_api.address, place.path)
    port = watching.prepared(place)
    place.serve()
    with watching.prometheus(place.path, port) as prometheus:
        until(lambda: prometheus.scrapes() >= 2, "two scrapes")
        watching.worked(place, rounds=1)
        seen = prometheus.scrapes()
        until(lambda: prometheus.scrapes() >= seen + 3, "three more scrapes")

        panels = [(page.title, panel) for page in PAGES for row in page.rows for panel in row.panels]
        queries = {
            f"{title}: {panel.title}: {query.legend}": query.expr for title, panel in panels for query in panel.queries
        }
        rules = prometheus.rules()
        silent = [name for name, expr in (queries | rules).items() if not prometheus.series(expr)]
        firing = [
            each["labels"]["alertname"] for each in prometheus.ask("alerts")["alerts"] if each["state"] == "firing"
        ]
        recorded = [name for name in rules if ":" in name and not prometheus.series(name)]

    text = watching.fetch(f"http://127.0.0.1:{port}/metrics")
    assert (silent, recorded, firing) == ([], [], [])
    assert len(rules) == 19
    assert promtool("check", "metrics", typed=text) == ""
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) < 2_000
    assert watching.fetch(f"http://127.0.0.1:{port}/readyz").startswith('{"alive":true,"ready":true')
