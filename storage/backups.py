"""Copies of the database: made beside its writer, verified, so many kept; and one of them put in its place."""

import datetime as dt
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import apsw

from messages.errors import TroupeError
from storage import audit
from storage.connections import WHOLE, DatabaseUnusable, Reader, fetch, named
from storage.home import Home
from storage.migrations import APPLICATION_ID, SchemaTooNew, WrongHome, fixed_in, known, newest

STEP: Final = 1_024
"""Pages that are copied and synced at once, 4 MB: little enough not to keep the disk from the writer."""


class NotABackup(TroupeError):
    """What was copied cannot be relied on."""


def name_at(utc: int) -> str:
    """The name of a backup made at this time, in microseconds."""
    return f"desk-{_stamp(utc)}.sqlite3"


def back_up(
    database: Path,
    name: str,
    keep: int,
    progress: Callable[[float], None] = lambda share: None,
    given_up: Callable[[], bool] = lambda: False,
) -> Path:
    """Copy the database beside its writer, verify the copy, and keep the newest so many; where it is then.

    Raises DatabaseUnusable, NotABackup, also where it is `given_up` meanwhile; then nothing has that name. `progress`
    hears the share that is copied, 0 to 1.
    """
    place = database.parent / "backups"
    with _writing_in(place):
        place.mkdir(mode=0o700, exist_ok=True)
        part, target = part_of(place / name), place / name
        if target.exists():  # the task that made it is in it, not done yet, and runs again when it was restored
            return target
        for left in place.glob("desk-*.part"):
            left.unlink()
        try:
            copy(database, part, progress, given_up)
            verify(part)
            if given_up():
                raise NotABackup(f"{target}: nobody waits for this copy any more")
            _rename(part, target)
        except BaseException:
            part.unlink(missing_ok=True)  # on a full disk it would keep the desk from going on
            raise
        for old in sorted(place.glob("desk-*.sqlite3"))[:-keep]:
            if old != target:
                old.unlink()
    return target


def part_of(target: Path) -> Path:
    """What a backup is called before it is whole."""
    return target.with_name(f"{target.name}.part")


def restore(home: Home, file: Path, fixed: Mapping[str, str], utc: int) -> Path | None:
    """Put a verified copy of this file in the place of the home's database, which is ours; where that is kept.

    Killed at any point the home has the one or the other, whole. One that is damaged lacks its log for a moment: both
    are kept under the other name by then, and a desk that is started says that the log is missing. Raises
    DatabaseUnusable, NotABackup, SchemaTooNew, WrongHome; then the home is as before. `fixed` is what may never change
    within one home.
    """
    if not file.is_file():
        raise NotABackup(f"{file}: there is no such file; `run.py backup` makes them, under {home.backups}")
    with _writing_in(home.path):
        part = home.database.with_name(f"{home.database.name}.restoring")
        part.unlink(missing_ok=True)
        try:
            copy(file, part)
            verify(part, file)
            _agree(part, file, fixed)
            kept = _set_aside(home, utc) if home.holds_a_desk() else None
            _rename(part, home.database)
            home.note(opened=False)  # what the last desk has left open is set aside
        finally:
            part.unlink(missing_ok=True)
    return kept


