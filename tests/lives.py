"""A desk of writes and queues, on its own threads and on a real file, in lives that end at any moment.

Between two lives an hour passes, so that whatever waited for its time is due at the next start. What the tasks and the
writes leave behind are rows of a table that keeps a thing as often as it comes: one that came twice is seen.
"""

import datetime as dt
import random
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, Final

from actors.database import DatabaseWriter
from actors.kernel.edges import Promise
from actors.kernel.me import Actor, Me
from actors.kernel.scheduler import ThreadScheduler, WallClock
from actors.kernel.system import STOP_DESK, System
from actors.kernel.testing import Recorder
from actors.tasks.coordinator import Message as TaskMessage
from actors.tasks.coordinator import TaskCoordinator
from actors.tasks.terms import Terms
from actors.workers.jobs import Known
from actors.workers.places import Here
from actors.workers.worker import Worker
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.database import Committed, Statement, Write
from messages.tasks import Drain, Finished, NewTask, RefreshBars, Run, Submit, Submitted, ValuePortfolio, Work
from messages.values import CorrelationId, Symbol
from storage.connections import Operations, Reader
from storage.home import Home

DAY: Final = dt.date(2013, 3, 1)
CLIENTS: Final = 3
"""Threads that ask, each waiting for its answer before it asks on."""
ATTEMPTS: Final = 4
"""How often a task may be tried; written here again since it is a promise."""
WITHIN: Final = 30.0
"""Seconds in which whatever is waited for must come."""
TABLE: Final = Statement("CREATE TABLE IF NOT EXISTS kept (what TEXT NOT NULL, name TEXT NOT NULL, padding TEXT)")
BROKEN: Final = Statement("INSERT INTO kept (what, name) VALUES ('broken', NULL)")
"""What SQLite refuses."""
BALLAST: Final = Statement("INSERT OR REPLACE INTO home (name, value) VALUES ('ballast', hex(zeroblob(2200000)))")
"""A thousand pages and more, in place of those before."""
KINDS: Final = ("fine", "fine", "fine", "breaks", "crashes", "gated", "invalid", "spoilt")
"""What becomes of a task; the word stands in its key."""
ENDED_WITH_IT: Final = re.compile(r"the desk ended \d+ times while it ran|what it needs is dead")
"""Why a task may be dead that nothing is wrong with."""
DEADLY: Final = {"invalid": "invalid: ", "spoilt": "statement: its effects cannot be kept"}
"""How the error of those begins that are to die."""


class InjectedError(Exception):
    """What a hand raises on a task that crashes."""


class AnswerLost(AssertionError):
    """What was answered is not what the file says."""


class Clock(WallClock):
    """The machine's, so many hours ahead."""

    def __init__(self, hours: int) -> None:
        self._ahead = hours * 3_600_000_000

    def utc(self) -> int:
        """Microseconds since 1970."""
        return time_ns() // 1000 + self._ahead


class Noted(Promise):
    """A return address that notes the answer where it is given, in the thread of whoever gives it."""

    __slots__ = ("_life", "_line")

    def __init__(self, life: "Life", line: str) -> None:
        super().__init__()
        self._life, self._line = life, line

    def send(self, answer: object, /) -> None:
        """Note and keep it. What is refused as late or down may yet have been kept."""
        match answer:
            case Committed() | Submitted():
                self._life.note(f"kept {self._line}")
            case Refused(code="statement" | "invalid" | "full"):
                self._life.note(f"refused {self._line}")
            case _:
                pass
        super().send(answer)


class Watched:
    """An actor of which every message is a boundary."""

    def __init__(self, name: str, inner: Actor[Any], passing: Callable[[str], None]) -> None:
        self._name, self._inner, self._passing = name, inner, passing

    def on_start(self) -> None:
        """See Actor."""
        self._passing(f"{self._name}: to start")
        getattr(self._inner, "on_start", _nothing)()
        self._passing(f"{self._name}: started")

    def on_stop(self) -> None:
        """See Actor."""
        self._passing(f"{self._name}: to stop")
        getattr(self._inner, "on_stop", _nothing)()
        self._passing(f"{self._name}: stopped")

    def on_receive(self, message: Any, /) -> None:
        """See Actor."""
        what = type(message).__name__
        if isinstance(message, Refused | Committed):
            what += f" about {type(message.about).__name__}"
        self._passing(f"{self._name}: to handle {what}")
        self._inner.on_receive(message)
        self._passing(f"{self._name}: handled {what}")


