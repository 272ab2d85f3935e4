"""What the exporter looks at when it is scraped. Nothing of it is written for the exporter's sake."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from telemetry.hooks import CountingHooks


class Meter(Protocol):
    """How long messages of one type waited and ran: counts by bucket, one more than there are bounds, and sums."""

    @property
    def waited(self) -> Sequence[int]:
        """Messages by how long they waited."""
        ...

    @property
    def waited_seconds(self) -> float:
        """Their sum."""
        ...

    @property
    def ran(self) -> Sequence[int]:
        """Messages by how long they ran."""
        ...

    @property
    def ran_seconds(self) -> float:
        """Their sum."""
        ...


class Observed(Protocol):
    """One actor, as the kernel shows it."""

    @property
    def actor(self) -> str:
        """The name of its address."""
        ...

    @property
    def running(self) -> bool:
        """Whether it is ready."""
        ...

    @property
    def waiting(self) -> int:
        """Messages in its mailbox."""
        ...

    @property
    def meters(self) -> Mapping[str, Mapping[type[object], Meter]]:
        """Its meters by thread and type of message; a crew has several threads, whose names the hooks are told."""
        ...


class Totals(Protocol):
    """All questions to Claude that have ended."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many by outcome."""
        ...

    @property
    def buckets(self) -> Sequence[int]:
        """How many by Claude's own time, one more than there are bounds."""
        ...

    @property
    def seconds(self) -> float:
        """The sum of those times."""
        ...

    @property
    def dollars(self) -> Decimal:
        """What they cost."""
        ...


@dataclass(frozen=True, slots=True)
class Claude:
    """What there is to know of Claude, all of it read from the database.

    `totals` is given the bounds of the buckets, in seconds. `state` is the breaker's, `transitions` counts how often it
    went into each. `misjudged` are the shares of bad answers that are accepted and of good ones that are rejected,
    `abstained` that of decisions without a view.
    """

    totals: Callable[[Sequence[float]], Totals]
    state: Callable[[], str]
    transitions: Callable[[], Iterable[tuple[str, int]]]
    misjudged: Callable[[], tuple[float, float]]
    abstained: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Log:
    """The write-ahead log in pages, how many seconds the oldest read has lasted, and whether writes are held."""

    pages: Callable[[], int]
    oldest_read: Callable[[], float]
    held: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Sources:
    """Read on the scraping thread while others write: a figure may be one behind, none is torn.

    `bounds` are those of the actors' meters, in seconds. `dead_letters` counts by (actor, reason), `events` by
    (event, actor, outcome), also where there were none, `operations` by (operation, table, outcome).
    `queue_depth` says how many tasks wait in each queue, also in empty ones; if it, or one of `claude`, raises, that is
    logged and what it would have said is missing from the answer, nothing else.
    """

    actors: Callable[[], Iterable[Observed]]
    bounds: Sequence[float]
    hooks: CountingHooks
    dead_letters: Mapping[tuple[str, str], int]
    events: Callable[[], Mapping[tuple[str, str, str], int]]
    operations: Mapping[tuple[str, str, str], int]
    queue_depth: Callable[[], Mapping[str, int]]
    claude: Claude
    log: Log
