"""What watching costs: a scrape of the full desk with 64 actors, the series of a day, and what traces take."""

import gc
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors import measures
from actors.console.imports import import_sample
from actors.kernel.hooks import Meters
from actors.settings.reading import Settings
from messages.addresses import Ref
from storage.home import Home
from telemetry.exporter import Exporter
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.tracing import Lot, in_turn
from tests.desks import StagedDesk, prices, walk

ACTORS: Final = 64
SCRAPES: Final = 20
PIECES: Final = 200
"""Pieces of work in a repeat, of each desk."""


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


def series(exporter: Exporter) -> int:
    """Those of one scrape."""
    answer = exporter.page("/metrics")
    assert answer is not None
    assert answer[0] == 200
    return sum(not line.startswith(b"#") for line in answer[2].splitlines())


def of_a_day(place: Path, symbols: int) -> int:
    """Series after a round by the rules and one by Claude about so many symbols."""
    home = Home(place)
    home.take()
    names = [f"S{number:03}" for number in range(symbols)]
    for name in names:
        prices(place / "prices", name, *walk(58))
    staged = StagedDesk(home, Settings(source="csv", folder=place / "prices")).start()
    staged.import_text("\n".join(("symbol,quantity,cost", *(f"{name},1,100" for name in names), "CASH:USD,1000,1\n")))
    staged.once()
    staged.once(claude="on")
    exporter = Exporter(measures.sources(staged.desk, CountingHooks()), home.identity)
    found = series(exporter)
    exporter.close()
    staged.stop()
    home.release()
    return found


def rounds(repeats: int, symbols: int = 500, pieces: int = PIECES) -> Iterator[Figures]:
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
        exporter = Exporter(measures.sources(staged.desk, CountingHooks()), home.identity)
        exporter.page("/metrics")  # the first one judges the corpus of answers
        a_day = of_a_day(Path(directory) / "a_day", symbols)
        untraced, traced = (Lot(Path(directory) / name, sample) for name, sample in (("not", 0.0), ("traced", 0.01)))
        for _ in range(repeats):
            took = list[float]()
            for _ in range(SCRAPES):
                began = time.perf_counter()
                series(exporter)
                took.append((time.perf_counter() - began) * 1e3)
            gc.collect()
            yield {
                "scrape_ms": statistics.median(took),
                "series": float(a_day),
                "traced_percent": in_turn(untraced, traced, pieces),
            }
        exporter.close()
        staged.stop()
        home.release()
        for lot in (untraced, traced):
            lot.stop()


TELEMETRY = Benchmark(
    f"a scrape of the whole desk with {ACTORS} actors after a round with Claude, from the call to the text; series of "
    "the real desk after a day with 500 symbols; the processor's time that tasks take more where 1 % of traces is sent",
    {
        "scrape_ms": "30 or less, milliseconds",
        "series": "2,000 or less",
        "traced_percent": "3 or less, percent of throughput",
    },
    rounds,
    repeats=5,
)
SMALL = Benchmark(TELEMETRY.about, TELEMETRY.wanted, lambda repeats: rounds(1, symbols=3, pieces=1), repeats=1)
