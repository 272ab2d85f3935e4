"""Pictures of the dashboards for docs/dashboards.md, of a desk that is worked while a real Prometheus scrapes it.

`.venv/bin/uv run --group bench python -m tests.benchmarks.dashboards DIRECTORY`. Drawn by matplotlib from what
Prometheus answers to the panels' queries, laid out as Grafana's grid; Grafana itself has no part in it.
"""

import json
import re
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from telemetry.dashboards.pages import PAGES
from telemetry.dashboards.panels import Page, Panel, Query
from tests.claude_safely import environment
from tests.end_to_end import watching
from tests.end_to_end.places import Place, until
from tests.end_to_end.watching import Points, Prometheus
from tests.stub.analyst import Analyst
from tests.stub.failures import overloaded
from tests.stub.server import Stub

ROUNDS: Final = 5
SHOWN: Final = 6
"""Names in a legend; more series are drawn, not named."""
GAP: Final = 2.5
"""Seconds between two values from which on they are not joined."""
HEADLINE, SERIES = 1.0, 2.6
"""Heights in inches."""
COLOURS: Final = ("#5794f2", "#73bf69", "#f2a93b", "#e05f6d", "#b877d9", "#37a7a0", "#8e8e93", "#c4aa4f")
INK, PALE, LINE = "#1f2430", "#6b7280", "#e5e7eb"


def shown(value: float, unit: str) -> str:
    """A figure as Grafana would write it, roughly."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "currencyUSD":
        return f"${value:,.2f}"
    if unit == "s":
        for size, name in ((60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= size * (2 if name == "min" else 1):
                return f"{value / size:.3g} {name}"
        return "0 s"
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}{'B' if unit == 'bytes' else ''}"
    text = f"{value:.3g}"
    return {"bytes": f"{text} B", "ops": f"{text}/s"}.get(unit, text)


def named(query: Query, labels: str) -> str:
    """What a series is called."""
    values: dict[str, str] = json.loads(labels)
    return re.sub(r"\{\{(\w+)\}\}", lambda name: values.get(name[1], "all"), query.legend)


def headline(axes: Any, panel: Panel, prometheus: Prometheus) -> None:
    """The newest figure, green or red."""
    (query,) = panel.queries
    points = next(iter(prometheus.series(query.expr).values()))
    value = points[-1][1]
    words = dict(panel.words)
    bad = panel.bad is not None and value >= panel.bad
    axes.text(0.05, 0.80, panel.title, transform=axes.transAxes, fontsize=8, color=PALE, va="center")
    text = words.get(value) or shown(value, panel.unit)
    axes.text(0.05, 0.34, text, transform=axes.transAxes, fontsize=17, weight="bold", va="center",
              color=COLOURS[3] if bad else "#3f9142")  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])


def unbroken(points: Points, began: float) -> tuple[list[float], list[float]]:
    """Seconds and values, with no number where there was none, so that no line is drawn there."""
    seconds, values = list[float](), list[float]()
    for at, value in points:
        if seconds and at - began - seconds[-1] > GAP:
            seconds.append(at - began)
            values.append(float("nan"))
        seconds.append(at - began)
        values.append(value)
    return seconds, values


def lines(axes: Any, panel: Panel, prometheus: Prometheus) -> None:
    """All series over time, those with the most named."""
    found: list[tuple[str, Points]] = [
        (named(query, labels), points)
        for query in panel.queries
        for labels, points in prometheus.series(query.expr).items()
    ]
    found.sort(key=lambda each: -max(value for _, value in each[1]))
    for number, (name, points) in enumerate(found):
        seconds, values = unbroken(points, prometheus.began)
        label = name if number < SHOWN else None
        axes.plot(seconds, values, color=COLOURS[number % len(COLOURS)], linewidth=1.2, label=label,
                  marker="." if len(points) < 3 else None)  # fmt: skip
    top = max((value for _, points in found for _, value in points), default=0.0)
    axes.set_ylim(-0.03 * (top or 1), top * 1.12 or 1)  # so that a line at 0 is seen
    axes.set_xlim(0, prometheus.age())

    def figure_of(value: float, _: int) -> str:
        return shown(value, panel.unit)

    def second_of(value: float, _: int) -> str:
        return f"{value:.0f} s"

    axes.yaxis.set_major_formatter(figure_of)
    axes.xaxis.set_major_formatter(second_of)
    axes.set_title(panel.title, fontsize=9, color=INK, loc="left", weight="bold")
    axes.tick_params(labelsize=7, colors=PALE, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    left = f" +{len(found) - SHOWN} more" if len(found) > SHOWN else ""
    legend = axes.legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=3, frameon=False,
                         title=left or None, title_fontsize=6.5, labelcolor=PALE, handlelength=1.0,
                         columnspacing=1.0)  # fmt: skip
    legend.set_in_layout(True)


def drawn(page: Page, prometheus: Prometheus, path: Path) -> None:
    """The page as a picture."""
    heights = [HEADLINE if row.panels[0].kind == "headline" else SERIES for row in page.rows]
    figure: Any = import_module("matplotlib.figure").Figure(
        figsize=(16, sum(heights) + 0.45 * len(heights) + 0.5), layout="constrained", facecolor="white"
    )
    figure.suptitle(page.title, fontsize=14, weight="bold", color=INK, x=0.01, ha="left")
    parts: Any = figure.subfigures(
        len(page.rows), 1, height_ratios=[height + 0.45 for height in heights], squeeze=False
    )
    for (part,), row in zip(parts, page.rows, strict=True):
        part.suptitle(row.title, fontsize=10, color=PALE, x=0.012, ha="left")
        panels: Any = part.subplots(1, len(row.panels), squeeze=False)
        for axes, panel in zip(panels[0], row.panels, strict=True):
            for spine in axes.spines.values():
                spine.set_color(LINE)
            (headline if panel.kind == "headline" else lines)(axes, panel, prometheus)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Work a desk, and draw all pages."""
    directory = Path(sys.argv[1])
    directory.mkdir(exist_ok=True)
    analyst = Analyst(seconds=0.4, thinking="Let me look at the facts. " * 5)
    with (
        Stub(analyst) as stub,
        tempfile.TemporaryDirectory() as at,
    ):
        place = Place(Path(at))
        place.environment |= environment(stub.address, place.path)
        try:
            port = watching.prepared(place)
            place.serve()
            with watching.prometheus(place.path, port) as prometheus:
                until(lambda: prometheus.scrapes() >= 3, "three scrapes")
                watching.worked(place, ROUNDS)
                stub.default = overloaded()
                for _ in range(3):  # after which the breaker opens
                    place.run("once", "--claude", "on", "--again")
                stub.default = analyst
                place.run("claude", "--reset")
                watching.worked(place, 1)
                seen = prometheus.scrapes()
                until(lambda: prometheus.scrapes() >= seen + 5, "five more scrapes")
                for page in PAGES:
                    drawn(page, prometheus, directory / f"{page.uid}.png")
        finally:
            place.close()


if __name__ == "__main__":
    main()