def copy(
    source: Path,
    target: Path,
    progress: Callable[[float], None] = lambda share: None,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Copy a database as it is at this moment, its log included, into one file that needs none.

    Its reader holds one state, so that what is committed meanwhile neither gets in nor makes it begin again. It is no
    Reader's: a copy of a large file may last longer than a read, and the log grows for so long.
    """
    with named(source), closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)) as read:
        read.set_busy_timeout(5_000)
        fetch(read, "BEGIN")
        fetch(read, "SELECT count(*) FROM sqlite_schema")
        with named(target), closing(apsw.Connection(str(target))) as written, target.open("rb") as file:
            fetch(written, "PRAGMA synchronous = OFF")
            with written.backup("main", read, "main") as backup:
                while not backup.done:
                    if given_up():
                        raise NotABackup(f"{target}: nobody waits for this copy any more")
                    backup.step(STEP)
                    progress(1 - backup.remaining / max(1, backup.page_count))
                    os.fsync(file.fileno())  # now and not all at the end, when the writer would wait for it
            fetch(written, "PRAGMA journal_mode = DELETE")
            os.fsync(file.fileno())


def verify(path: Path, named_as: Path | None = None) -> None:
    """See that it is a desk's, no newer than this release, whole, and that its books balance. Raises if not."""
    name = named_as or path
    with closing(Reader(path, oldest=float("inf"))) as read:
        try:
            if read.rows(tuple[int], "PRAGMA application_id") != [(APPLICATION_ID,)]:
                raise NotABackup(f"{name}: is not a desk's database; choose another file")
            ((version,),) = read.rows(tuple[int], "PRAGMA user_version")
            if version > newest(known()):
                raise SchemaTooNew(
                    f"{name}: has schema {version}, this release knows {newest(known())}; run the newer release"
                )
            if (found := read.rows(tuple[str], "PRAGMA integrity_check(1)")) != [("ok",)]:
                raise NotABackup(f"{name}: is damaged ({found[0][0].splitlines()[-1]}); choose another backup")
            if (fault := audit.books(read)) is not None:
                raise NotABackup(f"{name}: its books are not whole ({fault}); choose another")
        except DatabaseUnusable as error:
            raise NotABackup(f"{name}: cannot be read as a database ({error.__cause__}); choose another") from error


def _agree(part: Path, file: Path, fixed: Mapping[str, str]) -> None:
    with closing(Reader(part)) as read:
        have = fixed_in(read)
    for name, value in fixed.items():
        if have.get(name, value) != value:
            raise WrongHome(
                f"{file}: was begun with {name} = {have[name]}, the settings here say {value}; "
                "choose another backup, or another home with --home"
            )


def _set_aside(home: Home, utc: int) -> Path:
    """Keep the database that is about to be replaced under another name, too, with nothing left in its log."""
    database, kept = home.database, home.path / f"replaced-{_stamp(utc)}.sqlite3"
    kept.unlink(missing_ok=True)
    log, index = (database.with_name(f"{database.name}-{end}") for end in ("wal", "shm"))
    try:
        with closing(apsw.Connection(str(database))) as connection:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # or else closing takes a damaged one's log
            fetch(connection, "SELECT count(*) FROM sqlite_schema")  # before a first read it knows of no log
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if log.exists() and log.stat().st_size:
                raise DatabaseUnusable(
                    f"database {database}: its log cannot be brought into it; run the desk once before"
                )
            home.note(opened=False)  # all is in the file, so that nobody misses the log when it goes now
    except apsw.BusyError as error:
        raise DatabaseUnusable(f"database {database}: somebody reads it; try again when they have ended") from error
    except WHOLE:  # it is damaged, which may be why it is replaced: its log is kept as it is
        if log.exists():
            home.note(opened=True)  # between here and the rename it has no log, and is not to be taken for whole
            (kept_log := kept.with_name(f"{kept.name}-wal")).unlink(missing_ok=True)
            os.link(log, kept_log)
    os.link(database, kept)
    _sync(home.path)
    log.unlink(missing_ok=True)  # before the rename, or else it would be taken for the new one's
    index.unlink(missing_ok=True)
    return kept


def _rename(part: Path, target: Path) -> None:
    part.replace(target)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    """Have its entries on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing_in(place: Path) -> Generator[None]:
    """Say where it was that the operating system refused."""
    try:
        yield
    except OSError as error:
        raise NotABackup(f"{error.filename or place}: {error.strerror}; look at its disk") from error


def _stamp(utc: int) -> str:
    return dt.datetime.fromtimestamp(utc // 1_000_000, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
