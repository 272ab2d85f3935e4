"""Reading: a small pool of read-only connections, snapshots and typed rows; and what writing shares with it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from types import UnionType
from typing import Any, Final, TypeVar, get_args

import apsw
import msgspec

from messages.database import Row, SqlValue
from messages.errors import TroupeError
from storage.tally import SECONDS, SIZES, Tally

R = TypeVar("R", bound=tuple[Any, ...])
PASSING: Final = (apsw.BusyError, apsw.CantOpenError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
"""Errors that say nothing about the statement and all about the disk; the same may work later."""
WHOLE: Final = (*PASSING, apsw.CorruptError, apsw.NoMemError, apsw.NotADBError)
"""These and those after which no later statement can be trusted."""
POOL: Final = 8
"""Connections that are kept though nobody reads; more are opened while more threads read."""
OLDEST: Final = 60.0
"""Seconds after which a read or a snapshot is ended: while it lasts the write-ahead log only grows."""
TURN: Final = 5e-3
"""Seconds a read waits for the one before it. SQLite gives up the interpreter's lock at each row, so four threads that
read 500 rows each do so 1.5 to 2 times as fast one after the other as side by side; a slow one holds up others by no
more than this."""
FRAME: Final = 4_096 + 24
"""Bytes of a page of the log with what stands before it; SQLite's file format, 4.1."""
LOOK: Final = 1_000_000
"""Steps of SQLite's machine between two looks at the clock, some 10 ms."""


class DatabaseUnusable(TroupeError):
    """The file cannot be opened, read or written."""


class NotNow(DatabaseUnusable):
    """Nor can it be at the moment: a full disk, an I/O error, another program's lock. Nothing of it was kept."""


class ReadTooOld(DatabaseUnusable):
    """A read or a snapshot was ended because it took too long."""


def typed(kind: type[R], rows: Sequence[Row]) -> list[R]:
    """The rows, known to be tuples of this type, such as tuple[int, str | None]; what differs is a bug and raises.

    Looked at by columns, since msgspec takes 10 µs before the first row; what does not fit exactly, msgspec converts,
    such as an integer that is to be a float, or refuses.
    """
    wanted, columns = _types(kind), list(zip(*rows, strict=True))
    if not columns or (len(columns) == len(wanted) and all(map(_holds, wanted, columns))):
        return list(rows)  # type: ignore[arg-type]  # it is what was looked at
    return msgspec.convert(rows, list[kind], builtin_types=(bytes,))  # type: ignore[valid-type]


@cache
def _types(kind: type[tuple[Any, ...]]) -> list[frozenset[Any]]:
    """The types that a value of each column may have."""
    return [frozenset(get_args(each) if isinstance(each, UnionType) else (each,)) for each in get_args(kind)]


def _holds(allowed: frozenset[type], column: Sequence[SqlValue]) -> bool:
    return allowed.issuperset(map(type, column))


def fetch(connection: apsw.Connection, sql: str, values: Sequence[SqlValue] = ()) -> list[Row]:
    """Run it and return all rows. Here apsw's own types end, which are unknown in part."""
    return connection.execute(sql, values).fetchall()  # pyright: ignore


class Operations(Counter[tuple[str, str, str]]):
    """How many statements there were by operation, table and outcome (done, failed), and how the writer is.

    Written by the writer's thread, and read by others who may be one behind. `held` says why nothing is committed at
    the moment, if so; `log_pages` is the length of the write-ahead log, in pages of 4 kB. `batches` is how long
    transactions took, `commits` the part of that which brought them to disk, `sizes` how many statements they had.
    """

    held: str | None = None
    log_pages: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.batches, self.commits, self.sizes = Tally(SECONDS), Tally(SECONDS), Tally(SIZES)

    @property
    def log_bytes(self) -> int:
        """What the log's pages come to; on disk it may be longer, since it does not shrink when it begins anew."""
        return self.log_pages * FRAME


