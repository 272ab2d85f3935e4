"""What watching costs: a scrape of the full desk with 64 actors, and the series it has."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors import measures
from actors.console.imports import import_sample
from actors.kernel.hooks import Meters
from messages.addresses import Ref
from storage.home import Home
from telemetry.exporter import Exporter
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Benchmark, Figures
from tests.desks import StagedDesk

ACTORS = 64
SCRAPES = 20


@dataclass(frozen=True, slots=True)
class Tick:
    """Said to those who only make up the number."""


class Other:
    def on_receive(self, message: Tick) -> None:
        """Do nothing."""


def filled(meters: Meters) -> None:
    """As after a day: something in every bucket."""
    for meter in meters.values():
        meter.ran, meter.waited = [1] * len(meter.ran), [1] * len(meter.waited)


def rounds(repeats: int) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory() as directory:
        home = Home(Path(directory) / "desk")
        home.take()
        staged = StagedDesk(home, serve=False)
        others = [Ref[Any](f"other-{number}") for number in range(ACTORS - len(staged.system.cells))]
        for ref in others:
            staged.system.add(ref, lambda me: Other())
        staged.start()
        import_sample(staged.access)
        staged.once(claude="on")
        for ref in others:
            ref.tell(Tick())
        staged.system.settle()
        for runner in staged.system.runners:
            filled(runner.meters)
        exporter = Exporter(measures.sources(staged.desk, CountingHooks()), measures.identity(home))
        exporter.page("/metrics")  # the first one judges the corpus of answers
        for _ in range(repeats):
            took, lines = list[float](), 0
            for _ in range(SCRAPES):
                began = time.perf_counter()
                answer = exporter.page("/metrics")
                took.append((time.perf_counter() - began) * 1e3)
                assert answer is not None
                lines = sum(not line.startswith(b"#") for line in answer[2].splitlines())
            yield {"scrape_ms": statistics.median(took), "series": float(lines)}
        exporter.close()
        staged.stop()
        home.release()


TELEMETRY = Benchmark(
    f"a scrape of the whole desk with {ACTORS} actors after a round with Claude, from the call to the text",
    {"scrape_ms": "30 or less, milliseconds", "series": "2,000 or less"},
    rounds,
    repeats=5,
)
