"""Numbered steps from one schema to the next: each whole or not at all, with a copy of the file before."""

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import apsw

from messages.errors import TroupeError
from storage.connections import DatabaseUnusable, Operations, Reader, fetch, named, typed
from storage.home import Home
from storage.writing import WriteConnection

APPLICATION_ID: Final = 0x54524F55
"""«TROU»: what says that a SQLite file is a desk's."""
CHECKED_BELOW: Final = 64 << 20
"""Bytes up to which the whole file is checked at start; that is 0.1 s. Larger ones are for `doctor`."""


class SchemaTooNew(TroupeError):
    """The file was written by a later release."""


class NoDesk(TroupeError):
    """There is nothing to read yet."""


class LogMissing(TroupeError):
    """The write-ahead log was taken away from a database that was not closed."""


class WrongHome(TroupeError):
    """The home was begun with other settings than those that cannot change."""


@dataclass(frozen=True, slots=True)
class Migration:
    """The step that leads to schema `number`."""

    number: int
    name: str
    sql: str


def known() -> tuple[Migration, ...]:
    """All steps, in order."""
    files = sorted(Path(__file__).parent.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple(Migration(int(file.name[:4]), file.stem, file.read_text("utf-8")) for file in files)


def newest(steps: Sequence[Migration]) -> int:
    """The schema that they lead to."""
    return steps[-1].number


def open_for_writing(
    home: Home,
    fixed: dict[str, str],
    utc: int,
    operations: Operations | None = None,
    steps: Sequence[Migration] | None = None,
) -> WriteConnection:
    """Open the database at its newest schema.

    `fixed` is what may never change within one home (price_source, currency); `utc`, in microseconds, names a
    backup. Raises DatabaseUnusable, SchemaTooNew, WrongHome.
    """
    steps = known() if steps is None else steps
    require_log(home)
    connection = WriteConnection(home.database, operations)
    try:
        with named(home.database):
            _check(connection)
            _migrate(connection, home, utc, steps)
            _agree(connection, home, fixed)
            home.note(opened=True)
            connection.closed = partial(home.note, opened=False)
    except BaseException:
        connection.raw.close()
        if not _log_of(home).exists():  # it is in the file now, and not missing at the next start
            home.note(opened=False)
        raise
    return connection


def open_for_reading(home: Home) -> tuple[Reader, dict[str, str]]:
    """A reader of a desk that exists, and what is fixed in its home. Raises NoDesk, DatabaseUnusable, SchemaTooNew."""
    if not home.holds_a_desk():
        raise NoDesk(f"home {home.path}: no desk has run here yet; begin with `run.py once`, or name it with --home")
    require_log(home)
    read = Reader(home.database)
    have, wanted = read.rows(tuple[int], "PRAGMA user_version")[0][0], newest(known())
    if have > wanted:
        raise _too_new(home, have, wanted)
    if have < wanted:
        raise NoDesk(
            f"home {home.path}: has schema {have} of {wanted}; run `run.py once` or `run.py serve` to migrate it"
        )
    return read, fixed_in(read)


def require_log(home: Home) -> None:
    """Raise LogMissing where a desk was killed and the log that it must have left is gone."""
    log = _log_of(home)
    if home.left_open() and home.holds_a_desk() and not log.exists() and _keeps_a_log(home):
        raise LogMissing(
            f"database {home.database}: its log {log.name} is missing, and with it what was committed last, unless a "
            "program such as sqlite3 has opened the file since and brought it in; put it back, or `run.py restore` a "
            f"backup, or remove {home.path / 'lock'} to go on with what there is"
        )


def _log_of(home: Home) -> Path:
    return home.database.with_name(f"{home.database.name}-wal")


def _keeps_a_log(home: Home) -> bool:
    """Whether a desk has ever written in it, unlike in a copy that was just restored; SQLite's file format, 1.3.3."""
    try:
        with home.database.open("rb") as file:
            return file.read(20)[18:] != b"\x01\x01"
    except OSError as error:
        raise home.unusable(error) from error


def fixed_in(read: Reader) -> dict[str, str]:
    """What is fixed in a home, by its database."""
    return dict(read.rows(tuple[str, str], "SELECT name, value FROM home"))


def _too_new(home: Home, have: int, newest: int) -> SchemaTooNew:
    return SchemaTooNew(
        f"database {home.database}: has schema {have}, this release knows {newest}; run the newer release"
    )


def _check(connection: WriteConnection) -> None:
    marked = _number(connection, "application_id")
    if marked not in (0, APPLICATION_ID) or (marked == 0 and _number(connection, "schema_version") != 0):
        raise DatabaseUnusable(f"database {connection.path}: is not a desk's; choose another home with --home")
    if connection.path.stat().st_size < CHECKED_BELOW:
        found = fetch(connection.raw, "PRAGMA quick_check(1)")
        if found != [("ok",)]:
            what = str(found[0][0]).splitlines()[-1]  # the first line says that it is about database main
            raise DatabaseUnusable(
                f"database {connection.path}: damaged ({what}); put a backup in its place or start in a new home"
            )


def _migrate(connection: WriteConnection, home: Home, utc: int, steps: Sequence[Migration]) -> None:
    raw = connection.raw
    have, wanted = _number(connection, "user_version"), newest(steps)
    if have > wanted:
        raise _too_new(home, have, wanted)
    if have == wanted:
        return
    if have:
        _back_up(raw, home, have, utc)
    for step in steps:
        if step.number <= have:
            continue
        fetch(raw, "BEGIN IMMEDIATE")
        try:
            fetch(raw, step.sql)
            fetch(raw, f"PRAGMA user_version = {step.number}")
            fetch(raw, f"PRAGMA application_id = {APPLICATION_ID}")
            fetch(raw, "COMMIT")
        except BaseException:
            with suppress(apsw.Error):  # a full disk has rolled back by itself
                fetch(raw, "ROLLBACK")
            raise


def _back_up(raw: apsw.Connection, home: Home, have: int, utc: int) -> None:
    home.backups.mkdir(mode=0o700, exist_ok=True)
    stamp = dt.datetime.fromtimestamp(utc // 1_000_000, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = apsw.Connection(str(home.backups / f"schema-{have}-{stamp}.sqlite3"))
    try:
        with copy.backup("main", raw, "main") as backup:
            while not backup.done:
                backup.step(1_000)
    finally:
        copy.close()


def _number(connection: WriteConnection, pragma: str) -> int:
    return typed(tuple[int], fetch(connection.raw, f"PRAGMA {pragma}"))[0][0]


def _agree(connection: WriteConnection, home: Home, fixed: dict[str, str]) -> None:
    raw = connection.raw
    have = dict(typed(tuple[str, str], fetch(raw, "SELECT name, value FROM home")))
    for name, value in fixed.items():
        if have.setdefault(name, value) != value:
            raise WrongHome(
                f"home {home.path}: was begun with {name} = {have[name]}, the settings now say {value}; "
                f"set it back or choose another home with --home"
            )
    fetch(raw, "BEGIN IMMEDIATE")
    for entry in fixed.items():
        fetch(raw, "INSERT OR IGNORE INTO home (name, value) VALUES (?, ?)", entry)
    fetch(raw, "COMMIT")
