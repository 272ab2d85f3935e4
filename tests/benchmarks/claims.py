"""What the document that Troupe was asked for with promises: its present design, its proposal and Troupe.

Each row is a ratio of speeds, times as fast. All sides write with WAL and synchronous=FULL where a sync takes 1 ms;
each round is a child of its own, in which the sides take turns in who is first.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks import claims_document as document
from tests.benchmarks.claims_document import DatabaseConnectionPool, Present, Proposal, require_aiosqlite, row
from tests.benchmarks.gateway import WITHIN, prose
from tests.benchmarks.gateway_process import child, place
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.sync import Plan, rounds_in_child
from tests.stub.behaviours import Says
from tests.stub.server import Stub

SIDES: Final = ("present", "proposal", "troupe")
Sides = Mapping[str, Callable[[], float]]
"""What each side is measured by; all of them seconds."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of a bulk write; tasks, and how many may wait side by side; readers, for so many seconds; bursts of reads;
    seconds in which an answer streams, and how often it is asked for. What is short is measured `times` in a round."""

    rows: int = 1_000
    without: int = 48
    with_claude: int = 4
    size: int = 16
    readers: int = 4
    reading: float = 0.2
    askers: int = 64
    bursts: int = 4
    streaming: float = 1.0
    asked: int = 2
    times: int = 5


def rounds(repeats: int, *, sizes: Sizes) -> Iterator[Figures]:
    """Each in a child where the time of a sync is fixed; what streams in children that know only the stub's address."""
    require_aiosqlite()
    for number in range(repeats):
        (figures,) = rounds_in_child("tests.benchmarks.claims", {"number": number, "sizes": asdict(sizes)}, 1)
        yield {**figures, **streamed(number, sizes)}


def in_child(plan: Plan, where: Path, repeats: int) -> Iterator[Figures]:
    """One round of what is written and read."""
    yield measured(plan["number"], Sizes(**plan["sizes"]), where)


def measured(number: int, sizes: Sizes, where: Path) -> Figures:
    """One after the other, so that no side is busy while another is measured."""
    from tests.benchmarks import claims_troupe as troupe

    rows = [("bulk", row(each)[1]) for each in range(sizes.rows)]
    pool = DatabaseConnectionPool(where / "document.sqlite3")
    with asyncio.Runner() as loop, ExitStack() as stack:
        theirs = AsyncExitStack()
        connection = loop.run(theirs.enter_async_context(document.filled(where / "document.sqlite3")))
        stack.callback(lambda: loop.run(theirs.aclose()))
        present, proposal = Present(connection), Proposal(connection)
        ours = stack.enter_context(troupe.filled(where / "troupe", sizes.readers))
        readers, reading, askers, bursts = sizes.readers, sizes.reading, sizes.askers, sizes.bursts

        def queues(without: int, claude: int) -> Sides:
            return {
                "present": lambda: loop.run(document.one_by_one(without, claude)),
                "proposal": lambda: loop.run(document.side_by_side(without, claude, sizes.size)),
                "troupe": lambda: troupe.queued(where / f"queue {claude}", without, claude, sizes.size),
            }

        figures = dict[str, float]()
        figures |= row_of("bulk", number, {
            "present": lambda: loop.run(document.inserted(present, rows)),
            "proposal": lambda: loop.run(document.inserted(proposal, rows)),
            "troupe": lambda: troupe.inserted(ours, rows),
        }, min(3, sizes.times))  # fmt: skip
        figures |= row_of("mixed", number, queues(sizes.without, sizes.with_claude))
        figures |= row_of("unasked", number, queues(sizes.without, 0))
        figures |= row_of("reads", number, {
            "present": lambda: 1 / loop.run(document.reads(present, readers, reading)),
            "proposal": lambda: 1 / loop.run(document.reads(proposal, readers, reading)),
            "troupe": lambda: 1 / troupe.reads(ours, readers, reading),
        }, sizes.times)  # fmt: skip
        figures |= row_of("pool", number, {
            "present": lambda: loop.run(document.bursts(present.get, askers, bursts)),
            "proposal": lambda: loop.run(document.bursts(pool.get, askers, bursts)),
            "troupe": lambda: troupe.bursts(ours, askers, bursts),
        }, sizes.times)  # fmt: skip
        figures |= {"pool_opened": pool.opened, "lock_writes": loop.run(document.writes_after_a_read(0.1))}
        loop.run(pool.close())
    return figures


