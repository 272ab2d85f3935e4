"""How a benchmark is run and shown: repeats that take turns, and of each figure the median and the spread."""

import datetime as dt
import json
import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

from messages.addresses import ReplyTo

Figures = Mapping[str, float]
VERSIONS: Final = ("pykka", "apsw", "aiosqlite", "claude-agent-sdk")
"""Packages whose versions are kept with a result."""


class Callback(ReplyTo[Any]):
    """A return address that calls; the call must not block."""

    __slots__ = ("_call",)

    def __init__(self, about: object, call: Callable[[object], None]) -> None:
        super().__init__(about)
        self._call = call

    def send(self, answer: object, /) -> None:
        self._call(answer)


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


def kept(result: Result, *, quick: bool = False) -> str:
    """The same in lines, with when it was measured, on what machine and with which versions."""
    versions = {name: version(name) for name in VERSIONS if find_spec(name.replace("-", "_")) is not None}
    about = {
        "at": dt.date.today().isoformat(),  # noqa: DTZ011  # whoever measures knows their own day
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": versions | {"sqlite": sqlite3.sqlite_version},
        "quick": quick,
    }
    return json.dumps(json.loads(as_json(result)) | about, indent=1) + "\n"


def as_table(result: Result, benchmark: Benchmark) -> str:
    """For people."""
    width = max(20, *map(len, result.medians))
    lines = [f"{'':<{width}} {'median':>9} {'lowest':>9} {'highest':>9}  wanted"]
    for key, median in result.medians.items():
        low, high = result.spread[key]
        lines.append(f"{key:<{width}} {median:>9.3f} {low:>9.3f} {high:>9.3f}  {benchmark.wanted[key]}")
    return "\n".join(lines)
