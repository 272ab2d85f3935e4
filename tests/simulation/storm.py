"""What goes wrong in a simulated desk: what, to whom, in which turn, and how often it did."""

import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "kill",
    "stop",
    "crash",
    "break",
    "raise",
    "lose",
    "late",
    "slow",
    "gate",
    "submit",
    "crowd",
    "deaf",
    "delay",
    "again",
]
REBUILT: Final = ("market", "source", "research")
HARMFUL: Final[tuple[Kind, ...]] = ("kill", "kill", "stop", "crash", "crash", "break", "raise", "lose", "late")
HARMLESS: Final[tuple[Kind, ...]] = ("slow", "gate", "submit", "submit", "crowd")
NEVER_REBUILT: Final = ("database", "tasks", "trading")
ATTEMPTS: Final = 4
"""How often a task may be tried; written here again since it is a promise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, in this turn or to the next request that `actor` takes after it.

    Of an event it is the next of the type that `actor` names.

    kill: SIGKILL. stop: SIGTERM. crash: between two messages. break: it crashes, and cannot be rebuilt at first.
    raise: on a request. lose: the answer never comes. late, slow: it comes after the asker has given up, or before.
    gate: not now, but then. deaf: it does not come. delay: it comes some seconds later, after others. again: it comes
    once more. submit: more tasks come. crowd: the writer has its mailbox full, at once or when a
    rebuilt actor asks it whether all is settled.
    """

    turn: int
    kind: Kind
    actor: str = ""

    @property
    def strikes_at_once(self) -> bool:
        """Whether it waits for no request."""
        return self.kind in ("kill", "stop", "crash", "break", "submit") or (
            self.kind == "crowd" and self.actor == "database"
        )


class Storm:
    """Hands out the faults when their turn has come, and counts what was hit."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.hits, self.turn, self.broken = Counter[str](), 0, Counter[str]()
        self._coming, self._armed = deque(sorted(faults, key=lambda fault: fault.turn)), list[Fault]()

    def strike(self) -> Fault | None:
        """What strikes before the next message is taken."""
        while self._coming and self._coming[0].turn <= self.turn:
            fault = self._coming.popleft()
            if fault.strikes_at_once:
                self._hit(fault)
                return fault
            self._armed.append(fault)
        return None

    def arm(self, fault: Fault) -> None:
        """The next request strikes it, or event."""
        self._armed.append(fault)

    def take(self, actor: str) -> Fault | None:
        """What happens to the request that this actor is about to handle."""
        for fault in self._armed:
            if fault.actor == actor:
                self._armed.remove(fault)
                self._hit(fault)
                return fault
        return None

    def calm(self) -> None:
        """It is over."""
        self._coming.clear()
        self._armed.clear()
        self.broken.clear()

    def _hit(self, fault: Fault) -> None:
        self.hits[f"{fault.kind} {fault.actor}".strip()] += 1


def brew(chance: random.Random, *, mild: bool, turns: int) -> Storm:
    """A storm over so many turns. In a mild one less is done to all tasks together than one of them survives."""
    harm = chance.randrange(ATTEMPTS) if mild else chance.randrange(ATTEMPTS, 4 * ATTEMPTS)
    kinds = HARMFUL if mild or chance.random() < 0.5 else (chance.choice(HARMFUL),)  # the same again and again
    faults = [_harmful(chance, chance.choice(kinds), turns) for _ in range(harm)]
    faults += [_harmless(chance, turns) for _ in range(chance.randrange(5))]
    stops = [fault.turn for fault in faults if fault.kind == "stop" and chance.random() < 0.5]
    faults += [Fault(turn + chance.randrange(12), "crowd", "database") for turn in stops]  # while it drains
    return Storm(faults)


def _harmful(chance: random.Random, kind: Kind, turns: int) -> Fault:
    """What may cost each task an attempt."""
    match kind:
        case "crash":
            actor = chance.choice((*REBUILT, *REBUILT, *NEVER_REBUILT))
        case "break":
            actor = chance.choice(REBUILT)
        case "raise":
            actor = chance.choice((*REBUILT, "workers", "workers"))
        case "lose":
            actor = chance.choice((*REBUILT, "workers", "workers", "database"))
        case "late":
            actor = chance.choice((*REBUILT, "workers", "workers"))
        case _:
            actor = ""
    return Fault(chance.randrange(turns), kind, actor)


def _harmless(chance: random.Random, turns: int) -> Fault:
    kind: Kind = chance.choice(HARMLESS)
    match kind:
        case "submit":
            actor = ""
        case "crowd":
            actor = chance.choice(("database", "settling"))
        case "slow":
            actor = chance.choice(("market", "research", "workers", "database"))
        case _:
            actor = chance.choice(("market", "research", "workers"))
    return Fault(chance.randrange(turns), kind, actor)
