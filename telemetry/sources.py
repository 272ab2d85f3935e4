"""What is read on every scrape. The kernel and the database keep these shapes; nothing of them is imported here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from telemetry.hooks import CountingHooks
from telemetry.instruments import Histogram, Instrument

Labels = tuple[str, ...]
"""Values of an instrument's attributes, in their order."""
Points = Iterable[tuple[Labels, int | float]]


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


class Thread(Protocol):
    """What runs an actor's messages; seconds are on the kernel's clock."""

    @property
    def meters(self) -> Mapping[type[object], Meter]:
        """By type of message."""
        ...

    @property
    def crashed(self) -> Mapping[type[object], Meter]:
        """The same of messages whose handler raised."""
        ...

    @property
    def since(self) -> float:
        """When the oldest message was sent that is not done; infinite if there is none."""
        ...

    @property
    def began(self) -> float:
        """When it began with the one at hand; infinite if there is none."""
        ...

    @property
    def incarnations(self) -> int:
        """How often its actor was built."""
        ...


class Observed(Protocol):
    """One actor, as the kernel shows it."""

    @property
    def actor(self) -> str:
        """The name of its address."""
        ...

    @property
    def state(self) -> Enum:
        """Its value is `ready` where it is."""
        ...

    @property
    def waiting(self) -> int:
        """Messages in its mailbox."""
        ...

    @property
    def threads(self) -> Mapping[str, Thread]:
        """By their names, which the hooks are told; a crew has several."""
        ...


class Tally(Protocol):
    """A histogram that was counted elsewhere."""

    @property
    def counts(self) -> Sequence[int]:
        """By bucket, one more than there are bounds."""
        ...

    @property
    def total(self) -> float:
        """The sum of what was counted."""
        ...


Tallies = Iterable[tuple[Labels, Tally]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Read on the scraping thread while others write: a figure may be one behind, none is torn.

    `bounds` are those of the actors' meters, in seconds, `monotonic` the clock they were sent by. `dead_letters` counts
    by (actor, reason). `numbers` and `histograms` say how every other instrument is read; if one raises, that is logged
    and what it would have said is missing from the answer, nothing else.
    """

    actors: Callable[[], Iterable[Observed]]
    monotonic: Callable[[], float]
    bounds: Sequence[float]
    hooks: CountingHooks
    dead_letters: Mapping[tuple[str, str], int]
    numbers: Mapping[Instrument, Callable[[], Points]] = field(default_factory=dict[Instrument, Callable[[], Points]])
    histograms: Mapping[Histogram, Callable[[], Tallies]] = field(
        default_factory=dict[Histogram, Callable[[], Tallies]]
    )
