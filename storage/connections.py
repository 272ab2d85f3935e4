"""Connections to the database: the one that writes, and one for each thread that reads."""

import re
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from messages.database import Row, SqlValue, Statement
from messages.errors import TroupeError

R = TypeVar("R", bound=tuple[Any, ...])
WHOLE: Final = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
)
"""Errors that say nothing about the statement and all about the file, so that no later one can be trusted."""


class DatabaseUnusable(TroupeError):
    """The file cannot be opened, read or written."""


class StatementFailed(TroupeError):
    """SQLite refused this statement, and nothing of its message was kept."""


def typed(kind: type[R], rows: Sequence[Row]) -> list[R]:
    """The rows, known to be tuples of this type, such as tuple[int, str | None]; what differs is a bug and raises."""
    return msgspec.convert(rows, list[kind], builtin_types=(bytes,))  # type: ignore[valid-type]


def fetch(connection: apsw.Connection, sql: str, values: Sequence[SqlValue] = ()) -> list[Row]:
    """Run it and return all rows. Here apsw's own types end, which are unknown in part."""
    return connection.execute(sql, values).fetchall()  # pyright: ignore


_KIND: Final = re.compile(r"\b(INSERT|UPDATE|DELETE)\b(?: OR \w+)?(?: INTO| FROM)? (\w+)")
Operations = Counter[tuple[str, str, str]]
"""How many statements there were by operation, table and outcome (done, failed); written by the writer's thread."""


@contextmanager
def named(path: Path) -> Generator[None]:
    """Say which file it is that SQLite complains about."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DatabaseUnusable(
            f"database {path}: damaged ({error}); put a backup in its place or start in a new home"
        ) from error
    except WHOLE as error:
        raise DatabaseUnusable(f"database {path}: {error}; look at its disk and its permissions") from error


Returned = tuple[tuple[Row, ...], ...]
"""What each statement of a message returned."""


class WriteConnection:
    """The one writing connection, opened and used in one thread.

    WAL and synchronous=FULL: what `commit` has returned survives a loss of power. Measured: with NORMAL 3,112 of
    47,195 acknowledged writes were lost in a power-loss model, with FULL none; group commit makes FULL affordable.
    """

    def __init__(self, path: Path, operations: Operations | None = None) -> None:
        self.path, self._operations = path, Operations() if operations is None else operations
        self._kinds = dict[str, tuple[str, str]]()
        with named(path):
            self.raw = apsw.Connection(str(path))
            self.raw.set_busy_timeout(5_000)
            # Without recursive triggers REPLACE deletes a row unseen, of an append-only table too.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
                fetch(self.raw, f"PRAGMA {pragma}")

    def commit(self, batch: Sequence[Sequence[Statement]]) -> list[Returned | StatementFailed]:
        """Commit all messages of a batch in one transaction, each of them whole or not at all.

        For each message what its statements returned, or why it alone was left out. Raises DatabaseUnusable
        where the whole batch failed; nothing of it is kept then.
        """
        with named(self.path):
            alone = len(batch) == 1 and len(batch[0]) == 1
            results = [self._run(batch[0])] if alone else self._run_together(batch)
        for message, result in zip(batch, results, strict=True):
            outcome = "failed" if isinstance(result, StatementFailed) else "done"
            for statement in message:
                self._operations[*self._kind(statement.sql), outcome] += 1
        return results

    def _run_together(self, batch: Sequence[Sequence[Statement]]) -> list[Returned | StatementFailed]:
        fetch(self.raw, "BEGIN IMMEDIATE")
        try:
            results = [self._run(message, savepoint=len(message) > 1) for message in batch]
            fetch(self.raw, "COMMIT")
        except BaseException:
            with suppress(apsw.Error):
                fetch(self.raw, "ROLLBACK")
            raise
        return results

    def _run(self, message: Sequence[Statement], *, savepoint: bool = False) -> Returned | StatementFailed:
        if savepoint:
            fetch(self.raw, "SAVEPOINT message")
        try:
            rows = tuple(tuple(fetch(self.raw, statement.sql, statement.values)) for statement in message)
        except WHOLE:
            raise
        except (apsw.Error, TypeError, OverflowError) as error:
            if savepoint:
                fetch(self.raw, "ROLLBACK TO message")
                fetch(self.raw, "RELEASE message")
            return StatementFailed(str(error))
        if savepoint:
            fetch(self.raw, "RELEASE message")
        return rows

    def _kind(self, sql: str) -> tuple[str, str]:
        """Operation and table of a statement, for the metrics."""
        if (kind := self._kinds.get(sql)) is None:
            found = _KIND.search(sql)
            kind = (found[1].lower(), found[2]) if found else ("other", "none")
            self._kinds[sql] = kind
        return kind

    def close(self) -> None:
        """Bring the write-ahead log into the file, and close."""
        fetch(self.raw, "PRAGMA wal_checkpoint(TRUNCATE)")
        self.raw.close()


class Reader:
    """Reads on a read-only connection of the calling thread's own, so that nobody waits for anybody.

    Measured beside a busy writer: 30 to 76 times one locked connection; opening one for each read costs 94 µs.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._local = path, threading.local()

    def rows(self, kind: type[R], sql: str, *values: SqlValue) -> list[R]:
        """All rows at once, as tuples of this type: a cursor left open would hold its snapshot.

        Raises DatabaseUnusable.
        """
        with named(self.path):
            return typed(kind, fetch(self._connection(), sql, values))

    def damage(self) -> str | None:
        """What is wrong with the file, None if nothing; 0.1 s for 64 MB. Raises DatabaseUnusable."""
        said = self.rows(tuple[str], "PRAGMA quick_check(1)")[0][0]
        return None if said == "ok" else said.splitlines()[-1]  # the first line says that it is about database main

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(5_000)
            for pragma in ("query_only=ON", "mmap_size=268435456"):
                fetch(connection, f"PRAGMA {pragma}")
            self._local.connection = connection
        return connection
