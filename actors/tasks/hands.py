"""How many tasks may be leased, and which queue's turn it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from messages.database import Statement
from storage import tasks as queues

FREE: Final = (128, 2)
"""Tasks that are leased at most, without and with need of Claude: some chunks for each of a few workers, so that the
next is there when one is done, and few commits. Measured: 10,100 tasks a second, with 64 it is 7,400."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Up to so many tasks are claimed, without or with (1) need of Claude; a queue that has no turns is paused."""

    kind: int
    limit: int
    turns: Mapping[str, int]

    @property
    def statement(self) -> Statement:
        """What claims them."""
        return queues.claim(self.limit, self.turns, requires_claude=bool(self.kind))


class Hands:
    """Those that are free, of two kinds: for tasks without and with need of Claude.

    Queues take turns: the n-th task of each comes before the (n + 1)-th of any. A queue that had nothing to do for a
    while is one turn ahead of the others when it has, not more, or it would make up for all it has not used.
    """

    def __init__(self, sizes: tuple[int, int]) -> None:
        self._free = list(sizes)
        self._more = [True, True]
        self._turns: list[dict[str, int]] = [dict.fromkeys(queues.QUEUES, 0) for _ in sizes]

    def look_again(self) -> None:
        """There may be tasks that are ready."""
        self._more = [True, True]

    @property
    def idle(self) -> bool:
        """Whether there are hands for what may be ready."""
        return any(more and free for more, free in zip(self._more, self._free, strict=True))

    def take(self, paused: Collection[str]) -> list[Claim]:
        """Hold out all hands for which there may be something."""
        claims = list[Claim]()
        for kind, free in enumerate(self._free):
            if free and self._more[kind]:
                self._free[kind] = 0
                least = max(self._turns[kind].values()) - 1
                turns = {q: max(turn, least) for q, turn in self._turns[kind].items() if q not in paused}
                claims.append(Claim(kind, free, turns))
        return claims

    def filled(self, claim: Claim, found: Sequence[queues.Claimed]) -> None:
        """So many of them have something to do; if not all have, nothing else is ready."""
        self._free[claim.kind] += claim.limit - len(found)
        self._more[claim.kind] = len(found) == claim.limit
        self._turns[claim.kind].update(claim.turns)
        for task in found:
            self._turns[claim.kind][task.queue] += 1

    def give_back(self, claims: Sequence[Claim]) -> None:
        """They were held out for nothing; what is ready still is."""
        for claim in claims:
            self._free[claim.kind] += claim.limit

    def end(self, kind: int) -> None:
        """One is free again."""
        self._free[kind] += 1
