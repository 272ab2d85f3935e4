"""Durable tasks: enqueue, claim and complete against other queues on SQLite; and a claim where a million tasks wait.

Everyone works in one process, on one file, with `synchronous=FULL`: each commit is a sync of a millisecond (sync.py).
The others have no way to do many at once, so their rate one at a time is what both of ours are compared with.
Three commits a task are what each of them says a task takes: put, taken, done.
"""

import gc
import importlib
import importlib.util
import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from actors.database import DatabaseWriter
from actors.kernel.hooks import Hooks
from actors.kernel.system import STOP_DESK, System
from actors.kernel.testing import TestSystem
from actors.tasks.coordinator import Message, TaskCoordinator
from actors.tasks.hands import FREE
from actors.tasks.terms import Terms
from messages import database
from messages.addresses import Ref, Refused, ReplyTo
from messages.tasks import Done, Finished, NewTask, Pause, RefreshBars, Resume, Run, Submit, Submitted, Work
from messages.values import CorrelationId, Symbol
from storage import tasks
from storage.connections import Operations, Reader, fetch
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.sync import Plan, rounds_in_child

ROUND: Final = CorrelationId("b" * 32)
WORK: Final = RefreshBars(Symbol("AAPL"))
OUTSTANDING: Final = 800
"""Submissions that are not answered yet, where they are pipelined; less than a mailbox holds."""
GROUP: Final = "the others are not installed; `uv sync --group bench` installs them"


class Hand:
    """Does nothing, at once."""

    def on_receive(self, run: Run) -> None:
        run.reply_to.tell(Finished(run.lease, ()))


class Timed:
    """Does nothing, and notes when; the times between two are those of a completion with its claim."""

    def __init__(self, times: list[float]) -> None:
        self._times = times

    def on_receive(self, run: Run) -> None:
        self._times.append(time.perf_counter())
        run.reply_to.tell(Finished(run.lease, ()))


class Counted(ReplyTo[Submitted | Refused]):
    """Makes room for the next submission when it is answered."""

    __slots__ = ("_room",)

    def __init__(self, room: threading.Semaphore) -> None:
        super().__init__(None)
        self._room = room

    def send(self, answer: object, /) -> None:
        assert isinstance(answer, Submitted), answer
        self._room.release()


