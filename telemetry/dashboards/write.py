"""Makes Grafana's files of the pages: `python -m telemetry.dashboards.write`. Needs the SDK of the dev group."""

from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from telemetry.dashboards.pages import PAGES
from telemetry.dashboards.panels import Page, Panel

PLACE: Final = Path(__file__).with_name("grafana")
WIDTH: Final = 24
"""Columns of Grafana's grid."""
HEADLINE, SERIES, TITLE = 4, 8, 1
"""Heights of a headline, of series and of a row's title, in the grid's lines."""
LETTERS: Final = "ABCDEFGH"
SOURCE: Final = common.DataSourceRef("prometheus", "$datasource")


def dashboard(page: Page) -> models.Dashboard:
    """The page as Grafana has it."""
    made = (
        build.Dashboard(page.title)
        .uid(page.uid)
        .description(page.description)
        .tags(["troupe"])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_variable("job", "label_values(actor_running, job)"))
        .with_variable(_variable("instance", 'label_values(actor_running{job=~"$job"}, instance)'))
    )
    at = number = 0
    for row in page.rows:
        number += 1
        made = made.with_row(build.Row(row.title).id(number).grid_pos(models.GridPos(TITLE, WIDTH, 0, at)))
        at += TITLE
        height = HEADLINE if row.panels[0].kind == "headline" else SERIES
        width = WIDTH // len(row.panels)
        for place, panel in enumerate(row.panels):
            number += 1
            position = models.GridPos(height, width, place * width, at)
            made = made.with_panel(_panel(panel).id(number).grid_pos(position))
        at += height
    return made.build()


def encoded(made: models.Dashboard) -> str:
    """As a file; keys are sorted, so that a change is seen as one."""
    return JSONEncoder(sort_keys=True, indent=2).encode(made) + "\n"


def path_of(page: Page) -> Path:
    """Where its file is."""
    return PLACE / f"{page.uid}.json"


def _variable(name: str, query: str) -> Any:
    return (
        build.QueryVariable(name)
        .label(name.capitalize())
        .query(query)
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .include_all(True)
        .multi(True)
        .current(models.VariableOption(text="All", value="$__all"))
    )


def _panel(panel: Panel) -> Any:
    made: Any = stat.Panel() if panel.kind == "headline" else timeseries.Panel()
    made = made.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    for letter, query in zip(LETTERS, panel.queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).datasource(SOURCE)
        made = made.with_target(target.instant() if panel.kind == "headline" else target.range())
    if panel.kind == "series":
        return (
            made.fill_opacity(10)
            .line_width(1)
            .show_points(common.VisibilityMode.NEVER)
            .min(0)
            .legend(
                build_common.VizLegendOptions()
                .display_mode(common.LegendDisplayMode.LIST)
                .placement(common.LegendPlacement.BOTTOM)
                .show_legend(True)
            )
        )
    steps = [models.Threshold(None, "green")]
    if panel.bad is not None:
        steps.append(models.Threshold(panel.bad, "red"))
    if panel.words:
        words = {str(int(value)): models.ValueMappingResult(text=text) for value, text in panel.words}
        made = made.mappings([models.ValueMap(options=words)])
    return (
        made.thresholds(build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def main() -> None:
    """Write all of them."""
    for page in PAGES:
        path_of(page).write_text(encoded(dashboard(page)), "utf-8")


if __name__ == "__main__":
    main()
