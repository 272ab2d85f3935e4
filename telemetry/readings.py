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
    CRASHED,
    DEAD_LETTERS,
    DONE,
    FAILURES,
    FAST,
    INCARNATIONS,
    MAILBOX_DEPTH,
    MAILBOX_TIME,
    MOST,
    OLDEST_AGE,
    POOL_BUSY,
    POOL_SIZE,
    PROCESSING_TIME,
    REASONS,
    RESTARTS,
    RUNNING,
    STALE,
    STALE_REPLIES,
    Histogram,
    Instrument,
)
from telemetry.sources import Labels, Meter, Points, Sources, Tally

_log: Final = logging.getLogger("troupe.telemetry")
IDLE: Final = float("inf")


@dataclass(slots=True)
class Spread:
    """One histogram: counts by bucket, the last one above all bounds, and the sum of what was counted."""

    counts: Sequence[int]
    total: float = 0.0

    def add(self, counts: Iterable[int], total: float) -> None:
        """Merge another with the same bounds."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total


Spreads = Mapping[Labels, Spread]


class Limit:
    """Lets through so many sets of attributes of an instrument, those that came first; the rest is `other`."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._known = most, dict[Instrument, set[Labels]]()

    def labels(self, instrument: Instrument, labels: Labels) -> Labels:
        """Under which attributes these are shown."""
        known = self._known.setdefault(instrument, set())
        if labels in known:
            return labels
        other = ("other",) * len(labels)
        if len(known) < self._most:
            known.add(labels)
            return labels
        if other not in known:
            known.add(other)
            _log.warning("%s: more than %d sets of attributes; %s and what follows is `other`",
                         instrument.name, self._most, labels)  # fmt: skip
        return other

    def points(self, instrument: Instrument, points: Points) -> Points:
        """Those, with what is too much added up."""
        shown = dict[Labels, int | float]()
        for labels, value in points:
            key = self.labels(instrument, labels)
            shown[key] = shown.get(key, 0) + value
        return shown.items()


def numbers(sources: Sources) -> dict[Instrument, Callable[[], Points]]:
    """How each counter, up-down and gauge is read."""
    actors = sources.actors
    return {
        MAILBOX_DEPTH: lambda: [((seen.actor,), seen.waiting) for seen in actors()],
        OLDEST_AGE: partial(_ages, sources),
        RUNNING: lambda: [((seen.actor,), int(seen.state.value == "ready")) for seen in actors()],
        INCARNATIONS: lambda: [
            ((seen.actor,), sum(each.incarnations for each in seen.threads.values())) for seen in actors()
        ],
        POOL_SIZE: partial(_pools, sources, lambda began: True),
        POOL_BUSY: partial(_pools, sources, lambda began: began != IDLE),
        FAILURES: partial(_failures, sources),
        RESTARTS: partial(_restarts, sources),
        DEAD_LETTERS: partial(_dead_letters, sources),
        STALE_REPLIES: lambda: [((seen.actor,), sources.dead_letters.get((seen.actor, STALE), 0)) for seen in actors()],
        **sources.numbers,
    }


def histograms(sources: Sources) -> dict[Histogram, Spreads]:
    """What each histogram shows now."""
    found: dict[Histogram, Spreads] = dict(zip((MAILBOX_TIME, PROCESSING_TIME), _times(sources), strict=True))
    for instrument, read in sources.histograms.items():
        try:
            found[instrument] = _added_up(instrument, read())
        except Exception:  # the database's; OTel does the same for what it reads itself
            _log.exception("%s cannot be read", instrument.name)
    return found


def _added_up(instrument: Histogram, tallies: Iterable[tuple[Labels, Tally]]) -> Spreads:
    found = dict[Labels, Spread]()
    for labels, tally in tallies:
        found.setdefault(labels, Spread([0] * (len(instrument.buckets) + 1))).add(tally.counts, tally.total)
    return found


def _times(sources: Sources) -> tuple[Spreads, Spreads]:
    """Of all messages, how long they waited and ran; what the kernel tells apart below the first bucket is one."""
    none = [0] * (len(FAST) + 1)
    waited: dict[Labels, Spread] = {(seen.actor,): Spread(none) for seen in sources.actors()}
    ran = dict[Labels, Spread]()
    first = sources.bounds.index(FAST[0]) + 1
    for actor, message, outcome, meter in _meters(sources):
        waited[actor,].add([sum(meter.waited[:first]), *meter.waited[first:]], meter.waited_seconds)
        spread = ran.setdefault((actor, message, outcome), Spread(none))
        spread.add([sum(meter.ran[:first]), *meter.ran[first:]], meter.ran_seconds)
    return waited, ran


def _meters(sources: Sources) -> Iterator[tuple[str, str, str, Meter]]:
    for seen in sources.actors():
        for thread in seen.threads.values():
            for outcome, meters in ((DONE, thread.meters), (CRASHED, thread.crashed)):
                for message, meter in dict(meters).items():
                    yield seen.actor, message.__name__, outcome, meter


def _ages(sources: Sources) -> Points:
    now = sources.monotonic()
    for seen in sources.actors():
        yield (seen.actor,), max(0.0, now - min(each.since for each in seen.threads.values()))


def _pools(sources: Sources, counts: Callable[[float], bool]) -> Points:
    for seen in sources.actors():
        if seen.actor not in seen.threads:  # the one thread of an actor is called as it is
            yield (seen.actor,), sum(counts(each.began) for each in seen.threads.values())


def _actors(sources: Sources) -> dict[str, str]:
    """Which actor a thread's name stands for."""
    return {thread: seen.actor for seen in sources.actors() for thread in seen.threads}


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
    return [(key, count) for key, count in (never | dict(sources.dead_letters)).items() if key[1] != STALE]