class Desk:
    """The real coordinator and writer, and a worker that does nothing."""

    def __init__(
        self,
        place: Path,
        hands: tuple[int, int],
        worker: Callable[[], Any] = Hand,
        *,
        hooks: Hooks | None = None,
        system: Callable[..., System] = System,
    ) -> None:
        place.mkdir(exist_ok=True)
        home = Home(place)
        self.read = Reader(home.database)
        self.writer, self.tasks = Ref[database.Message]("database"), Ref[Message]("tasks")
        worker_ref = Ref[Run]("workers")
        work: dict[type[Work], Terms] = {RefreshBars: Terms(worker_ref, 60)}

        def flush(settled: ReplyTo[Any]) -> None:
            self.writer.tell(database.Write((), settled))

        self.system = system(hooks=hooks or CountingHooks(), flush=flush)
        self.system.add(self.writer, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        self.system.add(
            self.tasks,
            lambda me: TaskCoordinator(me, self.writer, work, self.read, hands, lambda: 0.5, 90),
            STOP_DESK,
        )
        self.system.add_crew(worker_ref, lambda _: worker(), 1)
        self.system.start()

    def order(self, make: Callable[[ReplyTo[Any]], Message]) -> None:
        answer: Done | Submitted | Refused = self.system.ask(self.tasks, make, within=60)
        assert not isinstance(answer, Refused), answer

    def settle(self) -> None:
        assert isinstance(self.system, TestSystem)
        self.system.settle()

    def until_done(self, count: int) -> None:
        while tasks.counts(self.read).get(("data", "done"), 0) < count:
            time.sleep(0.002)

    def stop(self) -> None:
        assert self.system.stop(grace=10) == []


def new(number: int, queue: Any = "data") -> NewTask:
    return NewTask(f"refresh_bars/AAPL/{number}", queue, WORK)


def one_at_a_time(place: Path, count: int) -> float:
    """Tasks a second: each is enqueued and acknowledged, and then each claimed and completed, one by one."""
    desk = Desk(place, (1, 0))
    desk.order(lambda reply_to: Pause("data", reply_to))
    began = time.perf_counter()
    for number in range(count):
        desk.order(lambda reply_to, number=number: Submit((new(number),), ROUND, reply_to))  # type: ignore[misc]
    desk.order(lambda reply_to: Resume("data", reply_to))
    desk.until_done(count)
    took = time.perf_counter() - began
    desk.stop()
    return count / took


def pipelined(place: Path, count: int) -> float:
    """Tasks a second, each submitted by a message of its own, with many of them not answered yet."""
    desk, room = Desk(place, (FREE[0], 0)), threading.Semaphore(OUTSTANDING)
    began = time.perf_counter()
    for number in range(count):
        room.acquire()
        desk.tasks.tell(Submit((new(number),), ROUND, Counted(room)))
    desk.until_done(count)
    took = time.perf_counter() - began
    desk.stop()
    return count / took


# The others


def huey(place: Path, count: int) -> float:
    """Its result is how it says that a task is done."""
    module: Any = importlib.import_module("huey")
    queue: Any = module.SqliteHuey(filename=str(place / "huey.sqlite3"), fsync=True, store_none=True)

    @queue.task()  # type: ignore[untyped-decorator]
    def nothing(_: str) -> None: ...

    began = time.perf_counter()
    for number in range(count):
        nothing(f"refresh_bars/AAPL/{number}")
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
    return count / (time.perf_counter() - began)


def persist_queue(place: Path, count: int) -> float:
    module: Any = importlib.import_module("persistqueue")
    queue: Any = module.SQLiteAckQueue(str(place / "persist"), multithreading=True)
    began = time.perf_counter()
    for number in range(count):
        queue.put(f"refresh_bars/AAPL/{number}")
    for _ in range(count):
        queue.ack(queue.get())
    took = time.perf_counter() - began
    queue.close()
    return count / took


def litequeue(place: Path, count: int) -> float:
    module: Any = importlib.import_module("litequeue")
    queue: Any = module.LiteQueue(str(place / "lite.sqlite3"))
    queue.conn.execute("PRAGMA synchronous = FULL")  # it asks for NORMAL, which loses what it has acknowledged
    began = time.perf_counter()
    for number in range(count):
        queue.put(f"refresh_bars/AAPL/{number}")
    while (message := queue.pop()) is not None:
        queue.done(message.message_id)
    took = time.perf_counter() - began
    queue.close()
    return count / took


def dbos(place: Path, count: int) -> float:
    """Started and waited for; by way of its own queue it is slower."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    module: Any = importlib.import_module("dbos")
    url = f"sqlite:///{place / 'dbos.sqlite3'}"
    module.DBOS(
        config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "CRITICAL"}
    )

    @module.DBOS.workflow()  # type: ignore[untyped-decorator]
    def nothing(_: str) -> None: ...

    module.DBOS.launch()
    began = time.perf_counter()
    for number in range(count):
        module.DBOS.start_workflow(nothing, f"refresh_bars/AAPL/{number}").get_result()
    took = time.perf_counter() - began
    module.DBOS.destroy(destroy_registry=True)
    return count / took


OTHERS: Final[dict[str, tuple[Callable[[Path, int], float], int]]] = {
    "huey": (huey, 1), "persist_queue": (persist_queue, 1), "litequeue": (litequeue, 1), "dbos": (dbos, 10),
}  # fmt: skip
"""Each with what its count is divided by."""


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """Rates of all of them, the order taking turns."""
    if plan.get("million"):
        yield from _waiting(plan, place, repeats)
        return
    single, many = int(plan["single"]), int(plan["pipelined"])
    runs: dict[str, Callable[[Path], float]] = {
        "single": lambda where: one_at_a_time(where, single),
        "pipelined": lambda where: pipelined(where, many),
        **{
            name: lambda where, run=run, share=share: run(where, max(2, single // share))  # type: ignore[misc]
            for name, (run, share) in OTHERS.items()
        },
    }
    names = list(runs)
    for repeat in range(repeats):
        figures = dict[str, float]()
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            where = place / f"{name}-{repeat}"
            where.mkdir()
            gc.collect()
            figures[name] = runs[name](where)
        best = max(figures[name] for name in OTHERS)
        yield {
            "queue_pipelined_vs_best": figures["pipelined"] / best,
            "queue_single_vs_best": figures["single"] / best,
            "pipelined_us": 1e6 / figures["pipelined"],
            **{f"{name}_per_s": rate for name, rate in figures.items()},
        }


# A million that wait


def fill(place: Path, count: int) -> None:
    """So many tasks of every sort: ready, in want of Claude, of a paused queue, waiting for their time, blocked."""
    place.mkdir()
    connection: WriteConnection = open_for_writing(Home(place), {}, 0)
    columns = "key, queue, type, version, payload, priority, requires_claude, state, run_after, correlation_id"
    fetch(
        connection.raw,
        f"""WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
        INSERT INTO tasks ({columns}, submitted_at) SELECT 'refresh_bars/AAPL/' || n,
            CASE n % 5 WHEN 0 THEN 'portfolio' ELSE 'data' END, 'refresh_bars', 1, ?, 1 + n % 10, n % 5 = 1,
            CASE n % 5 WHEN 2 THEN 'blocked' ELSE 'queued' END, CASE n % 5 WHEN 3 THEN 4000000000000000 ELSE 0 END,
            ?, 0 FROM n""",
        (count, payload(WORK), ROUND),
    )
    fetch(connection.raw, "INSERT INTO task_needs SELECT id, id - 1 FROM tasks WHERE state = 'blocked'")
    fetch(connection.raw, "INSERT INTO paused_queues VALUES ('portfolio', 0)")
    connection.close()


def payload(work: RefreshBars) -> str:
    return f'{{"symbol":"{work.symbol}"}}'


def memory_mb() -> float:
    """What this process holds, files that it has mapped included."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def timed(place: Path) -> Generator[list[float]]:
    """The times of tasks that are done one by one until the end of the block."""
    times = list[float]()
    desk = Desk(place, (1, 0), lambda: Timed(times))
    try:
        yield times
    finally:
        desk.stop()


def p99(place: Path, count: int) -> float:
    """Seconds from one task to the next, of which one in a hundred takes longer."""
    with timed(place) as times:
        while len(times) < count:
            time.sleep(0.005)
    gaps = [after - before for before, after in pairwise(times[20:])]
    return statistics.quantiles(gaps, n=100)[98]


def _waiting(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    few, many, count = place / "few", place / "many", int(plan["claims"])
    fill(few, 5 * (count + 100) * (2 * repeats + 1))  # as many as are claimed are ready, and hardly more
    fill(many, int(plan["million"]))
    p99(few, 100)
    gc.collect()
    before = memory_mb()
    for repeat in range(repeats):
        places = [few, many] if repeat % 2 else [many, few]
        measured = {where.name: p99(where, count) for where in places}
        yield {
            "million_claim_vs_thousand": measured["many"] / measured["few"],
            "million_memory_mb": memory_mb() - before,
            "claim_p99_us": measured["many"] * 1e6,
        }


def _rounds(repeats: int, single: int, many: int, million: int, claims: int) -> Iterator[Figures]:
    missing = [name for name in ("huey", "persistqueue", "litequeue", "dbos") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"error: {', '.join(missing)}: {GROUP}", file=sys.stderr)
        raise SystemExit(3)
    rates = rounds_in_child(__name__, {"single": single, "pipelined": many}, repeats)
    waits = rounds_in_child(__name__, {"million": million, "claims": claims}, repeats)
    for rate, wait in zip(rates, waits, strict=True):
        yield {**rate, **wait}


WANTED: Final = {
    "queue_pipelined_vs_best": "25 or more, times the best of the others",
    "queue_single_vs_best": "1.1 or more, times the best of the others",
    "million_claim_vs_thousand": "2 or less, times the 99th percentile where few wait",
    "million_memory_mb": "50 or less, MB more",
    "pipelined_us": "for comparison, µs a task",
    "claim_p99_us": "for comparison, µs for a completion and the next claim",
    "single_per_s": "for comparison, tasks a second",
    "pipelined_per_s": "for comparison",
    **{f"{name}_per_s": "for comparison" for name in OTHERS},
}
ABOUT: Final = "durable tasks against other queues on SQLite, and a claim where a million wait"
QUEUE: Final = Benchmark(ABOUT, WANTED, lambda repeats: _rounds(repeats, 300, 20_000, 1_000_000, 2_000), repeats=5)
SMALL: Final = Benchmark(ABOUT, WANTED, lambda repeats: _rounds(repeats, 20, 500, 10_000, 100), repeats=1)
