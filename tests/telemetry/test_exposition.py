"""The text of a scrape: word for word what prometheus_client writes."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

from telemetry.exposition import text

ODD = 'a "quoted" back\\slash and\na line, ünïcode'


class Odd(Collector):
    """One metric of each kind, with names and values that need care."""

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily("some", f"Counts {ODD}.", labels=["b", "a"])
        counter.add_metric([ODD, ""], 12345678.0)
        yield counter
        yield GaugeMetricFamily("level_bytes", "A level.", value=float("inf"))
        gauge = GaugeMetricFamily("share", "A share.", labels=["of"])
        gauge.add_metric(["x"], float("nan"))
        gauge.add_metric(["y"], -1e-9)
        yield gauge
        times = HistogramMetricFamily("took_seconds", "Times.", labels=["actor"])
        times.add_metric(["x"], [("0.25", 1.0), ("1.0", 2.0), ("+Inf", 3.0)], sum_value=4.5)
        yield times
        yield InfoMetricFamily("target", "Who.", {"service_name": "troupe"})
        yield UnknownMetricFamily("odd", "Something.", value=3)


def test_every_kind_of_metric_is_written_as_the_library_does() -> None:
    registry = CollectorRegistry()
    registry.register(Odd())

    assert text(registry).decode() == generate_latest(registry).decode()
    assert text(registry) == text(registry)
