"""Backups: made beside the writer, verified, and put back whole or not at all."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import pytest

from messages.database import Statement
from messages.trading import Holding
from messages.values import CorrelationId, Symbol
from storage import backups, ledger
from storage.backups import NotABackup, back_up, restore
from storage.connections import DatabaseUnusable, Reader, fetch
from storage.home import Home
from storage.migrations import LogMissing, SchemaTooNew, WrongHome, known, newest, open_for_writing
from storage.writing import WriteConnection
from tests.storage.conftest import FIXED

APRIL = 1_364_774_400_000_000
NAME = backups.name_at(APRIL)


def insert(name: str) -> Statement:
    return Statement("INSERT INTO home (name, value) VALUES (?, 'x')", (name,))


def names(path: Path) -> set[str]:
    with closing(Reader(path)) as read:
        return {name for (name,) in read.rows(tuple[str], "SELECT name FROM home WHERE value = 'x'")}


@pytest.fixture
def made(home: Home, connection: WriteConnection) -> Path:
    """A backup with one name in it; the home has gone on to another by then."""
    held = [Holding(Symbol("IBM"), Decimal(3), Decimal("1.5"), None)]
    connection.commit([ledger.opening(held, Decimal(7), "a.csv", CorrelationId("c"), 0), [insert("before")]])
    path = back_up(home.database, NAME, keep=3)
    connection.commit([[insert("after")]])
    return path


@pytest.fixture
def connection(home: Home) -> Iterator[WriteConnection]:
    """The home's writer, until the test has the desk end."""
    connection = open_for_writing(home, FIXED, 0)
    yield connection
    connection.raw.close()


@pytest.fixture
def ended(connection: WriteConnection, made: Path) -> Path:
    """The same, and the desk has stopped."""
    connection.close()
    return made


def test_a_backup_is_one_file_with_what_was_committed_when_it_was_made(home: Home, made: Path) -> None:
    assert made == home.backups / "desk-20130401T000000Z.sqlite3"
    assert names(made) == {"before"}
    assert [path.name for path in home.backups.iterdir()] == [made.name]


