"""Writes through the real DatabaseWriter against what people use instead, and against the limit.

`locked` is the present design of the document Troupe was asked for with: aiosqlite, one connection, one asyncio lock,
a commit for each write. `loop` is its proposal for bulk writes: within the lock a loop of executes and one commit. The
limit is bare apsw with as many rows in each commit. All in WAL with synchronous=FULL, where a sync takes 1 ms. What is
written, rows here and messages there, is made before the clock starts.
"""

import asyncio
import gc
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import apsw

from actors.database import DatabaseWriter
from actors.kernel.system import STOP_DESK, System
from messages import database
from messages.addresses import Ref, ReplyTo
from messages.database import Committed, Many, SqlValue, Statement, Write
from storage.connections import Operations
from storage.home import Home
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.sync import Plan, rounds_in_child

OUTSTANDING: Final = (1, 8, 64, 256)
BULKS: Final = 5
"""Bulk writes one after the other that are timed together. Of 1,000 rows one takes 2 ms: alone it measures how long it
takes to wake a processor that has slept, 0.2 ms here."""
TABLE: Final = """CREATE TABLE IF NOT EXISTS measured (
    id INTEGER PRIMARY KEY, symbol TEXT, at INTEGER, price REAL, note TEXT) STRICT"""
INSERT: Final = "INSERT INTO measured (symbol, at, price, note) VALUES (?, ?, ?, ?)"
Row = tuple[SqlValue, ...]


def row(number: int) -> Row:
    """One of the rows that everybody writes."""
    return f"SYM{number % 500}", 1_362_096_000_000_000 + number, number * 0.25, "as measured"


