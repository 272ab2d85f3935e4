"""What the exporter looks at when it is scraped. Nothing of it is written for the exporter's sake."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Sources:
    """Read on the scraping thread while others write: a figure may be one behind, none is torn.

    `bounds` are those of the actors' meters, in seconds. `dead_letters` counts by (actor, reason), `operations` by
    (operation, table, outcome). `queue_depth` says how many tasks wait in each queue, also in empty ones; if it
    raises, that is logged and this metric alone is missing from the answer.
    """

    actors: Callable[[], Iterable[Observed]]
    bounds: Sequence[float]
    hooks: CountingHooks
    dead_letters: Mapping[tuple[str, str], int]
    operations: Mapping[tuple[str, str, str], int]
    queue_depth: Callable[[], Mapping[str, int]]
