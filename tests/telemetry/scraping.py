"""An exporter beside a real system, and what Prometheus would see of it."""

import urllib.error
import urllib.request
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from email.message import Message
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families

from actors.kernel.hooks import BOUNDS
from actors.kernel.system import System
from messages.addresses import Ref
from storage.questions import Totals
from telemetry.exporter import Exporter
from telemetry.hooks import CountingHooks
from telemetry.sources import Claude, Log, Sources
from tests.actors.kernel.counter import Counter as CounterActor
from tests.actors.kernel.counter import CounterMessage

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
T = TypeVar("T")
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Asked:
    """What was asked of Claude, to be changed by a test; `broken` is raised by whatever reads it."""

    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    times: Counter[float] = field(default_factory=Counter[float])
    dollars: Decimal = Decimal(0)
    state: str = "closed"
    transitions: dict[str, int] = field(default_factory=dict[str, int])
    misjudged: tuple[float, float] = (0.0, 0.0)
    abstained: float = 0.0
    broken: Exception | None = None

    @property
    def claude(self) -> Claude:
        """As a source."""

        def whole(value: T) -> T:
            if self.broken is not None:
                raise self.broken
            return value

        return Claude(
            lambda bounds: whole(self._totals(bounds)),
            lambda: whole(self.state),
            lambda: whole(self.transitions.items()),
            lambda: whole(self.misjudged),
            lambda: whole(self.abstained),
        )

    def _totals(self, bounds: Sequence[float]) -> Totals:
        buckets = [0] * (len(bounds) + 1)
        for seconds, count in self.times.items():
            buckets[bisect_left(bounds, seconds)] += count
        return Totals(self.outcomes, tuple(buckets), sum(self.times.elements()), self.dollars)


QUIET = Log(lambda: 17, lambda: 0.25, lambda: False)


class Watched:
    """A counter, whoever else a test adds, and an exporter on a free port."""

    def __init__(
        self,
        queue_depth: Callable[[], Mapping[str, int]] = lambda: {"analysis": 2, "data": 0},
        bounds: Sequence[float] = BOUNDS,
        claude: Claude | None = None,
        events: Callable[[], Mapping[tuple[str, str, str], int]] = Counter[tuple[str, str, str]],
        log: Log = QUIET,
    ) -> None:
        self.hooks, self.operations = CountingHooks(), Counter[tuple[str, str, str]]()
        self.system, self.counter = System(hooks=self.hooks), Ref[CounterMessage]("counter")
        self.system.add(self.counter, CounterActor, capacity=4)
        seen = self.system.observe, bounds, self.hooks, self.system.dead_letters
        self.sources = Sources(*seen, events, self.operations, queue_depth, claude or Asked().claude, log)
        self.exporter = Exporter(self.sources)

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
