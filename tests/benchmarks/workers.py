"""What workers cost beside the work itself, and what they do to the writer beside them, each kind at full load.

All of it in a child in which a sync takes one millisecond.
"""

import datetime as dt
import gc
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from itertools import count, islice
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from actors.database import DatabaseWriter
from actors.kernel.edges import Promise
from actors.kernel.system import STOP_DESK, System
from actors.settings.reading import Settings
from actors.workers.jobs import JOBS, Job, Known
from actors.workers.places import Here, Place
from actors.workers.processes import Process
from actors.workers.worker import CHUNK, Worker
from messages import database
from messages.addresses import Ref, ReplyTo
from messages.database import Statement, Write
from messages.tasks import ComputeFacts, Lease, Progressed, RefreshBars, Run, Work
from messages.trading import Position, Valuation
from messages.values import CorrelationId, Symbol
from storage import bars, valuations
from storage.connections import Operations, Reader
from storage.home import Home
from storage.migrations import open_for_writing
from telemetry.hooks import CountingHooks
from tests.actors.domain import making
from tests.benchmarks import labour
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.sync import Plan, rounds_in_child

WAIT: Final = 0.05
CORES: Final = 2
ROUND: Final = CorrelationId("b" * 32)
SYMBOL: Final = Symbol("BENCH")
KEPT: Final = Statement("SELECT 1")
ROW: Final = "INSERT INTO home (name, value) VALUES (?, '')"


def _nothing(_known: Known, _run: Run) -> None:
    return None


def _much(_known: Known, run: Run) -> int:
    return int(run.expect(RefreshBars).symbol)


def _untold(_: Progressed) -> None:
    return None


def _keep(value: object, correlation_id: CorrelationId, now: int) -> tuple[Statement, ...]:
    return (KEPT,)


def _wait(wanted: Sequence[None]) -> list[None]:
    for _ in wanted:
        time.sleep(WAIT)
    return list(wanted)


WAITING: Final = Job(False, _nothing, _wait, _keep)
NOTHING: Final = Job(True, _nothing, list, _keep)
COUNTING: Final = Job(True, _much, labour.count, _keep)


class Crew:
    """A crew whose every task is of one job."""

    def __init__(self, read: Reader, size: int, place: Callable[[], Place], chunk: int) -> None:
        self.ref, self._system = Ref[Run]("crew"), System(hooks=CountingHooks())
        utc = self._system.clock.utc
        self._system.add_crew(
            self.ref, lambda take: Worker(take, place(), Known(read, "USD", _untold), utc, chunk), size, capacity=10**6
        )
        self._system.start()

    def seconds(self, works: Sequence[Work]) -> float:
        """From the first that is sent to the last that is handled."""
        left, done = count(len(works) - 1, -1), threading.Event()

        class Counted(ReplyTo[Any]):
            __slots__ = ()

            def send(self, answer: object, /) -> None:
                if next(left) == 0:
                    done.set()

        runs = [Run(Lease(number, 1), work, ROUND, Counted(None)) for number, work in enumerate(works)]
        gc.collect()
        began = time.perf_counter()
        for run in runs:
            self.ref.tell(run)
        done.wait()
        return time.perf_counter() - began

    @contextmanager
    def loaded(self, works: Sequence[Work]) -> Generator[None]:
        """Within, each of these is run again whenever it is done."""
        stopped = threading.Event()

        class Again(ReplyTo[Any]):
            __slots__ = ("run",)
            run: Callable[[], None]

            def send(self, answer: object, /) -> None:
                if not stopped.is_set():
                    self.run()

        def again(work: Work) -> None:
            reply_to = Again(None)
            reply_to.run = lambda: again(work)
            self.ref.tell(Run(Lease(1, 1), work, ROUND, reply_to))

        for work in works:
            again(work)
        try:
            yield
        finally:
            stopped.set()

    def stop(self) -> None:
        self._system.stop(grace=10)


@contextmanager
def crew_of(job: Job[Any, Any], read: Reader, size: int, place: Callable[[], Place], chunk: int) -> Generator[Crew]:
    """A crew for which RefreshBars is this job."""
    JOBS[RefreshBars] = job
    crew = Crew(read, size, place, chunk)
    try:
        yield crew
    finally:
        crew.stop()
        del JOBS[RefreshBars]


def forked(much: Sequence[int]) -> float:
    """Seconds for the same work in bare forks, dealt out beforehand, whose results nobody hears of."""
    began, pids = time.perf_counter(), list[int]()
    for share in range(CORES):
        if (pid := os.fork()) == 0:
            labour.count(much[share::CORES])
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return time.perf_counter() - began


