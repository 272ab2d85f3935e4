"""Reads through the real Reader beside a busy DatabaseWriter, against one locked connection.

`locked` is what the document Troupe was asked for with has now: one aiosqlite connection for everything, behind an
asyncio lock, on which the writes go, too. Both sides have as many askers and a writer that writes one row after the
other; a sync takes 1 ms.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from messages.database import Many, SqlValue
from storage.connections import Reader
from tests.benchmarks.measure import Benchmark, Figures
from tests.benchmarks.sync import Plan, rounds_in_child
from tests.benchmarks.writer import INSERT, TABLE, Locked, Ours, row

ASKERS: Final = 4
ROWS: Final = 500
"""In a scan, and bars of a symbol."""
POINT: Final = "SELECT symbol, at, price, note FROM measured WHERE id = ?"
SCAN: Final = "SELECT symbol, at, price, note FROM measured WHERE id BETWEEN ? AND ?"
BLOB: Final = "SELECT columns FROM bars WHERE symbol = ?"
BARS: Final = "SELECT at, open, high, low, close, volume FROM bar_rows WHERE symbol = ? ORDER BY at"
SCHEMA: Final = (
    TABLE,
    "CREATE TABLE IF NOT EXISTS bar_rows (symbol TEXT, at INTEGER, open REAL, high REAL, low REAL, close REAL,"
    " volume REAL, PRIMARY KEY (symbol, at)) STRICT, WITHOUT ROWID",
)


def bars(number: int) -> list[tuple[SqlValue, ...]]:
    """So many rows of one symbol."""
    return [(f"SYM{number}", day, *(100.0 + day + each for each in range(5))) for day in range(ROWS)]


class Beside:
    """A thread that writes one row after the other through the actor."""

    def __init__(self, ours: Ours) -> None:
        self._ours, self._ended = ours, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._ours.each(1, 10)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def ours_reads(read: Reader, one: Callable[[Reader, int], object], count: int) -> float:
    """Reads a second by so many threads."""

    def some() -> None:
        for number in range(count):
            one(read, number)

    threads = [threading.Thread(target=some) for _ in range(ASKERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ASKERS * count / (time.perf_counter() - began)


def point(read: Reader, number: int) -> object:
    return read.rows(tuple[str, int, float, str], POINT, number % 5_000 + 1)


def scan(read: Reader, number: int) -> object:
    first = number * 7 % 4_000 + 1
    return read.rows(tuple[str, int, float, str], SCAN, first, first + ROWS - 1)


def blob(read: Reader, number: int) -> object:
    ((columns,),) = read.rows(tuple[bytes], BLOB, f"SYM{number % 20}")
    return np.frombuffer(columns, "<f8").reshape(6, ROWS)


def locked_reads(locked: Locked, sql: str, values: Callable[[int], tuple[SqlValue, ...]], count: int) -> float:
    """Reads a second by so many coroutines, beside one that writes, all on the one connection."""

    async def reads() -> float:
        ended = False

        async def write() -> None:
            number = 0
            while not ended:
                number += 1
                await locked.insert(row(number))

        async def some() -> None:
            for number in range(count):
                async with locked.lock:
                    cursor = await locked.connection.execute(sql, values(number))
                    assert await cursor.fetchall()

        writing, began = asyncio.ensure_future(write()), time.perf_counter()
        await asyncio.gather(*(some() for _ in range(ASKERS)))
        took, ended = time.perf_counter() - began, True
        await writing
        return ASKERS * count / took

    rate: float = locked.run(reads())
    return rate


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """Where a sync takes 1 ms; who comes first takes turns."""
    ours, locked = Ours(place), Locked(place)
    read = Reader(place / "ours" / "desk.sqlite3")
    try:
        _fill(ours, locked)
        kinds: list[tuple[str, Callable[[Reader, int], object], str, Callable[[int], tuple[SqlValue, ...]]]] = [
            ("point_vs_locked", point, POINT, lambda n: (n % 5_000 + 1,)),
            ("scan_vs_locked", scan, SCAN, lambda n: (n * 7 % 4_000 + 1, n * 7 % 4_000 + ROWS)),
            ("bars_vs_locked", blob, BARS, lambda n: (f"SYM{n % 20}",)),
        ]
        for repeat in range(repeats):
            figures = dict[str, float]()
            for key, one, sql, values in kinds:
                mine = theirs = 0.0
                for turn in range(2):
                    gc.collect()
                    if (repeat + turn) % 2:
                        with Beside(ours):
                            mine = ours_reads(read, one, plan["ours"][key])
                    else:
                        theirs = locked_reads(locked, sql, values, plan["locked"])
                figures[key] = mine / theirs
            yield figures
    finally:
        read.close()
        ours.close()
        locked.close()


def _fill(ours: Ours, locked: Locked) -> None:
    rows = [row(number) for number in range(5_000)]
    every = [bar for number in range(20) for bar in bars(number)]
    packed = [(f"SYM{n}", 2013, b"", np.asarray([bar[1:] for bar in bars(n)], "<f8").T.tobytes()) for n in range(20)]
    ours.send((
        Many(INSERT, tuple(rows)),
        Many("INSERT INTO bars (symbol, year, digest, columns) VALUES (?, ?, ?, ?)", tuple(packed)),
    ))  # fmt: skip
    locked.bulk(rows)

    async def fill() -> None:
        for sql in SCHEMA:
            await locked.connection.execute(sql)
        await locked.connection.executemany("INSERT INTO bar_rows VALUES (?, ?, ?, ?, ?, ?, ?)", every)
        await locked.connection.commit()

    locked.run(fill())


def _benchmark(plan: dict[str, Any], repeats: int) -> Benchmark:
    return Benchmark(
        "reads beside a busy writer against one locked connection",
        {
            "point_vs_locked": "25 or more, times its rate",
            "scan_vs_locked": "1.7 or more, 500 rows",
            "bars_vs_locked": "45 or more, 500 bars as one value against 500 rows",
        },
        lambda repeats: rounds_in_child("tests.benchmarks.readers", plan, repeats),
        repeats,
    )


_KEYS: Final = ("point_vs_locked", "scan_vs_locked", "bars_vs_locked")
READERS: Final = _benchmark({"ours": dict(zip(_KEYS, (3_000, 150, 3_000), strict=True)), "locked": 60}, repeats=7)
SMALL: Final = _benchmark({"ours": dict.fromkeys(_KEYS, 20), "locked": 5}, repeats=1)
