"""How a benchmark is run and shown: repeats that take turns, and of each figure the median and the spread."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`rounds` measures everything once in each of so many repeats, so that a slow minute hits all figures alike."""

    about: str
    wanted: Mapping[str, str]
    rounds: Callable[[int], Iterator[Figures]]
    repeats: int


@dataclass(frozen=True, slots=True)
class Result:
    """Of each figure, by its key, the median, the lowest and the highest of all repeats."""

    name: str
    medians: Figures
    spread: Mapping[str, tuple[float, float]]


def run(name: str, benchmark: Benchmark, repeats: int | None = None) -> Result:
    """Run it, as often as it asks for unless told otherwise."""
    rounds = list(benchmark.rounds(repeats or benchmark.repeats))
    figures = {key: [figure[key] for figure in rounds] for key in benchmark.wanted}
    return Result(
        name,
        {key: statistics.median(values) for key, values in figures.items()},
        {key: (min(values), max(values)) for key, values in figures.items()},
    )


def as_json(result: Result) -> str:
    """One object on one line."""
    spread = {key: list(ends) for key, ends in result.spread.items()}
    return json.dumps({"name": result.name, "ratios": dict(result.medians), "spread": spread})


def as_table(result: Result, benchmark: Benchmark) -> str:
    """For people."""
    lines = [f"{'':<20} {'median':>9} {'lowest':>9} {'highest':>9}  wanted"]
    for key, median in result.medians.items():
        low, high = result.spread[key]
        lines.append(f"{key:<20} {median:>9.3f} {low:>9.3f} {high:>9.3f}  {benchmark.wanted[key]}")
    return "\n".join(lines)
