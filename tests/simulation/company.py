"""The kernel's test system with every actor exposed to a storm, mailboxes as short as said, and prices parsed once."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from actors.domain.bars import last
from actors.kernel.crew import Build
from actors.kernel.me import Actor, Me
from actors.kernel.supervision import CRASHES, Policy
from actors.kernel.testing import Probe, TestSystem
from actors.market.sample import SampleSource
from messages.addresses import Ref, Refused, ReplyTo, request
from messages.database import Committed, Write
from messages.market import Bars
from messages.tasks import Lease, NewTask, RefreshBars, Submit, Submitted
from messages.values import CorrelationId, Symbol
from tests.simulation.storm import Fault, Storm

M = TypeVar("M")
SYMBOLS: Final = (Symbol("AAPL"), Symbol("IBM"), Symbol("MSFT"))
SLOW, GIVEN_UP = 3.0, 130.0
"""Seconds: everybody waits that long for an answer, nobody that long."""
STUCK: Final = 7_200.0
"""Seconds after which what has not ended never will: no fault costs more than some two minutes."""


class Killed(BaseException):
    """SIGKILL."""


class ToldToStop(BaseException):
    """SIGTERM."""


class InjectedError(Exception):
    """What an actor raises on a message."""


class HeldBack(ReplyTo[Any]):
    """Answers after so many seconds, or never."""

    __slots__ = ("_system", "_then", "_wait")

    def __init__(self, then: ReplyTo[Any], wait: float | None, system: TestSystem) -> None:
        super().__init__(then.about)
        self._then, self._wait, self._system = then, wait, system

    def send(self, answer: object, /) -> None:
        """See ReplyTo."""
        if self._wait is not None:
            self._system.scheduler.later(self._wait, lambda: self._then.tell(answer))


class Exposed:
    """An actor in the storm: what it is told comes through here."""

    def __init__(
        self, ref: Ref[Any], inner: Actor[Any], living: dict[str, Actor[Any]], storm: Storm, system: TestSystem
    ) -> None:
        self._ref, self._name, self._inner, self._living = ref, ref.name, inner, living
        self._storm, self._system = storm, system
        living[ref.name] = inner

    def on_start(self) -> None:
        """See Actor."""
        if self._storm.broken[self._name]:
            self._storm.broken[self._name] -= 1
            raise InjectedError(f"{self._name} cannot start")
        getattr(self._inner, "on_start", _nothing)()

    def on_stop(self) -> None:
        """See Actor."""
        self._living.pop(self._name, None)
        getattr(self._inner, "on_stop", _nothing)()

    def on_receive(self, message: Any, /) -> None:
        """See Actor."""
        self._note(message)
        fault = self._storm.take(type(message).__name__ if request(message) is None else self._name)
        match fault and fault.kind:
            case "deaf":
                pass
            case "delay":
                self._system.scheduler.later(SLOW, lambda: self._ref.tell(message))
            case "again":
                self._inner.on_receive(message)
                self._ref.tell(message)
            case "raise":
                raise InjectedError(self._name)
            case "gate":
                message.reply_to.refuse("gated", "not now", self._system.clock.utc() + 5_000_000)
            case "lose":
                self._hold_back(message, None)
            case "late":
                self._hold_back(message, GIVEN_UP)
            case "slow":
                self._hold_back(message, SLOW)
            case _:
                self._inner.on_receive(message)

    def _note(self, message: object) -> None:
        if isinstance(message, Refused):
            what = "lease" if isinstance(message.about, Lease) else type(message.about).__name__
            self._storm.hits[f"{self._name}: {what} refused, {message.code}"] += 1

    def _hold_back(self, message: Any, wait: float | None) -> None:
        held_back = HeldBack(message.reply_to, wait, self._system)
        self._inner.on_receive(dataclasses.replace(message, reply_to=held_back))


class StormySystem(TestSystem):
    """Lives until it is Killed or ToldToStop, between two messages. Some actors are `staged`: they are the world."""

    __test__ = False
    stuck = STUCK

    def __init__(
        self,
        seed: int,
        storm: Storm,
        rooms: Mapping[str, int],
        publish: Callable[[object], None],
        flush: Callable[[ReplyTo[Committed | Refused]], None],
        staged: Mapping[str, Callable[[Ref[Any]], Actor[Any]]],
    ) -> None:
        super().__init__(seed, publish=publish, flush=self._settle_in_a_crowd)
        self._flush, self._staged = flush, staged
        self._storm, self._rooms, self._refs = storm, rooms, dict[str, Ref[Any]]()
        self.living, self.submitted = dict[str, Any](), list[tuple[str, Probe[Submitted | Refused]]]()

    def add(
        self, ref: Ref[M], build: Callable[[Me[M]], Actor[M]], policy: Policy = Policy.REBUILD, *, capacity: int = 1_000
    ) -> None:
        """See System."""

        def exposed(me: Me[M]) -> Actor[M]:
            inner = self._staged[ref.name](ref) if ref.name in self._staged else build(me)
            return Exposed(ref, inner, self.living, self._storm, self)

        self._refs[ref.name] = ref
        super().add(ref, exposed, policy, capacity=self._rooms.get(ref.name, capacity))

    def add_crew(self, ref: Ref[M], build: Build[M], size: int, *, capacity: int = 1_000) -> None:
        """See System."""

        def exposed(take: Callable[[int], list[M]]) -> Actor[M]:
            return Exposed(ref, build(take), self.living, self._storm, self)

        super().add_crew(ref, exposed, size, capacity=self._rooms.get(ref.name, capacity))

    def turn(self) -> bool:
        """See TestSystem."""
        assert self.clock.monotonic() < self.stuck, "what waits now waits for ever"
        self._storm.turn += 1
        while (fault := self._storm.strike()) is not None:
            self._strike(fault)
        return super().turn()

    def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                raise Killed
            case "stop":
                raise ToldToStop
            case "crash":
                self.crash(self._refs[fault.actor], after=self._storm.turn % 3)
            case "break":
                self._storm.broken[fault.actor] = CRASHES
                self.crash(self._refs[fault.actor])
            case "crowd":
                self._crowd()
            case _:
                self._submit()

    def _settle_in_a_crowd(self, settled: ReplyTo[Committed | Refused]) -> None:
        if self._storm.take("settling"):
            self._crowd()
        self._flush(settled)

    def _crowd(self) -> None:
        for _ in range(self._rooms.get("database", 1_000)):
            self._refs["database"].tell(Write((), Probe[Committed | Refused]()))

    def _submit(self) -> None:
        """More tasks that change nothing: two for either kind of hands, and one that needs both."""
        probe, turn = Probe[Submitted | Refused](), self._storm.turn
        first, second, third = (f"refresh_bars/{symbol}/turn {turn}" for symbol in SYMBOLS)
        new = (
            NewTask(first, "data", RefreshBars(SYMBOLS[0])),
            NewTask(second, "data", RefreshBars(SYMBOLS[1]), requires_claude=True),
            NewTask(third, "data", RefreshBars(SYMBOLS[2]), requires_claude=True, needs=(first, second)),
        )
        self._refs["tasks"].tell(Submit(new, CorrelationId(f"{turn:032x}"), probe))
        self.submitted += [(task.key, probe) for task in new]


class SharedSample(SampleSource):
    """The last of the sample prices, parsed once for all."""

    def _all(self) -> dict[Symbol, Bars]:
        return _sample()


@functools.cache
def _sample() -> dict[Symbol, Bars]:
    found = SampleSource()._all()  # pyright: ignore[reportPrivateUsage]
    return {symbol: last(found[symbol], 300) for symbol in SYMBOLS}


def _nothing() -> None:
    """What an actor without on_start or on_stop does there."""