class Hand:
    """Does a task as its key says; in the last life, each of them well that can be.

    One that is `wrong` sends its effect to the writer by itself, apart from the task's completion.
    """

    def __init__(self, life: "Life") -> None:
        self._life = life

    def on_receive(self, run: Run) -> None:
        """Do it."""
        key, life = str(run.expect(RefreshBars).symbol), self._life
        kind, now = key.partition("/")[0], life.system.clock.utc()
        match kind:
            case "invalid":
                run.reply_to.refuse("invalid", "there is no such thing")
            case "breaks" if run.lease.attempt == 1 and not life.last:
                run.reply_to.refuse("broken", "it broke")
            case "crashes" if run.lease.attempt == 1 and not life.last:
                raise InjectedError(key)
            case "gated" if life.chance.random() < 0.5 and not life.last:
                run.reply_to.refuse("gated", "not now", now)
            case "spoilt":
                run.reply_to.tell(Finished(run.lease, (keep("effect", key), BROKEN)))
            case _ if life.wrong:
                apart = Noted(life, f"apart {key}")
                life.database.tell(Write((keep("effect", key),), apart))
                apart.future.result(WITHIN)
                life.passing("hand: effect kept apart")
                run.reply_to.tell(Finished(run.lease, ()))
            case _:
                run.reply_to.tell(Finished(run.lease, (keep("effect", key),)))


def keep(what: str, name: str, padding: int = 0) -> Statement:
    """One row more."""
    return Statement("INSERT INTO kept (what, name, padding) VALUES (?, ?, ?)", (what, name, "x" * padding))


