"""The document's own designs, its present one and its proposal, in its own code where it gives any.

The one liberty: all connections are in WAL with synchronous=FULL, as Troupe's are; as aiosqlite opens them, in a
rollback journal, a commit takes several syncs instead of one.
"""

import asyncio
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

NO_AIOSQLITE: Final = 3
TABLE: Final = "CREATE TABLE config (number INTEGER PRIMARY KEY, key TEXT, value TEXT)"
INDEX: Final = "CREATE INDEX config_key ON config (key)"
INSERT: Final = "INSERT INTO config (key, value) VALUES (?, ?)"
SELECT: Final = "SELECT value FROM config WHERE key = ?"
UPDATE: Final = "UPDATE config SET value = ? WHERE number = ?"
KEYS, ROWS_A_KEY = 200, 10
WITHOUT_CLAUDE, WITH_CLAUDE = 0.05, 0.2
"""Seconds that a task waits for something outside, and that Claude takes; the same for all sides."""
Row = tuple[str, str]


def row(number: int) -> Row:
    """One of the rows that all sides write and read."""
    value = {"name": f"setting {number}", "limits": [number, number + 1], "note": "as measured"}
    return f"key {number % KEYS}", json.dumps(value)


def process(rows: Iterable[Sequence[Any]]) -> dict[str, object]:
    """What a state manager makes of its rows."""
    values = [json.loads(value) for (value,) in rows]
    return {value["name"]: value for value in values}


class Cursor(Protocol):
    """As much of aiosqlite's as is used."""

    async def fetchall(self) -> Iterable[Sequence[Any]]: ...


class Connection(Protocol):
    """As much of aiosqlite's as is used."""

    async def execute(self, sql: str, parameters: Iterable[Any] = ..., /) -> Cursor: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def close(self) -> None: ...


def require_aiosqlite() -> None:
    """Say what to do where it is missing, and exit with 3."""
    if importlib.util.find_spec("aiosqlite") is None:
        print("error: aiosqlite is not installed; write `uv run --group bench python …` instead", file=sys.stderr)
        raise SystemExit(NO_AIOSQLITE)


def connect(path: Path) -> Awaitable[Connection]:
    """A connection as aiosqlite opens it."""
    made: Awaitable[Connection] = importlib.import_module("aiosqlite").connect(str(path))
    return made


@asynccontextmanager
async def filled(path: Path) -> AsyncGenerator[Connection]:
    """A database with rows to read, and the one connection to it."""
    connection = await connect(path)
    try:
        for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE, INDEX):
            await connection.execute(sql)
        for number in range(KEYS * ROWS_A_KEY):
            await connection.execute(INSERT, row(number))
        await connection.commit()
        yield connection
    finally:
        await connection.close()


class Present:
    """One lock, held over the whole of each method; a commit for each operation; one queue, one task at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, asyncio.Lock()

    async def insert(self, rows: Sequence[Row]) -> None:
        """Many."""
        for each in rows:
            async with self._lock:
                await self._connection.execute(INSERT, each)  # separate transaction
                await self._connection.commit()

    async def get(self, key: str) -> dict[str, object]:
        """Some."""
        async with self._lock:  # acquired for the entire method
            cursor = await self._connection.execute(SELECT, (key,))
            rows = await cursor.fetchall()
            return process(rows)  # inside the lock

    async def update(self, number: int) -> None:
        """One."""
        async with self._lock:
            await self._connection.execute(UPDATE, (row(number - 1)[1], number))
            await self._connection.commit()


class Proposal(Present):
    """The lock only around the fetch; bulk inserts in one transaction."""

    async def insert(self, rows: Sequence[Row]) -> None:
        """See Present."""
        async with self._lock:
            try:
                for each in rows:
                    await self._connection.execute(INSERT, each)
                await self._connection.commit()  # one commit
            except Exception:
                await self._connection.rollback()
                raise

    async def get(self, key: str) -> dict[str, object]:
        """See Present."""
        async with self._lock:
            cursor = await self._connection.execute(SELECT, (key,))
            rows = await cursor.fetchall()
        return process(rows)


class ReadWriteLock:
    """Word for word. No reader is ever counted out again, so after the first one no writer is let in."""

    def __init__(self) -> None:
        self._read_ready = asyncio.Condition(asyncio.Lock())
        self._readers = 0

    async def read_lock(self) -> None:
        """Count a reader in."""
        async with self._read_ready:
            self._readers += 1

    async def write_lock(self) -> None:
        """Wait until there are none."""
        async with self._read_ready:
            while self._readers > 0:
                await self._read_ready.wait()


class DatabaseConnectionPool:
    """Word for word, but that it counts what it opens. Whoever finds it empty opens one more, without any limit."""

    def __init__(self, db_path: Path, pool_size: int = 5) -> None:
        self.db_path = db_path
        self.pool_size = pool_size
        self._pool: asyncio.Queue[Connection] = asyncio.Queue(maxsize=pool_size)
        self._lock = asyncio.Lock()
        self.opened = 0

    async def get_connection(self) -> Connection:
        """One that was returned, or a new one."""
        if self._pool.empty():
            self.opened += 1
            return await connect(self.db_path)
        return await self._pool.get()

    async def return_connection(self, conn: Connection) -> None:
        """Keep so many, close the rest."""
        if self._pool.qsize() < self.pool_size:
            await self._pool.put(conn)
        else:
            await conn.close()

    async def get(self, key: str) -> dict[str, object]:
        """As the others' method of this name."""
        connection = await self.get_connection()
        cursor = await connection.execute(SELECT, (key,))
        rows = await cursor.fetchall()
        await self.return_connection(connection)
        return process(rows)

    async def close(self) -> None:
        """Close what it has kept; the document has no such method."""
        while not self._pool.empty():
            await (await self._pool.get()).close()