def streamed(number: int, sizes: Sizes) -> Figures:
    """Until the asker sees the first words: collected, block by block, and as they come."""
    text, asked = "word. " * 100, {"profile": prose(), "times": sizes.asked}
    within = WITHIN + sizes.streaming * (1 + 2 * sizes.asked)
    seconds = dict[str, float]()
    for work in ("document", "troupe")[:: -1 if number % 2 else 1]:
        with place() as where, Stub(Says(text, sizes.streaming, fragment=6)) as stub:
            plan = asked | {"work": work}
            if work == "document":
                plan |= child("gateway_desk", asked | {"work": "options"}, stub.address, where, WITHIN)
            seconds |= child("claims_stream", plan, stub.address, where, within)
    return ratios("chunk", seconds)


def row_of(name: str, number: int, sides: Sides, times: int = 1) -> Figures:
    """Measure all sides so many times, another one first each time; of each the median counts."""
    taken = {side: list[float]() for side in SIDES}
    for turn in range(number, number + times):
        first = turn % len(SIDES)
        for side in (*SIDES[first:], *SIDES[:first]):
            taken[side].append(sides[side]())
    return ratios(name, {side: median(seconds) for side, seconds in taken.items()})


def ratios(name: str, seconds: Mapping[str, float]) -> Figures:
    """How many times as fast."""
    return {
        f"{name}_proposal_vs_present": seconds["present"] / seconds["proposal"],
        f"{name}_troupe_vs_present": seconds["present"] / seconds["troupe"],
        f"{name}_troupe_vs_proposal": seconds["proposal"] / seconds["troupe"],
    }


def wanted(name: str, promised: str, of_present: str, of_proposal: str) -> Mapping[str, str]:
    """Of one row."""
    return {
        f"{name}_proposal_vs_present": f"for comparison: {promised}",
        f"{name}_troupe_vs_present": of_present,
        f"{name}_troupe_vs_proposal": of_proposal,
    }


WANTED: Final = {
    **wanted("bulk", "the document expects 1.5 to 1.8", "150 or more, 1,000 rows", "12 or more"),
    **wanted(
        "mixed",
        "48 waits of 50 ms, 4 tasks of 200 ms with Claude",
        "3 or more",
        "0.9 or more, durable where the other is not",
    ),
    **wanted(
        "unasked", "48 waits of 50 ms; it expects 3 to 5", "5 or more", "0.9 or more, durable where the other is not"
    ),
    **wanted("reads", "4 readers beside a writer; it expects 1.2 to 1.3", "10 or more", "10 or more"),
    **wanted("pool", "64 readers at once", "1 or more", "1 or more"),
    **wanted("chunk", "the first words of an answer that streams for 1 s", "2 or more", "2 or more"),
    "pool_opened": "for comparison: connections that its pool of 5 has opened, for 64 readers at once, 20 times",
    "lock_writes": "for comparison: writers that its read-write lock let in once there had been a reader",
}
ABOUT: Final = "what the document promises: its present design, its proposal and Troupe"
CLAIMS: Final = Benchmark(ABOUT, WANTED, partial(rounds, sizes=Sizes()), repeats=5)
SMALL: Final = Benchmark(ABOUT, WANTED, partial(rounds, sizes=Sizes(50, 8, 1, 4, 2, 0.1, 8, 1, 0.2, 1, 1)), repeats=1)