class Ours:
    """The actor, on its thread, as a desk has it; the rows are sent by the thread that measures."""

    def __init__(self, place: Path) -> None:
        (home := Home(place / "ours")).path.mkdir()
        self.system, self.ref = System(hooks=CountingHooks()), Ref[database.Message]("database")
        self.system.add(self.ref, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        self.system.start()
        self._answers = SimpleQueue[object]()
        self.send((Statement(TABLE),))

    def send(self, statements: tuple[Statement | Many, ...]) -> None:
        """Have them committed."""
        self.ref.tell(Write(statements, Answer(self._answers)))
        assert isinstance(self._answers.get(), Committed)

    def each(self, outstanding: int, count: int) -> float:
        """Seconds for so many writes of one row, of which so many are under way at any time."""
        get, tell = self._answers.get, self.ref.tell
        writes = [Write((Statement(INSERT, row(number)),), Answer(self._answers)) for number in range(count)]
        began = time.perf_counter()
        for write in writes[:outstanding]:
            tell(write)
        for write in writes[outstanding:]:
            assert type(get()) is Committed
            tell(write)
        for _ in range(outstanding):
            assert type(get()) is Committed
        return time.perf_counter() - began

    def bulk(self, rows: Sequence[Row]) -> float:
        """Seconds for all of them as one message; to make it is part of that."""
        began = time.perf_counter()
        self.send((Many(INSERT, tuple(rows)),))
        return time.perf_counter() - began

    def close(self) -> None:
        self.system.stop(grace=10)


class Answer(ReplyTo[Any]):
    """Goes to the thread that has asked."""

    __slots__ = ("send",)

    def __init__(self, answers: "SimpleQueue[object]") -> None:
        super().__init__(None)
        self.send = answers.put  # type: ignore[method-assign]


class Locked:
    """What the document has now, on a loop of its own."""

    def __init__(self, place: Path) -> None:
        self._path, self._loop = place / "locked.sqlite3", asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._open())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        aiosqlite: Any = importlib.import_module("aiosqlite")  # of the dependency group `bench` alone
        self.lock, self.connection = asyncio.Lock(), await aiosqlite.connect(str(self._path))
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
            await self.connection.execute(f"PRAGMA {pragma}")
        await self.connection.execute(TABLE)
        await self.connection.commit()

    async def insert(self, each: Row) -> None:
        async with self.lock:
            await self.connection.execute(INSERT, each)
            await self.connection.commit()

    async def _each(self, outstanding: int, count: int) -> float:
        rows = iter([row(number) for number in range(count)])
        began = time.perf_counter()

        async def submit() -> None:
            for each in rows:
                await self.insert(each)

        await asyncio.gather(*(submit() for _ in range(outstanding)))
        return time.perf_counter() - began

    async def _bulk(self, rows: Sequence[Row]) -> float:
        began = time.perf_counter()
        async with self.lock:
            for each in rows:
                await self.connection.execute(INSERT, each)
            await self.connection.commit()
        return time.perf_counter() - began

    def each(self, outstanding: int, count: int) -> float:
        """See Ours."""
        seconds: float = self.run(self._each(outstanding, count))
        return seconds

    def bulk(self, rows: Sequence[Row]) -> float:
        """The document's proposal."""
        seconds: float = self.run(self._bulk(rows))
        return seconds

    def close(self) -> None:
        self.run(self.connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Limit:
    """What there is to reach: no message, no thread, no answer."""

    def __init__(self, place: Path) -> None:
        self._connection: Any = apsw.Connection(str(place / "limit.sqlite3"))
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.execute(TABLE)

    def each(self, outstanding: int, count: int) -> float:
        """Seconds for so many rows, so many in each commit."""
        cursor, rows = self._connection.cursor(), [row(number) for number in range(count)]
        began = time.perf_counter()
        for first in range(0, count, outstanding):
            cursor.execute("BEGIN IMMEDIATE")
            for each in rows[first : first + outstanding]:
                cursor.execute(INSERT, each)
            cursor.execute("COMMIT")
        return time.perf_counter() - began

    def bulk(self, rows: Sequence[Row]) -> float:
        """All in one commit."""
        cursor, began = self._connection.cursor(), time.perf_counter()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(INSERT, rows)
        cursor.execute("COMMIT")
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """Where a sync takes 1 ms; in each repeat the three take turns at being first."""
    ours, locked, limit = contenders = Ours(place), Locked(place), Limit(place)
    rows, one = [row(number) for number in range(max(plan["bulk"]))], 1.0
    try:
        for repeat in range(repeats):
            order = [contenders[(repeat + turn) % 3] for turn in range(3)]
            figures = dict[str, float]()
            for outstanding, commits in plan["commits"].items():
                n = int(outstanding)
                took = {each: _rate(partial(each.each, n), plan["locked"] if each is locked else n * commits)
                        for each in order}  # fmt: skip
                figures[f"write{n}_vs_locked"] = took[ours] / took[locked]
                figures[f"write{n}_of_limit"] = took[ours] / took[limit]
                if n == 1:
                    one = took[locked]
            bulks = [_bulk(order, ours, locked, limit, rows[:size], one) for size in plan["bulk"]]
            for key in bulks[0]:
                figures[key] = min(each[key] for each in bulks)
            yield figures
    finally:
        for each in contenders:
            each.close()


def _rate(each: Callable[[int], float], count: int) -> float:
    gc.collect()
    return count / each(count)


def _bulk(
    order: Sequence["Ours | Locked | Limit"], ours: Ours, locked: Locked, limit: Limit, rows: Sequence[Row], one: float
) -> dict[str, float]:
    took = dict[object, float]()
    for each in order:
        gc.collect()
        took[each] = BULKS * len(rows) / sum(each.bulk(rows) for _ in range(BULKS))
    return {
        "bulk_vs_commit_each": took[ours] / one,
        "bulk_vs_loop": took[ours] / took[locked],
        "bulk_of_limit": took[ours] / took[limit],
    }


def _benchmark(plan: dict[str, Any], repeats: int) -> Benchmark:
    return Benchmark(
        "writes against aiosqlite with a lock and a commit each, the document's bulk loop, and bare apsw",
        {
            "write1_vs_locked": "0.95 or more, times its rate",
            "write8_vs_locked": "6 or more",
            "write64_vs_locked": "45 or more",
            "write256_vs_locked": "80 or more",
            "write1_of_limit": "0.9 or more, of bare apsw",
            "write8_of_limit": "0.85 or more",
            "write64_of_limit": "0.9 or more",
            "write256_of_limit": "0.6 or more",
            "bulk_vs_commit_each": "150 or more, rows of 1,000 to 10,000 in one message",
            "bulk_vs_loop": "12 or more",
            "bulk_of_limit": "0.85 or more",
        },
        lambda repeats: rounds_in_child("tests.benchmarks.writer", plan, repeats),
        repeats,
    )


WRITER: Final = _benchmark(
    {"commits": {"1": 300, "8": 150, "64": 150, "256": 80}, "locked": 400, "bulk": [1_000, 10_000]}, repeats=7
)
SMALL: Final = _benchmark({"commits": {"1": 20, "8": 10, "64": 5, "256": 3}, "locked": 20, "bulk": [1_000]}, repeats=1)
