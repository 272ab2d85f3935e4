"""OpenTelemetry on our terms: instruments that are read when scraped, and ready-made histograms beside them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from time import time_ns
from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricsData,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry

from telemetry.instruments import Counter, Gauge, Histogram, Instrument, UpDown
from telemetry.readings import Limit, Spread, Spreads, histograms, numbers
from telemetry.sources import Labels, Points, Sources

SCOPE: Final = "troupe"
Note = Callable[[str], None]
"""Told the name of what is read next, so that what hangs can be named."""


class Reader(PrometheusMetricReader):
    """Adds histograms that were counted elsewhere to what is collected, so that a message costs no call to OTel.

    There is no public way to hand ready data points to the SDK for Python; `_receive_metrics` is the documented
    place for a subclass, and gets all that was collected before it is translated.
    """

    def __init__(
        self, registry: CollectorRegistry, spreads: Callable[[], Mapping[Histogram, Spreads]], limit: Limit
    ) -> None:
        super().__init__(scope_info_enabled=False, registry=registry)
        self._spreads, self._limit, self._since = spreads, limit, time_ns()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> None:
        first, *rest = metrics_data.resource_metrics  # there is one resource
        metrics = [self._metric(instrument, spreads) for instrument, spreads in self._spreads().items()]
        ours = ScopeMetrics(InstrumentationScope(SCOPE), metrics, "")
        first = replace(first, scope_metrics=[*first.scope_metrics, ours])
        super()._receive_metrics(MetricsData([first, *rest]), timeout_millis, **kwargs)  # pyright: ignore[reportUnknownMemberType]

    def _metric(self, instrument: Histogram, spreads: Spreads) -> Metric:
        shown = dict[Labels, Spread]()
        for labels, spread in spreads.items():
            key = self._limit.labels(instrument, labels)
            shown.setdefault(key, Spread([0] * len(spread.counts))).add(spread.counts, spread.total)

        def point(labels: Labels, spread: Spread) -> HistogramDataPoint:
            return HistogramDataPoint(
                attributes=_attributes(instrument, labels),
                start_time_unix_nano=self._since,
                time_unix_nano=time_ns(),
                count=sum(spread.counts),
                sum=spread.total,
                bucket_counts=spread.counts,
                explicit_bounds=instrument.buckets,
                min=0.0,  # not kept, and unknown to Prometheus
                max=0.0,
            )

        points = [point(labels, spread) for labels, spread in shown.items()]
        data = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return Metric(instrument.name, instrument.meaning, instrument.unit, data)


def provider(
    sources: Sources, registry: CollectorRegistry, resource: Mapping[str, str], note: Note = lambda _: None
) -> MeterProvider:
    """A provider of its own, never the global one, whose instruments show the sources in this registry."""
    limit = Limit()

    def spreads() -> Mapping[Histogram, Spreads]:
        note("the histograms")
        return histograms(sources)

    provider = MeterProvider(
        [Reader(registry, spreads, limit)], Resource({"service.name": SCOPE, **resource}), shutdown_on_exit=False
    )
    meter = provider.get_meter(SCOPE)
    creates: dict[type[Instrument], Callable[..., object]] = {
        Counter: meter.create_observable_counter,
        UpDown: meter.create_observable_up_down_counter,
        Gauge: meter.create_observable_gauge,
    }
    for instrument, read in numbers(sources).items():
        creates[type(instrument)](
            instrument.name,
            [partial(_observations, instrument, read, limit, note)],
            instrument.unit,
            instrument.meaning,
        )
    return provider


def _observations(
    instrument: Instrument, read: Callable[[], Points], limit: Limit, note: Note, _options: CallbackOptions
) -> Iterable[Observation]:
    """What the instrument shows; if reading raises, OTel logs it and leaves this one out."""
    note(instrument.name)
    points = limit.points(instrument, read())
    return [Observation(value, _attributes(instrument, labels)) for labels, value in points]


def _attributes(instrument: Instrument, labels: Labels) -> dict[str, str]:
    return dict(zip(instrument.attributes, labels, strict=True))
