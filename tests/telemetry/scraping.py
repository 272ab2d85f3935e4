"""An exporter beside a real system, and what Prometheus would see of it."""

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import Message

from prometheus_client.parser import text_string_to_metric_families

from actors.kernel.hooks import BOUNDS
from actors.kernel.system import System
from messages.addresses import Ref
from telemetry.exporter import HANGS, Exporter, Page
from telemetry.hooks import CountingHooks
from telemetry.instruments import Histogram, Instrument
from telemetry.sources import Points, Sources, Tallies
from tests.actors.kernel.counter import Counter as CounterActor
from tests.actors.kernel.counter import CounterMessage

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Watched:
    """A counter, whoever else a test adds, and an exporter on a free port."""

    def __init__(
        self,
        numbers: Mapping[Instrument, Callable[[], Points]] | None = None,
        histograms: Mapping[Histogram, Callable[[], Tallies]] | None = None,
        *,
        bounds: Sequence[float] = BOUNDS,
        hangs: float = HANGS,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self.hooks = CountingHooks()
        self.system, self.counter = System(hooks=self.hooks), Ref[CounterMessage]("counter")
        self.system.add(self.counter, CounterActor, capacity=4)
        actors = self.system.observe, self.system.clock.monotonic, bounds, self.hooks, self.system.dead_letters
        self.sources = Sources(*actors, numbers or {}, histograms or {})
        self.exporter = Exporter(self.sources, {"service.instance.id": "one"}, pages, hangs)

    def start(self) -> None:
        self.system.start()
        self.exporter.serve(0)

    def end(self) -> None:
        assert self.system.stop(grace=4) == []
        self.exporter.close()

    def get(self, path: str) -> tuple[int, Message, str]:
        """Status, headers and body; a redirect is not followed."""
        url = f"http://127.0.0.1:{self.exporter.port}{path}"
        try:
            with DIRECT.open(url, timeout=10) as answer:
                assert answer.url == url
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def scrape(self) -> "Scrape":
        status, _, text = self.get("/metrics")
        assert status == 200
        return Scrape(text)


class Scrape:
    """One answer, parsed as Prometheus' own client does; a series that is there twice fails."""

    def __init__(self, text: str) -> None:
        self.names, self.series = list[str](), Series()
        for family in text_string_to_metric_families(text):
            self.names.append(family.name)
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.series
                self.series[key] = sample.value
        assert len(self.names) == len(set(self.names))

    def __call__(self, name: str, **labels: str) -> float:
        return self.series[name, frozenset(labels.items())]

    def of(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """All series of this name, by labels."""
        return {labels: value for (found, labels), value in self.series.items() if found == name}
