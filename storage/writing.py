"""Writing: the one connection that does, batches, and the write-ahead log."""

import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import apsw

from messages.database import Many, Row, SqlValue, Statement
from messages.errors import TroupeError
from storage.connections import PASSING, WHOLE, Operations, fetch, named, typed

_log = logging.getLogger("troupe.database")
PATIENCE: Final = 5_000
"""Milliseconds that another program's lock is waited for."""
BRIEFLY: Final = 20
"""Milliseconds that a checkpoint waits for readers; meanwhile nothing is committed."""
STORABLE: Final = frozenset({int, float, str, bytes, bool, type(None)})
"""Types of values that SQLite holds as they are. Any other would be refused, but for what has a buffer: an np.int64
would be stored as a BLOB of 8 bytes."""
FAILED: Final = (apsw.Error, TypeError, OverflowError)
"""What a statement alone may raise, where it is none of WHOLE."""
SILENCE: Final[tuple[tuple[Row, ...], ...]] = ((),)
"""What a message of one statement returns that returns nothing."""
_KIND_AND_SQL: Final[Callable[[Statement | Many], tuple[type, str]]] = attrgetter("__class__", "sql")
Returned = tuple[tuple[Row, ...], ...]
"""What each statement of a message returned."""
_WRITES: Final = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_KIND: Final = re.compile(r"\b(INSERT|UPDATE|DELETE)\b(?: OR \w+)?(?: INTO| FROM)? (\w+)")


class StatementFailed(TroupeError):
    """SQLite refused this statement, and nothing of its message was kept."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a text of SQL is: for the metrics, whether it returns nothing, whether it is one statement, and both."""

    done: tuple[str, str, str]
    failed: tuple[str, str, str]
    silent: bool
    single: bool
    quick: bool


class _Undone(Exception):
    """A message has taken the whole transaction with it; None if it was one of several that ran at once."""

    def __init__(self, number: int, why: StatementFailed | None) -> None:
        self.number, self.why = number, why