@contextmanager
def named(path: Path) -> Generator[None]:
    """Say which file it is that SQLite complains about."""
    try:
        yield
    except WHOLE as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: apsw.Error) -> DatabaseUnusable:
    """What to raise for one of the errors that concern the whole file."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return DatabaseUnusable(f"database {path}: damaged ({error}); put a backup in its place or start in a new home")
    kind = NotNow if isinstance(error, PASSING) else DatabaseUnusable
    return kind(f"database {path}: {error}; look at its disk and its permissions")


INFINITE: Final = float("inf")


class _Line:
    """A connection, and since when somebody reads on it.

    In `quiet` is a token while a snapshot is held in which nothing is read; whoever has taken it, to read, to let go or
    to end what is too old, is alone with the connection.
    """

    __slots__ = ("_monotonic", "_oldest", "began", "execute", "quiet", "raw", "took")

    took: Tally
    """How long its reads took."""

    def __init__(self, path: Path, monotonic: Callable[[], float], oldest: float) -> None:
        self._monotonic, self._oldest, self.began, self.quiet = monotonic, oldest, INFINITE, SimpleQueue[bool]()
        self.raw = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self.raw.set_busy_timeout(5_000)
        for pragma in ("query_only=ON", "mmap_size=268435456"):
            fetch(self.raw, f"PRAGMA {pragma}")
        self.raw.set_progress_handler(self.too_old, LOOK)
        self.execute: Callable[..., Any] = self.raw.cursor().execute  # pyright: ignore

    def age(self) -> float:
        """Seconds since the read began, below zero if there is none."""
        return self._monotonic() - self.began

    def too_old(self) -> bool:
        """Whether it is to be ended."""
        return self.age() > self._oldest

    def end(self) -> None:
        """End the snapshot, if there is one."""
        with suppress(apsw.Error):  # whose snapshot cannot be ended is closed when it is given back
            if self.raw.in_transaction:
                fetch(self.raw, "ROLLBACK")


class Reader:
    """Reads on read-only connections that whoever reads borrows, so that nobody waits long for anybody.

    A connection goes back when the rows are there, so a server's many threads need few. Opening one for each read
    costs 94 µs, borrowing one 0.5 µs. Reads take turns, see TURN; a snapshot and what is read in it does not.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic, oldest: float = OLDEST) -> None:
        self.path, self._monotonic, self._oldest = path, monotonic, oldest
        self._idle, self._lines = deque[_Line](), dict[_Line, None]()  # what deque and dict do here is one step each
        self.took, self._unused = deque[Tally](), deque[Tally]()
        """How long reads took, by connection; that of one that was closed goes to the next."""
        self._turn = SimpleQueue[bool]()
        self._turn.put(True)

    def rows(self, kind: type[R], sql: str, *values: SqlValue) -> list[R]:
        """All rows at once, as tuples of this type: a cursor left open would hold its snapshot.

        Raises DatabaseUnusable, ReadTooOld.
        """
        turn = self._wait_for_turn()
        try:
            line = self._borrow()
            try:
                found = self.fetched(line, sql, values)
            finally:
                self._give_back(line)
        finally:
            if turn:
                self._turn.put(turn)
        return typed(kind, found)

    @contextmanager
    def snapshot(self) -> "Generator[Reader]":
        """A reader of the database as it is at its first read, whatever is committed meanwhile.

        Short, and not handed to another thread: while it lasts the write-ahead log only grows.
        """
        line = self._borrow()
        try:
            with named(self.path):
                fetch(line.raw, "BEGIN")
            line.quiet.put(True)
            try:
                yield _Snapshot(self, line)
            finally:
                line.quiet.get()  # whoever was ending it has done so by then, and will not end the next one
                line.end()
        finally:
            self._give_back(line)

    def damage(self) -> str | None:
        """What is wrong with the file, None if nothing; 0.1 s for 64 MB. Raises DatabaseUnusable."""
        said = self.rows(tuple[str], "PRAGMA quick_check(1)")[0][0]
        return None if said == "ok" else said.splitlines()[-1]  # the first line says that it is about database main

    def oldest(self) -> float:
        """How many seconds the oldest read or snapshot under way has lasted, 0 if there is none."""
        return max([0.0, *(line.age() for line in list(self._lines))])

    def end_old_snapshots(self) -> None:
        """End snapshots that are too old though nothing is read in them; a read that runs ends itself."""
        for line in list(self._lines):
            with suppress(Empty):
                token = line.quiet.get_nowait()
                try:
                    if line.too_old():
                        line.end()
                finally:
                    line.quiet.put(token)

    def close(self) -> None:
        """Close what nobody reads on."""
        while self._idle:
            self._drop(self._idle.pop())

    def fetched(self, line: _Line, sql: str, values: Sequence[SqlValue]) -> list[Row]:
        """For a snapshot of this reader, too. Raises DatabaseUnusable, ReadTooOld."""
        began = self._monotonic()
        try:
            found: list[Row] = line.execute(sql, values).fetchall()
            line.took.add(self._monotonic() - began)
            return found
        except apsw.InterruptError as error:
            raise self.too_old() from error
        except WHOLE as error:
            raise unusable(self.path, error) from error

    def too_old(self) -> ReadTooOld:
        """What to raise where a read was ended."""
        return ReadTooOld(
            f"database {self.path}: a read was ended after {self._oldest:.0f} s, since the log grows while it lasts; "
            "ask for less at once"
        )

    def _wait_for_turn(self) -> bool:
        """Whether it is this thread's: then it is to be given back. If not, the one before takes too long."""
        try:
            return self._turn.get(timeout=TURN)
        except Empty:
            return False

    def _borrow(self) -> _Line:
        try:
            line = self._idle.pop()
        except IndexError:
            with named(self.path):
                line = _Line(self.path, self._monotonic, self._oldest)
            line.took, self._lines[line] = self._tally(), None
        line.began = self._monotonic()
        return line

    def _give_back(self, line: _Line) -> None:
        line.began = INFINITE
        if (
            len(self._idle) < POOL and not line.raw.in_transaction
        ):  # of several at once each may see room: a few more do no harm
            self._idle.append(line)
        else:
            self._drop(line)

    def _tally(self) -> Tally:
        try:
            return self._unused.pop()
        except IndexError:
            self.took.append(made := Tally(SECONDS))
            return made

    def _drop(self, line: _Line) -> None:
        self._lines.pop(line, None)
        self._unused.append(line.took)
        line.raw.close()


class _Snapshot(Reader):
    """Reads of one state, on a connection that stays borrowed."""

    def __init__(self, of: Reader, line: _Line) -> None:
        self.path, self._of, self._line = of.path, of, line

    def rows(self, kind: type[R], sql: str, *values: SqlValue) -> list[R]:
        """See Reader."""
        try:
            token = self._line.quiet.get_nowait()
        except Empty:  # it is being ended, or over
            raise self._of.too_old() from None
        try:
            if not self._line.raw.in_transaction:  # it was ended before: this would be another state
                raise self._of.too_old()
            found = self._of.fetched(self._line, sql, values)
        finally:
            self._line.quiet.put(token)
        return typed(kind, found)

    @contextmanager
    def snapshot(self) -> Generator[Reader]:
        """It is one."""
        yield self