class SequentialQueueManager:
    """Nearly word for word: at most `size` tasks without Claude at once, those with it one after the other."""

    def __init__(self, size: int) -> None:
        self._parallel_semaphore, self._sequential_lock = asyncio.Semaphore(size), asyncio.Lock()

    async def create_task(self, seconds: float, *, requires_claude: bool) -> None:
        """Returns when it was run, so that only callers side by side get anything of it."""
        async with self._sequential_lock if requires_claude else self._parallel_semaphore:
            await asyncio.sleep(seconds)


# What is measured


async def inserted(side: Present, rows: Sequence[Row]) -> float:
    """Seconds for all of them."""
    began = time.perf_counter()
    await side.insert(rows)
    return time.perf_counter() - began


async def reads(side: Present, readers: int, seconds: float) -> float:
    """Reads a second by so many readers beside one writer."""
    until, done = time.perf_counter() + seconds, 0

    async def read(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            assert len(await side.get(f"key {(number + done) % KEYS}")) == ROWS_A_KEY
            done += 1

    async def write() -> None:
        number = 0
        while time.perf_counter() < until:
            number += 1
            await side.update(1 + number % KEYS)

    await asyncio.gather(write(), *(read(number) for number in range(readers)))
    return done / seconds


async def bursts(get: Callable[[str], Awaitable[dict[str, object]]], askers: int, times: int) -> float:
    """Seconds for so many bursts of so many askers at once, each of whom reads once."""
    began = time.perf_counter()
    for _ in range(times):
        for found in await asyncio.gather(*(get(f"key {asker % KEYS}") for asker in range(askers))):
            assert len(found) == ROWS_A_KEY
    return time.perf_counter() - began


async def one_by_one(without: int, with_claude: int) -> float:
    """Seconds of the present queue for so many tasks."""
    began = time.perf_counter()
    for seconds in (*[WITHOUT_CLAUDE] * without, *[WITH_CLAUDE] * with_claude):
        await asyncio.sleep(seconds)
    return time.perf_counter() - began


async def side_by_side(without: int, with_claude: int, size: int) -> float:
    """Seconds of the proposed one, all tasks created at once."""
    manager, began = SequentialQueueManager(size), time.perf_counter()
    await asyncio.gather(
        *(manager.create_task(WITHOUT_CLAUDE, requires_claude=False) for _ in range(without)),
        *(manager.create_task(WITH_CLAUDE, requires_claude=True) for _ in range(with_claude)),
    )
    return time.perf_counter() - began


async def writes_after_a_read(within: float) -> int:
    """How many writers the read-write lock lets in, in so many seconds, once there has been a reader: 0."""
    lock = ReadWriteLock()
    await lock.read_lock()
    try:
        await asyncio.wait_for(lock.write_lock(), within)
    except TimeoutError:
        return 0
    return 1