class WriteConnection:
    """The one writing connection, opened and used in one thread.

    WAL and synchronous=FULL: what `commit` has returned survives a loss of power. Measured: with NORMAL 3,112 of
    47,195 acknowledged writes were lost in a power-loss model, with FULL none; group commit makes FULL affordable.
    """

    def __init__(self, path: Path, operations: Operations | None = None) -> None:
        self.path, self.operations = path, Operations() if operations is None else operations
        self._monotonic = time.monotonic  # for the metrics alone: nothing is decided by it
        self._kinds = dict[str, _Kind]()
        self.closed: Callable[[], None] = _nothing
        """Called when it is closed with an empty log."""
        with named(path):
            self.raw = apsw.Connection(str(path))
            self.raw.set_busy_timeout(PATIENCE)
            # Without recursive triggers REPLACE deletes a row unseen, of an append-only table too.
            for pragma in (
                "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0", "foreign_keys=ON",
                "recursive_triggers=ON",
            ):  # fmt: skip
                fetch(self.raw, f"PRAGMA {pragma}")
            # Triggers chain ledger and decisions with it; a program that lacks it cannot add to either.
            self.raw.create_scalar_function("chain_hash", _chain_hash, 2, deterministic=True)  # pyright: ignore
        self.raw.set_wal_hook(self._logged)
        self._cursor: Any = self.raw.cursor()  # one for all: a new one for each statement costs 0.6 µs
        self._execute: Callable[..., Any] = self._cursor.execute
        self._execute_many: Callable[..., Any] = self._cursor.executemany

    def commit(self, batch: Sequence[Sequence[Statement | Many]]) -> list[Returned | StatementFailed]:
        """Commit all messages of a batch in one transaction, each of them whole or not at all.

        For each message what its statements returned, or why it alone was left out. Raises DatabaseUnusable
        where the whole batch failed; nothing of it is kept then, and NotNow says that it may be tried again.
        """
        counted, began = Counter[tuple[str, str, str]](), self._monotonic()
        with named(self.path):
            # A lone statement needs no transaction around it.
            if len(batch) == 1 and len(batch[0]) == 1 and self._simple(batch[0][0]):
                results = [self._message(batch[0], counted)]
                self.operations.commits.add(self._monotonic() - began)
            else:
                results, counted = self._together(batch)
        self.operations.batches.add(self._monotonic() - began)
        self.operations.sizes.add(counted.total())
        for key, count in counted.items():
            self.operations[key] += count
        return results

    def _together(
        self, batch: Sequence[Sequence[Statement | Many]]
    ) -> tuple[list[Returned | StatementFailed], Counter[tuple[str, str, str]]]:
        refused = dict[int, StatementFailed | None]()
        while True:
            counted = Counter[tuple[str, str, str]]()
            self._execute("BEGIN IMMEDIATE")
            try:
                results = self._all(batch, refused, counted)
                began = self._monotonic()
                self._execute("COMMIT")
                self.operations.commits.add(self._monotonic() - began)
            except _Undone as undone:  # without that message, from the beginning
                refused[undone.number] = undone.why
                self._roll_back()
            except BaseException:
                self._roll_back()
                raise
            else:
                return results, counted

    def _roll_back(self) -> None:
        with suppress(apsw.Error):  # a full disk has done so by itself
            self._execute("ROLLBACK")

    def _all(
        self,
        batch: Sequence[Sequence[Statement | Many]],
        refused: dict[int, StatementFailed | None],
        counted: Counter[tuple[str, str, str]],
    ) -> list[Returned | StatementFailed]:
        results = list[Returned | StatementFailed]()
        apart = len(batch) if refused else 0  # up to here each is run by itself
        while (number := len(results)) < len(batch):
            message = batch[number]
            if (why := refused.get(number)) is not None:
                self._count(message, counted, failed=True)
                results.append(why)
            elif number >= apart and (alike := self._alike(batch, number)):
                if self._at_once(number, alike):
                    counted[self._kind(alike[0].sql).done] += len(alike)
                    results.extend([SILENCE] * len(alike))
                else:
                    apart = number + len(alike)
            else:
                results.append(self._in_savepoint(number, message, len(batch) == 1, counted))
        return results

    def _alike(self, batch: Sequence[Sequence[Statement | Many]], first: int) -> list[Statement]:
        """From this one on, the messages of one statement each, the same and returning nothing; [] if it is alone."""
        found = list[Statement]()
        if len(batch) - first < 2 or len(batch[first]) != 1 or not self._kind(sql := batch[first][0].sql).quick:
            return found
        for message in islice(batch, first, None):
            if len(message) != 1 or (each := message[0]).sql != sql or not isinstance(each, Statement):
                break
            found.append(each)
        return found if len(found) > 1 else []

    def _at_once(self, number: int, alike: Sequence[Statement]) -> bool:
        """Run them in one go, on trial: if one fails nothing has happened, and each is to be run alone."""
        values = [each.values for each in alike]
        self._execute("SAVEPOINT message")
        try:
            _require_storable(chain.from_iterable(values))
            self._execute_many(alike[0].sql, values)
        except WHOLE:
            raise
        except FAILED as error:
            if not self.raw.in_transaction:
                raise _Undone(number, None) from error
            self._execute("ROLLBACK TO message")
            self._execute("RELEASE message")
            return False
        self._execute("RELEASE message")
        return True

    def _in_savepoint(
        self, number: int, message: Sequence[Statement | Many], lone: bool, counted: Counter[tuple[str, str, str]]
    ) -> Returned | StatementFailed:
        # A lone message is undone with its transaction; a simple statement undoes itself.
        savepoint = not lone and not (len(message) == 1 and self._simple(message[0]))
        if savepoint:
            self._execute("SAVEPOINT message")
        result = self._message(message, counted)
        if isinstance(result, StatementFailed):
            if lone or not self.raw.in_transaction:
                raise _Undone(number, result)
            if savepoint:
                self._execute("ROLLBACK TO message")
        if savepoint:
            self._execute("RELEASE message")
        return result

    def _message(
        self, message: Sequence[Statement | Many], counted: Counter[tuple[str, str, str]]
    ) -> Returned | StatementFailed:
        try:
            returned = tuple(map(self._one, message)) if len(message) < 2 else self._several(message)
        except WHOLE:
            raise
        except FAILED as error:
            self._count(message, counted, failed=True)
            return StatementFailed(str(error))
        self._count(message, counted, failed=False)
        return returned

    def _one(self, statement: Statement | Many) -> tuple[Row, ...]:
        if isinstance(statement, Many):
            if self._kind(statement.sql).done[0] != "insert":  # there STRICT tables refuse it: 0.2 µs a row for nothing
                _require_storable(chain.from_iterable(statement.rows))
            self._execute_many(statement.sql, statement.rows)
            return ()
        _require_storable(statement.values)
        self._execute(statement.sql, statement.values)
        return () if self._kind(statement.sql).silent else tuple(self._cursor.fetchall())

    def _several(self, message: Sequence[Statement | Many]) -> Returned:
        """Runs of the same SQL at once."""
        returned = list[tuple[Row, ...]]()
        for (kind, sql), run in groupby(message, _KIND_AND_SQL):
            if kind is Statement and self._kind(sql).silent:  # an unread RETURNING would end after the first row
                values = [each.values for each in run if isinstance(each, Statement)]
                _require_storable(chain.from_iterable(values))
                self._execute_many(sql, values)
                returned.extend([()] * len(values))
            else:
                returned.extend(map(self._one, run))
        return tuple(returned)

    def _count(
        self, message: Sequence[Statement | Many], counted: Counter[tuple[str, str, str]], *, failed: bool
    ) -> None:
        for each in message:
            kind = self._kind(each.sql)
            counted[kind.failed if failed else kind.done] += len(each.rows) if isinstance(each, Many) else 1

    def _simple(self, statement: Statement | Many) -> bool:
        """Whether SQLite itself makes it whole or nothing."""
        return isinstance(statement, Statement) and self._kind(statement.sql).single

    def _kind(self, sql: str) -> _Kind:
        if (kind := self._kinds.get(sql)) is None:
            found = _KIND.search(sql)
            operation, table = (str(found[1]).lower(), str(found[2])) if found else ("other", "none")
            silent = bool(_WRITES.match(sql)) and "RETURNING" not in sql.upper()
            single = ";" not in sql.rstrip("; \n")
            kind = _Kind((operation, table, "done"), (operation, table, "failed"), silent, single, silent and single)
            self._kinds[sql] = kind
        return kind

    def probe(self) -> None:
        """See whether anything can be committed: one page that stays as it is. Raises DatabaseUnusable."""
        with named(self.path):
            ((version,),) = typed(tuple[int], fetch(self.raw, "PRAGMA user_version"))
            fetch(self.raw, f"PRAGMA user_version = {version}")

    # The write-ahead log

    def _logged(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.operations.log_pages = pages
        return apsw.SQLITE_OK

    def checkpoint(self, mode: int = apsw.SQLITE_CHECKPOINT_PASSIVE) -> bool:
        """Bring the log into the file as far as readers allow; whether all of it was. Raises DatabaseUnusable."""
        with named(self.path):
            self.raw.set_busy_timeout(BRIEFLY)
            try:
                self.operations.log_pages, moved = self.raw.wal_checkpoint(mode=mode)
            except apsw.BusyError:  # somebody reads what it would do away with
                return False
            finally:
                self.raw.set_busy_timeout(PATIENCE)
        return moved == self.operations.log_pages

    def restart_log(self) -> bool:
        """Have the next commit begin the log anew; whether that was possible."""
        return self.checkpoint(apsw.SQLITE_CHECKPOINT_RESTART)

    def cut_log(self) -> bool:
        """Give the log's disk space back, which makes later commits dearer; whether that was possible."""
        return self.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def log_bytes(self) -> int:
        """What the log takes on disk; it does not shrink when it begins anew."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Bring the write-ahead log into the file, and close. What cannot be brought there stays in the log."""
        try:
            fetch(self.raw, "PRAGMA wal_checkpoint(TRUNCATE)")
            self.closed()
        except PASSING:
            _log.warning("the log could not be brought into the file; the next start reads it", exc_info=True)
        finally:
            self.raw.close()


def chain_hash(previous: bytes, text: bytes) -> bytes:
    """A link of the hash chain: SHA-256 over the link before and the row's text."""
    return hashlib.sha256(previous + text).digest()


def _chain_hash(*values: SqlValue) -> bytes:
    """The same, as SQL calls it."""
    previous, text = values
    if not isinstance(previous, bytes) or not isinstance(text, bytes):
        raise TypeError(f"chain_hash of {values!r}: both are BLOBs, or else what is chained is not there")
    return chain_hash(previous, text)


def _require_storable(values: Iterable[object]) -> None:
    """Raise TypeError for what is none of the types that can be stored, nor of a subclass."""
    kinds: set[type[object]] = set(map(type, values))
    if not STORABLE.issuperset(kinds):
        for kind in kinds:
            if not issubclass(kind, (int, float, str, bytes, type(None))):
                name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
                raise TypeError(f"a value is a {name}, which cannot be stored; make it int, float, str, bytes or None")


def _nothing() -> None:
    """Nobody wants to know."""
