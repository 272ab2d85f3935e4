"""From the sources to values: for each instrument, what it shows now, by the values of its attributes.

`dict(...)` of what another thread writes is a copy in one step; iterating over it would not be. Counters that were
never used are there with 0, or panels say "No data".
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from telemetry.instruments import (
    ABSTAINED,
    BREAKER_STATE,
    BREAKER_TRANSITIONS,
    CLAUDE_BOUNDS,
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_QUERIES,
    DEAD_LETTERS,
    EVENTS,
    FAILURES,
    FALSE_ACCEPTS,
    FALSE_REJECTS,
    HELD,
    LOG_PAGES,
    MAILBOX_DEPTH,
    MAILBOX_TIME,
    OLDEST_READ,
    OPERATIONS,
    OUTCOMES,
    PROCESSING_TIME,
    QUEUE_DEPTH,
    REASONS,
    RESTARTS,
    RUNNING,
    STATES,
    Histogram,
    Instrument,
)
from telemetry.sources import Meter, Sources

Labels = tuple[str, ...]
Points = Iterable[tuple[Labels, int | float]]
_log: Final = logging.getLogger("troupe.telemetry")


@dataclass(slots=True)
class Spread:
    """One histogram: counts by bucket, the last one above all bounds, and the sum of what was counted."""

    counts: Sequence[int]
    total: float = 0.0

    def add(self, counts: Iterable[int], total: float) -> None:
        """Merge another with the same bounds."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total


@dataclass(frozen=True, slots=True)
class Spreads:
    """What a histogram shows: its bounds in seconds, and a spread for each set of attributes."""

    bounds: Sequence[float]
    by_labels: Mapping[Labels, Spread]


def numbers(sources: Sources) -> dict[Instrument, Callable[[], Points]]:
    """How each counter, up-down and gauge is read."""
    claude = sources.claude
    return {
        MAILBOX_DEPTH: lambda: [((seen.actor,), seen.waiting) for seen in sources.actors()],
        RUNNING: lambda: [((seen.actor,), int(seen.running)) for seen in sources.actors()],
        FAILURES: partial(_failures, sources),
        RESTARTS: partial(_restarts, sources),
        DEAD_LETTERS: partial(_dead_letters, sources),
        EVENTS: partial(_events, sources),
        OPERATIONS: partial(_operations, sources),
        LOG_PAGES: lambda: [((), sources.log.pages())],
        OLDEST_READ: lambda: [((), sources.log.oldest_read())],
        HELD: lambda: [((), int(sources.log.held()))],
        QUEUE_DEPTH: lambda: [((queue,), waiting) for queue, waiting in sources.queue_depth().items()],
        CLAUDE_QUERIES: partial(_queries, sources),
        CLAUDE_COST: lambda: [((), float(claude.totals(CLAUDE_BOUNDS).dollars))],
        BREAKER_STATE: partial(_breaker, sources),
        BREAKER_TRANSITIONS: lambda: [((state,), count) for state, count in _each(STATES, claude.transitions())],
        FALSE_ACCEPTS: lambda: [((), claude.misjudged()[0])],
        FALSE_REJECTS: lambda: [((), claude.misjudged()[1])],
        ABSTAINED: lambda: [((), claude.abstained())],
    }


def histograms(sources: Sources) -> dict[Histogram, Spreads]:
    """What each histogram shows now."""
    none = [0] * (len(sources.bounds) + 1)
    waited: dict[Labels, Spread] = {(seen.actor,): Spread(none) for seen in sources.actors()}
    ran = dict[Labels, Spread]()
    for actor, message, meter in _meters(sources):
        waited[actor,].add(meter.waited, meter.waited_seconds)
        ran.setdefault((actor, message), Spread(none)).add(meter.ran, meter.ran_seconds)
    found = {MAILBOX_TIME: Spreads(sources.bounds, waited), PROCESSING_TIME: Spreads(sources.bounds, ran)}
    try:
        totals = sources.claude.totals(CLAUDE_BOUNDS)
        found[CLAUDE_DURATION] = Spreads(CLAUDE_BOUNDS, {(): Spread(totals.buckets, totals.seconds)})
    except Exception:  # the database's; OTel does the same for what it reads itself
        _log.exception("%s cannot be read", CLAUDE_DURATION.name)
    return found


def _queries(sources: Sources) -> Points:
    outcomes = sources.claude.totals(CLAUDE_BOUNDS).outcomes
    return [((outcome,), count) for outcome, count in _each(OUTCOMES, outcomes.items())]


def _breaker(sources: Sources) -> Points:
    current = sources.claude.state()
    return [((state,), int(state == current)) for state in STATES]


def _each(names: Iterable[str], counts: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    """Those counts, and 0 for names that have none."""
    return (dict.fromkeys(names, 0) | dict(counts)).items()


def _meters(sources: Sources) -> Iterator[tuple[str, str, Meter]]:
    for seen in sources.actors():
        for meters in seen.meters.values():
            for message, meter in dict(meters).items():
                yield seen.actor, message.__name__, meter


def _actors(sources: Sources) -> dict[str, str]:
    """Which actor a thread's name stands for."""
    return {thread: seen.actor for seen in sources.actors() for thread in seen.meters}


def _failures(sources: Sources) -> Points:
    actors = _actors(sources)
    counts = {(actor, ""): 0 for actor in actors.values()}
    for (thread, error_type), count in dict(sources.hooks.failures).items():
        labels = actors[thread], error_type
        counts[labels] = counts.get(labels, 0) + count
    return counts.items()


def _restarts(sources: Sources) -> Points:
    actors = _actors(sources)
    counts = {(actor,): 0 for actor in actors.values()}
    for thread, count in dict(sources.hooks.restarts).items():
        counts[actors[thread],] += count
    return counts.items()


def _dead_letters(sources: Sources) -> Points:
    never = {(seen.actor, reason): 0 for seen in sources.actors() for reason in REASONS}
    return (never | dict(sources.dead_letters)).items()


def _events(sources: Sources) -> Points:
    return (sources.events() or {("", "", ""): 0}).items()


def _operations(sources: Sources) -> Points:
    return (dict(sources.operations) or {("", "", ""): 0}).items()
