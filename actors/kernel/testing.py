"""The same cells on the test's own thread, in an order a seed picks, on a clock the test moves."""

import random
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from actors.kernel.cell import Cell
from actors.kernel.hooks import Hooks
from actors.kernel.runner import Runner
from actors.kernel.scheduler import Agenda, Clock, Void
from actors.kernel.supervision import State
from actors.kernel.system import System
from messages.addresses import Ref, Refused, ReplyTo

M = TypeVar("M")


class InjectedCrash(Exception):
    """What an actor is said to have raised."""


class ManualClock:
    """Stands still unless moved; `utc` begins on 2013-03-01."""

    def __init__(self) -> None:
        self.now, self._epoch = 0.0, 1_362_096_000_000_000

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self.now

    def utc(self) -> int:
        """Microseconds since 1970."""
        return self._epoch + round(self.now * 1_000_000)


class ManualScheduler:
    """Calls back when the test has moved the clock so far. Its watchdog is the test."""

    def __init__(self) -> None:
        self.manual, self.agenda = ManualClock(), Agenda()
        self.clock: Clock = self.manual

    def later(self, seconds: float, action: Callable[[], None], void: Void = bool, /) -> None:
        """See Scheduler."""
        self.agenda.add(self.manual.now + seconds, action, void)

    def start(self, watch: Callable[[], None], failed: Callable[[str], None], /) -> None:
        """There is no thread to start."""

    def stop(self) -> None:
        """See Scheduler."""
        self.agenda = Agenda()


class Recorder(Hooks):
    """Hooks that remember."""

    def __init__(self) -> None:
        self.crashes = list[tuple[str, BaseException, float | None]]()
        self.dead = list[tuple[str, object, str]]()
        self.hanging = list[tuple[str, object]]()

    def crashed(self, actor: str, error: BaseException, retry_in: float | None, /) -> None:
        """Remember it."""
        self.crashes.append((actor, error, retry_in))

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """Remember it."""
        self.dead.append((actor, message, why))

    def hangs(self, actor: str, message: object, seconds: float, /) -> None:
        """Remember it."""
        self.hanging.append((actor, message))


class Probe(ReplyTo[M], Generic[M]):
    """Stands in for anyone: `probe.ref` is an address, the probe itself a return address."""

    __slots__ = ("received", "ref")

    def __init__(self, name: str = "probe") -> None:
        super().__init__(name)
        self.received, self.ref = list[M | Refused](), Ref[M](name)
        self.ref.bind(self.send)

    def send(self, answer: Any, /) -> None:
        """Remember it."""
        self.received.append(answer)


class TestSystem(System):
    """A System without threads; the same seed gives the same order."""

    __test__ = False

    def __init__(
        self,
        seed: int = 0,
        *,
        publish: Callable[[object], None] = lambda _: None,
        flush: Callable[[ReplyTo[Any]], None] | None = None,
        patience: float = 10.0,
    ) -> None:
        self.seed, self.manual, self.recorder = seed, ManualScheduler(), Recorder()
        super().__init__(hooks=self.recorder, publish=publish, flush=flush, patience=patience, scheduler=self.manual)
        self._random, self._runners, self._crash_in = random.Random(seed), list[Runner](), dict[str, int]()

    def crash(self, ref: Ref[Any], *, after: int = 0) -> None:
        """Have an actor crash between two messages: when it has taken so many more; 0 is now."""
        self._crash_in[ref.name] = after
        for runner in self.runners:
            self._crash_if_due(runner)

    def settle(self, limit: int = 100_000) -> None:
        """Deliver until no mailbox has anything to give; no time passes."""
        for _ in range(limit):
            if not self.turn():
                return
        raise AssertionError(f"seed {self.seed}: not quiet after {limit} turns")

    def turn(self) -> bool:
        """Have one of those who can, whom the seed picks, take its next message; False if nobody can."""
        able = [runner for runner in self._runners if runner.able()]
        if able:
            runner = self._random.choice(able)
            runner.step()
            self._crash_in[runner.name] = self._crash_in.get(runner.name, 0) - 1
            self._crash_if_due(runner)
        return bool(able)

    def advance(self, seconds: float) -> None:
        """Let time pass, settling whenever something was due."""
        self._advance(self.manual.manual.now + seconds, lambda: False)

    def _advance(self, until: float, enough: Callable[[], bool]) -> None:
        self.settle()
        while not enough() and self.manual.agenda.first() <= until:
            self.manual.manual.now = max(self.manual.manual.now, self.manual.agenda.first())
            self.manual.agenda.pop()()
            self.settle()
        if not enough():
            self.manual.manual.now = until

    def _crash_if_due(self, runner: Runner) -> None:
        if isinstance(runner, Cell) and self._crash_in.get(runner.name) == 0 and runner.state is State.READY:
            runner.crash(InjectedCrash(f"{runner.name}, seed {self.seed}"))

    def run_runner(self, runner: Runner) -> None:
        """Let it take turns."""
        self._runners.append(runner)

    def wait(self, seconds: float, *futures: Future[Any]) -> None:
        """Let time pass until one of them is done."""
        self._advance(self.manual.manual.now + seconds, lambda: any(future.done() for future in futures))
