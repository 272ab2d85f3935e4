"""What a dashboard is made of: rows of panels, each with queries. Nothing of Grafana's own is in here."""

from dataclasses import dataclass
from typing import Final, Literal

OURS: Final = 'job=~"$job", instance=~"$instance"'
"""What every query selects by."""
EACH: Final = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and what its series are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Some series over time, or as a headline figure: the newest value of one; `unit` is Grafana's name of it.

    `words` say what values mean, of a headline that is a state; `bad` is from where on it is red.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["series", "headline"] = "series"
    bad: float | None = None
    words: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side under a title, in the order rate, errors, duration, saturation."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard; the first row has headline figures alone."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]


def of(metric: str, *where: str) -> str:
    """A metric of this desk."""
    return f"{metric}{{{', '.join((OURS, *where))}}}"


def rate(metric: str, *where: str, by: str = "") -> str:
    """How much of a counter there is a second."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({of(metric, *where)}{EACH}))"


def quantile(share: float, histogram: str, *where: str, by: str = "") -> str:
    """What this share of a histogram's values does not exceed."""
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', *where, by=by)})"


def most(metric: str, *where: str) -> str:
    """The highest of a gauge's values."""
    return f"max({of(metric, *where)})"


def least(metric: str, *where: str) -> str:
    """The lowest of a gauge's values."""
    return f"min({of(metric, *where)})"


def total(metric: str, *where: str) -> str:
    """All values of a gauge or an up-down added up."""
    return f"sum({of(metric, *where)})"


def grown(metric: str, within: str, *where: str, by: str = "") -> str:
    """By how much a counter has grown within so long."""
    return f"sum{f' by ({by}) ' if by else ''}(increase({of(metric, *where)}[{within}]))"


def happened(metric: str, within: str, *where: str) -> str:
    """How often something happened within so long, as a whole number: Prometheus extrapolates."""
    return f"round({grown(metric, within, *where)})"


def any_of(counter: str, by: str) -> str:
    """A counter's series that are not 0, and all of them together."""
    return f'{of(counter)} > 0 or label_replace({total(counter)}, "{by}", "all", "", "")'


def mean(histogram: str, by: str = "") -> str:
    """The average of a histogram's values, where there were any."""
    return f"{rate(f'{histogram}_sum', by=by)} / ({rate(f'{histogram}_count', by=by)} > 0)"


def series(title: str, description: str, unit: str, *queries: tuple[str, str]) -> Panel:
    """A panel of series over time; a query is PromQL and a legend."""
    return Panel(title, description, unit, tuple(Query(*query) for query in queries))


def headline(
    title: str,
    description: str,
    unit: str,
    expr: str,
    bad: float | None = None,
    words: tuple[tuple[float, str], ...] = (),
) -> Panel:
    """A headline figure."""
    return Panel(title, description, unit, (Query(expr, title),), "headline", bad, words)
