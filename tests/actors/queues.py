"""The task coordinator and the writer over a real file; the work goes to a probe that answers when the test says."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.database import DatabaseWriter
from actors.kernel.me import Me
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from actors.tasks.coordinator import Message, TaskCoordinator
from actors.tasks.terms import Terms
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Statement, Write
from messages.tasks import (
    ComputeFacts,
    Drain,
    Drained,
    Finished,
    NewTask,
    Recommend,
    RefreshBars,
    Run,
    Submit,
    Submitted,
    ValuePortfolio,
    Work,
)
from messages.values import CorrelationId, Symbol
from storage import tasks
from storage.connections import Operations, Reader
from storage.home import Home
from storage.tasks import TaskRow

DAY = dt.date(2013, 3, 1)
ROUND = CorrelationId("c" * 32)
EPOCH = 1_362_096_000_000_000
"""Where a test's UTC begins."""


def task(key: str, *needs: str, priority: int = 5, claude: bool = False, work: Work | None = None) -> NewTask:
    """A task whose work names its key."""
    default = Recommend(Symbol(key), DAY, use_claude=True) if claude else RefreshBars(Symbol(key))
    return NewTask(key, "analysis" if claude else "data", work or default, priority, claude, needs)


def note(name: str) -> Statement:
    """An effect that can be kept once only."""
    return Statement("INSERT INTO home (name, value) VALUES (?, 'effect')", (name,))


def effects(read: Reader) -> list[str]:
    """The effects that are on disk."""
    return [name for (name,) in read.rows(tuple[str], "SELECT name FROM home WHERE value = 'effect' ORDER BY name")]


class Queues:
    """A desk of queues alone. Abandoned without `stop` it was killed."""

    def __init__(
        self,
        home: Home,
        *,
        seed: int = 0,
        hands: tuple[int, int] = (4, 2),
        at: float = 0.0,
        chance: Callable[[], float] = lambda: 0.5,
        capacity: int = 1_000,
        worker: Callable[[Me[Run]], "Hand"] | None = None,
        room: int = 1_000,
        terms: Mapping[type[Work], Terms] | None = None,
        keep_days: int = 90,
    ) -> None:
        self.read, self.runs = Reader(home.database), Probe[Run]("worker")
        self.database, self.tasks = Ref[database.Message]("database"), Ref[Message]("tasks")
        self.operations = Operations()
        self.system = TestSystem(seed, flush=self._flush)
        self.system.manual.manual.now = at
        worker_ref = self.runs.ref if worker is None else Ref[Run]("hand")
        kinds: tuple[type[Work], ...] = (RefreshBars, ValuePortfolio, ComputeFacts, Recommend)
        work: dict[type[Work], Terms] = {kind: Terms(worker_ref, 60.0) for kind in kinds}
        work.update(terms or {})
        self.operations = Operations()
        self.system.add(
            self.database, lambda me: DatabaseWriter(me, home, {}, self.operations), STOP_DESK, capacity=capacity
        )
        self.system.add(
            self.tasks,
            lambda me: TaskCoordinator(me, self.database, work, self.read, hands, chance, keep_days),
            STOP_DESK,
        )
        if worker is not None:
            self.system.add(worker_ref, worker, capacity=room)

    def _flush(self, settled: ReplyTo[Any]) -> None:
        self.database.tell(Write((), settled))

    def start(self) -> "Queues":
        """Start, and settle."""
        self.system.start()
        self.system.settle()
        return self

    def submit(self, *new: NewTask, round_: CorrelationId = ROUND) -> Submitted | Refused:
        """Submit, and let whatever follows happen."""

        def make(reply_to: ReplyTo[Submitted | Refused]) -> Submit:
            return Submit(new, round_, reply_to)

        answer: Submitted | Refused = self.system.ask(self.tasks, make, within=10)
        self.system.settle()
        return answer

    def running(self) -> list[str]:
        """The keys of the tasks that the probe has and has not answered, in the order in which they came."""
        return [key(run) for run in self.taken()]

    def taken(self) -> list[Run]:
        """The runs that the probe has and has not answered."""
        return [run for run in self.runs.received if isinstance(run, Run) and not run.reply_to.told]

    def finish(self, name: str, *more: Statement) -> None:
        """Answer that this task is done, with its effect."""
        run = self._of(name)
        run.reply_to.tell(Finished(run.lease, (note(name), *more)))
        self.system.settle()

    def refuse(self, name: str, code: str = "broken", sentence: str = "it broke", retry_at: int | None = None) -> None:
        """Answer that this task could not be done."""
        self._of(name).reply_to.refuse(code, sentence, retry_at)
        self.system.settle()

    def _of(self, name: str) -> Run:
        return next(run for run in self.taken() if key(run) == name)

    def row(self, name: str) -> TaskRow:
        """A task as it is on disk."""
        found = tasks.by_key(self.read, name)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        """The state of each task."""
        return {row.key: row.state for row in tasks.newest(self.read, 10_000)}

    def errors(self) -> dict[str, str | None]:
        """The error of each task."""
        return {row.key: row.error for row in tasks.newest(self.read, 10_000)}

    def writes(self) -> int:
        """How many writes the writer was sent so far."""
        [thread] = self.system.observe()[0].threads.values()
        return sum(thread.meters[Write].ran)

    def drain(self) -> Probe[Drained | Refused]:
        """Ask for the end; the probe hears when nothing is in flight."""
        probe = Probe[Drained | Refused]("drain")
        self.tasks.tell(Drain(probe))
        self.system.settle()
        return probe

    def stop(self) -> None:
        """Stop everyone."""
        self.system.stop(grace=10)


def key(run: Run) -> str:
    """The key of its task, which the work carries as its symbol."""
    assert isinstance(run.work, RefreshBars | ComputeFacts | Recommend)
    return run.work.symbol


class Hand:
    """Does its task at once; the effect is in the answer."""

    def __init__(self, me: Me[Run]) -> None:
        self.me = me

    def on_receive(self, run: Run) -> None:
        """Done."""
        run.reply_to.tell(Finished(run.lease, (note(key(run)),)))


def chain(*names: str) -> Sequence[NewTask]:
    """Tasks of which each needs the one before."""
    return [replace(task(name), needs=names[n - 1 : n] if n else ()) for n, name in enumerate(names)]