def test_what_is_committed_while_it_is_made_neither_gets_in_nor_makes_it_begin_again(
    home: Home, connection: WriteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.commit([[insert("before")]])
    monkeypatch.setattr(backups, "STEP", 1)
    original, steps = os.fsync, list[int]()

    def fsync(descriptor: int) -> None:
        original(descriptor)
        steps.append(len(steps))
        connection.commit([[insert(f"during {len(steps)}")]])

    monkeypatch.setattr(os, "fsync", fsync)
    path = back_up(home.database, NAME, keep=3)

    assert names(path) == {"before"}
    assert len(steps) > 30


def test_only_the_newest_are_kept_and_nothing_else_is_touched(home: Home, connection: WriteConnection) -> None:
    home.backups.mkdir()
    (home.backups / "schema-1-20120101T000000Z.sqlite3").touch()
    (home.backups / "desk-20120101T000000Z.sqlite3.part").touch()
    made = [backups.name_at(APRIL + day * 86_400_000_000) for day in range(5)]

    for name in made:
        back_up(home.database, name, keep=2)

    assert sorted(path.name for path in home.backups.iterdir()) == [*made[-2:], "schema-1-20120101T000000Z.sqlite3"]


def test_made_again_it_is_the_one_that_was_made(home: Home, connection: WriteConnection, made: Path) -> None:
    before = made.read_bytes()

    assert back_up(home.database, NAME, keep=3) == made
    assert made.read_bytes() == before


def test_a_full_disk_leaves_nothing_that_would_keep_it_full(home: Home, connection: WriteConnection) -> None:
    with pytest.raises((NotABackup, DatabaseUnusable), match=r"backups.*; look at its disk"):
        limited(lambda: back_up(home.database, NAME, keep=3))

    assert list(home.backups.iterdir()) == []


@pytest.mark.parametrize("looks", [0, 1])
def test_what_nobody_waits_for_any_more_leaves_nothing(home: Home, connection: WriteConnection, looks: int) -> None:
    asked = count()

    with pytest.raises(NotABackup, match="nobody waits for this copy any more"):
        back_up(home.database, NAME, keep=3, given_up=lambda: next(asked) >= looks)

    assert list(home.backups.iterdir()) == []


def limited(work: Any) -> None:
    """Files may have 64 kB at most in this process, and a write beyond that is an error as on a full disk."""
    import resource

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_restored_home_is_as_the_backup_and_what_it_replaces_is_kept(home: Home, ended: Path) -> None:
    kept = restore(home, ended, FIXED, APRIL)

    assert kept is not None
    assert kept == home.path / "replaced-20130401T000000Z.sqlite3"
    assert names(kept) == {"before", "after"}
    assert names(home.database) == {"before"}
    open_for_writing(home, FIXED, 0).close()


def test_what_a_killed_desk_had_only_in_its_log_is_kept_and_does_not_get_into_what_was_restored(
    home: Home, connection: WriteConnection, made: Path
) -> None:
    copy = Home(home.path.with_name("killed"))
    copy.path.mkdir()
    for end in ("", "-wal"):
        copy.database.with_name(f"desk.sqlite3{end}").write_bytes(
            home.database.with_name(f"desk.sqlite3{end}").read_bytes()
        )

    kept = restore(copy, made, FIXED, APRIL)

    assert kept is not None
    assert names(kept) == {"before", "after"}
    assert names(copy.database) == {"before"}


def test_a_home_without_a_database_gets_one(home: Home, ended: Path) -> None:
    (new := Home(home.path.with_name("new"))).path.mkdir()

    assert restore(new, ended, FIXED, APRIL) is None
    assert names(new.database) == {"before"}


def test_a_damaged_database_is_kept_as_it_is_with_its_log(home: Home, ended: Path) -> None:
    home.database.write_bytes(b"rubbish" * 1_000)
    home.database.with_name("desk.sqlite3-wal").write_bytes(b"more of it")

    kept = restore(home, ended, FIXED, APRIL)

    assert kept is not None
    assert kept.read_bytes() == b"rubbish" * 1_000
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"more of it"
    assert names(home.database) == {"before"}


def spoil(path: Path, sql: str) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        fetch(connection, "PRAGMA writable_schema = ON")
        fetch(connection, sql)


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("PRAGMA user_version = 9999", SchemaTooNew, "has schema 9999, this release knows"),
        ("PRAGMA application_id = 7", NotABackup, "is not a desk's database"),
        ("UPDATE home SET value = 'csv' WHERE name = 'price_source'", WrongHome, "was begun with price_source = csv"),
        ("DROP TRIGGER ledger_entries_ours; "
         "INSERT INTO ledger_entries (transaction_id, account, quantity, amount) VALUES (1, 'cash', 0, 5)",
         NotABackup, "its books are not whole (ledger_transactions 1: does not sum to zero)"),
        ("DROP TRIGGER ledger_entries_ours; "
         "INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount, lot) "
         "VALUES (1, 'holdings', 'A', 5, 0, 'opening 1')",
         NotABackup, "its books are not whole (ledger_transactions 1: does not sum to zero)"),
        ("UPDATE ledger_balances SET amount = amount + 1 WHERE account = 'cash'",
         NotABackup, "its books are not whole (ledger_balances paper cash: has 0 and 7000000001, its "),
        ("DELETE FROM sqlite_schema WHERE name = 'tasks'", DatabaseUnusable, "damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_relied_on_is_refused_and_the_home_left_as_it_was(
    home: Home, ended: Path, sql: str, error: type[Exception], words: str
) -> None:
    spoil(ended, sql)

    with pytest.raises(error) as refused:
        restore(home, ended, FIXED, APRIL)

    assert words in str(refused.value)
    assert str(ended) in str(refused.value)
    assert names(home.database) == {"before", "after"}
    assert not [path.name for path in home.path.iterdir() if "restoring" in path.name or "replaced" in path.name]


@pytest.mark.parametrize("content", [b"", b"my shopping list\n" * 100])
def test_a_file_that_is_no_database_is_refused(home: Home, ended: Path, content: bytes) -> None:
    ended.write_bytes(content)

    with pytest.raises((NotABackup, DatabaseUnusable), match="desk-20130401T000000Z"):
        restore(home, ended, FIXED, APRIL)
    assert names(home.database) == {"before", "after"}


def test_a_file_that_is_not_there_is_named(home: Home, ended: Path) -> None:
    with pytest.raises(NotABackup, match=r"nowhere\.sqlite3: there is no such file; `run\.py backup` makes them"):
        restore(home, home.path / "nowhere.sqlite3", FIXED, APRIL)


def test_a_backup_of_an_older_schema_is_migrated_at_the_next_start(home: Home) -> None:
    first = open_for_writing(home, FIXED, 0, steps=known()[:1])
    path = back_up(home.database, NAME, keep=3)
    first.close()
    restore(home, path, FIXED, APRIL)

    open_for_writing(home, FIXED, APRIL).close()

    with closing(Reader(home.database)) as read:
        assert read.rows(tuple[int], "PRAGMA user_version") == [(newest(known()),)]


def test_killed_at_any_line_the_home_has_the_one_or_the_other_whole(
    home: Home, connection: WriteConnection, made: Path
) -> None:
    files = {end: home.database.with_name(f"desk.sqlite3{end}").read_bytes() for end in ("", "-wal")}
    found, line, killed = list[set[str]](), 0, True
    while killed:
        line += 1
        killed_home = left_open(home.path.with_name(f"killed-{line}"), files)
        killed = killed_at(line, killed_home, made)

        open_for_writing(killed_home, FIXED, 0).close()
        killed_home.release()
        found.append(names(killed_home.database))

    print(f"{line - 1} lines at which it was killed")
    assert line > 20
    assert {frozenset(each) for each in found} == {frozenset({"before", "after"}), frozenset({"before"})}
    assert found == sorted(found, key=len, reverse=True)


def test_killed_at_any_line_a_damaged_database_is_whole_or_said_to_lack_its_log_or_the_new_one_is_there(
    home: Home, made: Path
) -> None:
    files, found, line, killed = {"": b"rubbish" * 1_000, "-wal": b"more of it"}, list[str](), 0, True
    while killed:
        line += 1
        killed_home = left_open(home.path.with_name(f"killed-{line}"), files)
        killed_home.note(opened=False)  # nobody knows of its log but the log itself
        killed = killed_at(line, killed_home, made)

        log, kept = (killed_home.path / name for name in ("desk.sqlite3-wal", "replaced-20130401T000000Z.sqlite3-wal"))
        if killed_home.database.read_bytes() != files[""]:
            found.append("new")
            open_for_writing(killed_home, FIXED, 0).close()
            assert names(killed_home.database) == {"before"}
        elif log.exists():
            found.append("old")
        else:
            found.append("old, log missing")
            with pytest.raises(LogMissing):
                open_for_writing(killed_home, FIXED, 0)
        assert found[-1] == "old" or kept.read_bytes() == files["-wal"]
        killed_home.release()

    assert list(dict.fromkeys(found)) == ["old", "old, log missing", "new"]


def left_open(path: Path, files: dict[str, bytes]) -> Home:
    """A home of ours with these files, whose desk was killed."""
    home = Home(path)
    home.take()
    for end, content in files.items():
        home.database.with_name(f"desk.sqlite3{end}").write_bytes(content)
    home.note(opened=True)
    return home


def killed_at(line: int, home: Home, file: Path) -> bool:
    """Restore in another process that is killed at this line of it; false if it has fewer."""
    if (child := os.fork()) == 0:
        sys.settrace(Killer(line).trace)
        restore(home, file, FIXED, APRIL)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


class Killer:
    """SIGKILL at so many lines of the module."""

    def __init__(self, line: int) -> None:
        self._left = line

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != backups.__file__:
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace
