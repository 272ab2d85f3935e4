"""Troupe's side of the document's claims: the real writer, reader, task coordinator and a crew, each on its threads."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from actors.database import DatabaseWriter
from actors.kernel.edges import Promise
from actors.kernel.system import STOP_DESK, System
from actors.tasks.coordinator import Message as TaskMessage
from actors.tasks.coordinator import TaskCoordinator
from actors.tasks.terms import Terms
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Committed, Statement, Write
from messages.tasks import Drain, Drained, Finished, NewTask, Recommend, RefreshBars, Run, Submit, Submitted, Work
from messages.values import CorrelationId, Symbol
from storage.connections import Operations, Reader
from storage.home import Home
from telemetry.hooks import CountingHooks
from tests.benchmarks.claims_document import (
    INDEX,
    INSERT,
    KEYS,
    ROWS_A_KEY,
    SELECT,
    TABLE,
    UPDATE,
    WITH_CLAUDE,
    WITHOUT_CLAUDE,
    Row,
    process,
    row,
)  # fmt: skip

WITHIN: Final = 60.0


class Answer(ReplyTo[Any]):
    """Goes to the thread that has asked."""

    __slots__ = ("_answers",)

    def __init__(self, answers: "SimpleQueue[Any]") -> None:
        super().__init__(None)
        self._answers = answers

    def send(self, answer: object, /) -> None:
        self._answers.put(answer)


@dataclass(frozen=True, slots=True)
class Look:
    """Read what is kept under this key."""

    key: str
    reply_to: ReplyTo[Any]


@dataclass(frozen=True, slots=True)
class Writing:
    """A writer on its home, a reader beside it, and the address of a crew."""

    system: System
    database: Ref[database.Message]
    read: Reader
    readers: Ref[Look] = field(default_factory=lambda: Ref[Look]("readers"))

    def write(self, *statements: Statement) -> None:
        """Wait until they are committed."""

        def make(reply_to: ReplyTo[Committed | Refused]) -> Write:
            return Write(statements, reply_to)

        answer: Committed | Refused = self.system.ask(self.database, make, within=WITHIN)
        assert isinstance(answer, Committed), answer  # pyright: ignore[reportUnnecessaryIsInstance]

    def get(self, key: str) -> dict[str, object]:
        """As the document's method of this name."""
        return process(self.read.rows(tuple[str], SELECT, key))


@contextmanager
def writing(place: Path) -> Generator[Writing]:
    """A writer put together as actors/desk.py does it, with no one else yet; `start` is up to the caller."""
    home, ref = Home(place), Ref[database.Message]("database")
    home.take()
    system = System(hooks=CountingHooks(), flush=lambda settled: ref.tell(Write((), settled)))
    system.add(ref, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
    try:
        yield Writing(system, ref, Reader(home.database))
    finally:
        late = system.stop(grace=10.0)
        home.release()
        assert not late, late


@contextmanager
def filled(place: Path, readers: int) -> Generator[Writing]:
    """With the table and the rows that the other sides have, and a crew that reads."""
    with writing(place) as made:
        made.system.add_crew(made.readers, lambda _: _Reads(made), readers)
        made.system.start(within=30.0)
        made.write(Statement(TABLE), Statement(INDEX))
        made.write(*(Statement(INSERT, row(number)) for number in range(KEYS * ROWS_A_KEY)))
        yield made


def inserted(made: Writing, rows: Sequence[Row]) -> float:
    """Seconds for all of them, as one message, the making of it with it."""
    began = time.perf_counter()
    made.write(*(Statement(INSERT, each) for each in rows))
    return time.perf_counter() - began


def reads(made: Writing, readers: int, seconds: float) -> float:
    """Reads a second by so many threads beside one that writes."""
    until, done = time.perf_counter() + seconds, [0] * readers

    def read(number: int) -> None:
        while time.perf_counter() < until:
            assert len(made.get(f"key {(number + done[number]) % KEYS}")) == ROWS_A_KEY
            done[number] += 1

    def write() -> None:
        number = 0
        while time.perf_counter() < until:
            number += 1
            made.write(Statement(UPDATE, (row(number % KEYS)[1], 1 + number % KEYS)))

    with ThreadPoolExecutor(readers + 1) as pool:
        for ended in [pool.submit(write), *(pool.submit(read, number) for number in range(readers))]:
            ended.result()
    return sum(done) / seconds


def bursts(made: Writing, askers: int, times: int) -> float:
    """Seconds for so many bursts of reads, by the crew."""
    answers, began = SimpleQueue[Any](), time.perf_counter()
    for _ in range(times):
        for asker in range(askers):
            made.readers.tell(Look(f"key {asker % KEYS}", Answer(answers)))
        for _ in range(askers):
            assert len(answers.get(timeout=WITHIN)) == ROWS_A_KEY
    return time.perf_counter() - began


class _Reads:
    """One of a crew, whoever of which is free takes the next."""

    def __init__(self, made: Writing) -> None:
        self._made = made

    def on_receive(self, look: Look) -> None:
        look.reply_to.tell(self._made.get(look.key))


class _Waits:
    """Runs a task by waiting, in its thread."""

    def __init__(self, seconds: float, ran: Callable[[], None]) -> None:
        self._seconds, self._ran = seconds, ran

    def on_receive(self, run: Run) -> None:
        time.sleep(self._seconds)
        run.reply_to.tell(Finished(run.lease, ()))
        self._ran()


def queued(place: Path, without: int, with_claude: int, size: int) -> float:
    """Seconds from submitting so many tasks until each is on disk as done: durable, which the other sides are not."""
    left, all_ran = [None] * (without + with_claude), threading.Event()

    def ran() -> None:
        left.pop()
        if not left:
            all_ran.set()

    as_of, nobody = dt.date(2013, 3, 1), CorrelationId("0" * 32)
    tasks, workers, claude = Ref[TaskMessage]("tasks"), Ref[Run]("workers"), Ref[Run]("claude")
    work: dict[type[Work], Terms] = {RefreshBars: Terms(workers, WITHIN), Recommend: Terms(claude, WITHIN)}
    new = [NewTask(f"wait/{n}", "data", RefreshBars(Symbol("AAPL"))) for n in range(without)]
    new += [
        NewTask(f"ask/{n}", "analysis", Recommend(Symbol("AAPL"), as_of, use_claude=True), requires_claude=True)
        for n in range(with_claude)
    ]
    with writing(place) as made:
        add, hands = made.system.add, (2 * size, 2)
        add(tasks, lambda me: TaskCoordinator(me, made.database, work, made.read, hands, lambda: 0.5, 30), STOP_DESK)
        made.system.add_crew(workers, lambda _: _Waits(WITHOUT_CLAUDE, ran), size)
        add(claude, lambda _: _Waits(WITH_CLAUDE, ran))
        made.system.start(within=30.0)
        began = time.perf_counter()
        submitted = Promise()
        tasks.tell(Submit(tuple(new), nobody, submitted))
        assert all_ran.wait(WITHIN), f"{len(left)} tasks have not run"
        settled: Drained | Refused = made.system.ask(tasks, Drain, within=WITHIN)
        seconds = time.perf_counter() - began
        assert isinstance(submitted.future.result(0), Submitted)
        assert isinstance(settled, Drained)  # pyright: ignore[reportUnnecessaryIsInstance]
        states: list[tuple[Any, ...]] = list(
            made.read.rows(tuple[str, int], "SELECT state, count(*) FROM tasks GROUP BY 1")
        )
        assert states == [("done", len(new))], states
    return seconds