class Life:
    """A desk from its start to whatever ends it, and those who ask it.

    `noting` gets a line for each answer, before anyone else knows of it; `passing` the name of each boundary, in the
    thread that is about to pass it. In the `last` life nothing new is asked, and every task comes to an end.
    """

    def __init__(
        self,
        home: Home,
        number: int,
        seed: int,
        noting: Callable[[str], None],
        passing: Callable[[str], None] = lambda name: None,
        *,
        last: bool = False,
        wrong: bool = False,
    ) -> None:
        self.number, self.last, self.wrong, self.passing = number, last, wrong, passing
        self.chance, self._seed, self._noting = random.Random(seed), seed, noting
        self.recorder, self.read = Recorder(), Reader(home.database)
        self._compose(home)

    def _compose(self, home: Home) -> None:
        """Who exists. The one place that knows how actors are built."""
        scheduler = ThreadScheduler()
        scheduler.clock = Clock(self.number)
        self.database, self.tasks = Ref[database.Message]("database"), Ref[TaskMessage]("tasks")
        hands, workers = Ref[Run]("hands"), Ref[Run]("workers")
        work: dict[type[Work], Terms] = {RefreshBars: Terms(hands, 60), ValuePortfolio: Terms(workers, 60)}
        self.system = system = System(hooks=self.recorder, flush=self._flush, scheduler=scheduler)
        utc, chance, known = system.clock.utc, self.chance.random, Known(self.read, "USD", self.tasks.tell)

        def writer(me: Me[database.Message]) -> Actor[database.Message]:
            return Watched("database", DatabaseWriter(me, home, {}, Operations()), self.passing)

        def coordinator(me: Me[TaskMessage]) -> Actor[TaskMessage]:
            inner = TaskCoordinator(me, self.database, work, self.read, (4, 2), chance, 30)
            return Watched("tasks", inner, self.passing)

        system.add(self.database, writer, STOP_DESK)
        system.add(self.tasks, coordinator, STOP_DESK)
        system.add_crew(workers, lambda take: Watched("worker", Worker(take, Here(), known, utc), self.passing), 2)
        system.add_crew(hands, lambda _: Watched("hand", Hand(self), self.passing), 3)

    def _flush(self, settled: ReplyTo[Committed | Refused]) -> None:
        self.database.tell(Write((), settled))

    def note(self, line: str) -> None:
        """Make an answer known."""
        self.passing("answered, not noted")
        self._noting(line)
        self.passing("answered and noted")

    def start(self) -> "Life":
        """Start, as ever; the table that the effects go to is made where it is not there."""
        self.system.start(within=WITHIN)
        self.ask(self.database, "", lambda reply_to: Write((TABLE,), reply_to))
        return self

    def ask(self, ref: Ref[Any], line: str, make: Callable[[ReplyTo[Any]], object]) -> None:
        """Ask, and wait for the answer."""
        noted = Noted(self, line) if line else Promise()
        ref.tell(make(noted))
        noted.future.result(WITHIN)

    # Those who ask

    def load(self, asks: int, *, ballast: bool = False) -> None:
        """So many requests by each client, side by side; with `ballast` the log comes to be worth a checkpoint."""
        if ballast:
            self.database.tell(Write((BALLAST,), Promise()))
        clients = [
            threading.Thread(target=self._client, args=(number, asks), name=f"client-{number}", daemon=True)
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(WITHIN)
            assert not client.is_alive(), f"{client.name} still waits; {self.system.observe()}"

    def _client(self, number: int, asks: int) -> None:
        chance = random.Random(self._seed * 10 + number)
        for ask in range(asks):
            name = f"{self.number}.{number}.{ask}"
            match chance.randrange(8):
                case 0:
                    self._write(name, keep("write", f"{name}/1", 6_000), keep("write", f"{name}/2"))
                case 1:
                    self._write(name, keep("write", f"{name}/1"), BROKEN)
                case 2:
                    self._burst(name, chance.randrange(2, 40))
                case 3:
                    again = [self._task(f"fine/again/{n}", f"fine/again/{n - 1}" if n else "") for n in range(3)]
                    self._submit(name, *again)  # by every client of every life, and each time it is the same
                case 4:
                    self._submit(name, self._task(f"fine/{name}", f"fine/{name}/nobody"))
                case 5:
                    value = NewTask(f"value/{name}", "portfolio", ValuePortfolio(DAY), priority=chance.randint(1, 10))
                    self._submit(name, value)
                case _:
                    kinds = [chance.choice(KINDS) for _ in range(chance.randint(1, 4))]
                    keys = [f"{kind}/{name}/{n}" for n, kind in enumerate(kinds)]
                    tasks = [self._task(key, needs) for key, needs in zip(keys, ["", *keys], strict=False)]
                    self._submit(name, *tasks)

    def _task(self, key: str, needs: str = "") -> NewTask:
        work, claude = RefreshBars(Symbol(key)), key.endswith("3")
        return NewTask(key, "data", work, requires_claude=claude, needs=(needs,) if needs else ())

    def _write(self, name: str, *statements: Statement) -> None:
        line = f"write {' '.join(f'{name}/{n + 1}' for n in range(len(statements)))}"
        self.ask(self.database, line, lambda reply_to: Write(statements, reply_to))

    def _burst(self, name: str, size: int) -> None:
        """Many writes at once, whose answers are waited for together."""
        burst = [(f"{name}/{n}", Noted(self, f"write {name}/{n}")) for n in range(size)]
        for each, noted in burst:
            self.database.tell(Write((keep("write", each, 500),), noted))
        for _, noted in burst:
            noted.future.result(WITHIN)

    def _submit(self, name: str, *tasks: NewTask) -> None:
        line = f"submit {' '.join(task.key for task in tasks)}"
        self.passing("client: to submit")
        about = CorrelationId(name.replace(".", "f").rjust(32, "0"))
        self.ask(self.tasks, line, lambda reply_to: Submit(tasks, about, reply_to))

    # Its end

    def finish(self) -> None:
        """Wait until nothing is left to do now, in the last life nothing at all; then stop."""
        begun, pause = monotonic(), threading.Event()
        while left := self._left():
            assert not self.system.failed.done(), self.system.failed.result()
            assert monotonic() - begun < WITHIN, f"life {self.number}: {left} tasks never end"
            pause.wait(0.005)
        self.stop()

    def _left(self) -> int:
        left = "state IN ('blocked', 'queued', 'leased')" if self.last else "state = 'leased'"
        sql = f"SELECT count(*) FROM tasks WHERE {left} OR (state = 'queued' AND run_after = 0)"
        return self.read.rows(tuple[int], sql)[0][0]

    def stop(self) -> None:
        """Stop as the desk does: nothing new is leased, what is in flight ends."""
        drained = Promise()
        self.tasks.tell(Drain(drained))
        drained.future.result(WITHIN)
        assert self.system.stop(grace=WITHIN) == []
        for actor, error, _ in self.recorder.crashes:
            assert isinstance(error, InjectedError), f"{actor}: {error!r}"


def _nothing() -> None:
    """What an actor without on_start or on_stop does there."""


# What must be true of its file

Rows = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def look(path: Path) -> Generator[Rows]:
    """Queries on the file as it is at one moment, by another SQLite than the desk's own."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield lambda sql: connection.execute(sql).fetchall()


def assert_whole(path: Path, noted: Sequence[str], *, ended: bool = False) -> None:
    """What was answered, as `noted` before this look, is there; nothing is there twice; done and its effect are one.

    With `ended` the last life has come to its end, and so has every task.
    """
    with look(path) as rows:
        kept = Counter((str(what), str(name)) for what, name in rows("SELECT what, name FROM kept"))
        tasks = {str(key): (str(state), error) for key, state, error in rows("SELECT key, state, error FROM tasks")}
        often = rows(
            f"""SELECT key, state, attempts FROM tasks WHERE attempts > {ATTEMPTS}
            OR attempts < (state IN ('leased', 'done'))"""
        )
        values = Counter(
            str(key)
            for (key,) in rows("SELECT key FROM tasks JOIN valuations USING (correlation_id) WHERE key LIKE 'value/%'")
        )
        early = rows(
            """SELECT tasks.key, needed.key FROM tasks JOIN task_needs ON task_needs.task = tasks.id
            JOIN tasks AS needed ON needed.id = task_needs.needs
            WHERE tasks.state IN ('leased', 'done') AND needed.state <> 'done'"""
        )
        damage = rows("PRAGMA integrity_check"), rows("PRAGMA foreign_key_check")
    assert damage == ([("ok",)], [])
    effects = Counter({name: count for (what, name), count in kept.items() if what == "effect"}) + values
    assert {name: count for name, count in (kept + effects).items() if count > 1} == {}, "there twice"
    assert set(effects) == {key for key, (state, _) in tasks.items() if state == "done"}, "done and its effect are one"
    assert often == [], "tried more often than may be, or never"
    assert early == [], "ran before what it needs was done"
    _assert_answers(noted, {name for what, name in kept if what == "write"}, set(tasks))
    for key, (state, error) in tasks.items():
        kind = key.partition("/")[0]
        assert state in ("done", "dead") or not ended, f"{key} is {state} for ever"
        if state == "dead":
            assert ENDED_WITH_IT.fullmatch(error) or error.startswith(DEADLY[kind]), f"{key} is dead: {error}"
        assert state != "done" or kind not in DEADLY, f"{key} is done"


def _assert_answers(noted: Sequence[str], writes: set[str], tasks: set[str]) -> None:
    for line in noted:
        answer, what, *names = line.split()
        if what in ("write", "submit"):
            there = set(names) & (writes if what == "write" else tasks)
            if there != (set(names) if answer == "kept" else set[str]()):
                raise AnswerLost(f"answered: {line}; there is {sorted(there) or 'nothing'}")
