"""What waits to be written, and what goes together."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from actors.tasks.hands import Claim
from messages.correlation import TRACE, Trace
from messages.database import Statement
from messages.tasks import Finished, Submit
from storage import tasks as queues

O = TypeVar("O")  # noqa: E741
BATCH: Final = 256
"""Submissions and ends of tasks that one write takes at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A part of a write and whom it serves. `frees` where tasks may be ready after it that were not before."""

    statements: tuple[Statement, ...] = ()
    submit: Submit | None = None
    kept: tuple[queues.Kept, ...] = ()
    finished: Finished | None = None
    then: Callable[[], None] | None = None
    frees: bool = True
    trace: Trace | None = field(default_factory=TRACE.get)


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """The write on its way, with the tasks that it claims besides."""

    items: tuple[Item, ...]
    claims: tuple[Claim, ...]

    def statements(self, now: int) -> tuple[Statement, ...]:
        """All of it, the claims last. What many items want alike is one statement: one by one costs thrice that."""
        found = [statement for item in self.items for statement in item.statements]
        if finished := [item.finished for item in self.items if item.finished]:
            found += [effect for each in finished for effect in each.effects]
            found += queues.complete([each.lease for each in finished], now)
        if kept := [task for item in self.items for task in item.kept]:
            found += queues.submit(kept, now)
        return (*found, *(claim.statement for claim in self.claims))


class Line(Generic[O]):
    """In the order in which they came: items, and orders (O) that become items when it is their turn."""

    def __init__(self, decide: Callable[[O], Item | None]) -> None:
        self._decide, self._waiting, self._singly = decide, deque[tuple[Item | None, O | None]](), 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Item) -> None:
        """At the end."""
        self._waiting.append((item, None))

    def order(self, order: O) -> None:
        """At the end; it is decided on when all before it is on disk."""
        self._waiting.append((None, order))

    def put_back(self, items: Sequence[Item], *, singly: bool = False) -> None:
        """To the front; one by one where not all of them can be kept."""
        self._waiting.extendleft((item, None) for item in reversed(items))
        if singly:
            self._singly = len(items)

    def take(self) -> tuple[Item, ...]:
        """What goes together next. An order comes first in it: it is decided on what is on disk."""
        batch, most = list[Item](), 1 if self._singly else BATCH
        while self._waiting and len(batch) < most:
            item, order = self._waiting[0]
            if order is not None:
                if batch:
                    break
                item = self._decide(order) if self._waiting.popleft() else None
                if item is not None:
                    batch.append(item)
            elif item is not None:
                batch.append(item)
                self._waiting.popleft()
        self._singly -= bool(self._singly and batch)
        return tuple(batch)