class Commits:
    """A writer that is asked for one commit of eight rows after the other."""

    def __init__(self, home: Home) -> None:
        self._system, self._ref = System(hooks=CountingHooks()), Ref[database.Message]("database")
        self._system.add(self._ref, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        self._system.start()
        self._numbers = count()

    def p99(self, commits: int) -> float:
        """Milliseconds."""
        took = list[float]()
        for number in islice(self._numbers, commits):  # rows that are there already would need no sync
            promise = Promise()
            write = Write(tuple(Statement(ROW, (f"{number}/{row}",)) for row in range(8)), promise)
            began = time.perf_counter()
            self._ref.tell(write)
            promise.future.result()
            took.append(time.perf_counter() - began)
        return quantiles(took, n=100)[-1] * 1e3

    def stop(self) -> None:
        self._system.stop(grace=10)


def prepared(place: Path) -> Home:
    """A home with ten years of bars and the valuation that facts are computed against."""
    home = Home(place / "desk")
    home.take()
    connection, read = open_for_writing(home, {}, 0), Reader(home.database)
    position = Position(SYMBOL, Decimal(1), Decimal(1), Decimal(1), 1.0, Decimal(0))
    valued = Valuation(making.LAST, "USD", Decimal(1), Decimal(0), (position,))
    statements = (*bars.replace(read, SYMBOL, making.bars(making.walk(2_500))), valuations.insert(valued, ROUND, 0))
    for result in connection.commit([statements]):
        assert not isinstance(result, Exception), result
    connection.close()
    return home


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """See sync.py."""
    home = prepared(place)
    read, commits = Reader(home.database), Commits(home)
    waits, noops, jobs, writes = (int(plan[name]) for name in ("waits", "noops", "jobs", "writes"))
    much = [int(plan["much"])] * jobs
    counted: list[Work] = [RefreshBars(Symbol(str(each))) for each in much]
    idle: list[Work] = [RefreshBars(Symbol("0"))]
    sheets: list[Work] = [ComputeFacts(SYMBOL, making.LAST - dt.timedelta(days=day)) for day in range(16)]

    def waited(size: int) -> float:
        with crew_of(WAITING, read, size, Here, 1) as crew:
            return waits * WAIT / crew.seconds(idle * waits * size)

    for repeat in range(repeats):
        figures = dict[str, float]()
        figures["waits16_of_ideal"], figures["waits64_of_ideal"] = waited(16), waited(64)
        with crew_of(NOTHING, read, CORES, Here, CHUNK) as crew:
            figures["dispatch_us"] = crew.seconds(idle * noops) / noops * 1e6
        with crew_of(COUNTING, read, CORES, lambda: Process(2**30), CHUNK) as crew:
            crew.seconds(counted[:CORES] * 4)  # so that the processes are there
            turns: list[Callable[[], float]] = [lambda: crew.seconds(counted), lambda: forked(much)]
            ours, theirs = _in_turn(turns, repeat)
            figures["python_of_forked"] = theirs / ours

        def beside(job: Job[Any, Any], size: int, works: list[Work], where: Callable[[], Place], chunk: int) -> float:
            with ExitStack() as load:
                crew = load.enter_context(crew_of(job, read, size, where, chunk))
                load.enter_context(crew.loaded(works))
                commits.p99(writes // 10)
                return commits.p99(writes)

        turns = [
            lambda: commits.p99(writes),
            lambda: beside(WAITING, 64, idle * 128, Here, 1),
            lambda: beside(NOTHING, Settings().threads, sheets * 4, Here, CHUNK),
            lambda: beside(COUNTING, CORES, counted, lambda: Process(2**30), CHUNK),
        ]
        alone, *others = _in_turn(turns, repeat)
        for kind, milliseconds in zip(("waits", "numbers", "python"), others, strict=True):
            figures[f"writer_p99_beside_{kind}"] = milliseconds / alone
        figures["writer_p99_ms"] = alone
        yield figures
    commits.stop()
    home.release()


def _in_turn(turns: Sequence[Callable[[], float]], repeat: int) -> list[float]:
    """What each measures, another one going first each time."""
    first = repeat % len(turns)
    found = {number: turns[number]() for number in [*range(first, len(turns)), *range(first)]}
    return [found[number] for number in range(len(turns))]


def _benchmark(plan: Plan, repeats: int) -> Benchmark:
    return Benchmark(
        "waits, no-ops and Python jobs through a crew against their ideal, and the writer beside each kind of worker",
        {
            "waits16_of_ideal": "0.97 or more of the ideal, 50 ms waits on 16 workers",
            "waits64_of_ideal": "0.97 or more of the ideal, on 64 workers",
            "dispatch_us": "4 or less, µs from telling to handled, no-op jobs in the process",
            "python_of_forked": "0.85 or more, of bare forks",
            "writer_p99_beside_waits": "3 or less, times the p99 of a commit of 8 rows alone",
            "writer_p99_beside_numbers": "3 or less, times alone",
            "writer_p99_beside_python": "3 or less, times alone",
            "writer_p99_ms": "for comparison, alone",
        },
        lambda repeats: rounds_in_child("tests.benchmarks.workers", plan, repeats),
        repeats,
    )


WORKERS: Final = _benchmark({"waits": 20, "noops": 20_000, "jobs": 256, "much": 100_000, "writes": 1_000}, 7)
SMALL: Final = _benchmark({"waits": 2, "noops": 500, "jobs": 16, "much": 10_000, "writes": 60}, 1)
