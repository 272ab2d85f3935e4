"""Group commit, and reading beside it."""

import random
import threading
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from typing import Any

import apsw
import msgspec
import numpy as np
import pytest

from messages.database import Many, Statement
from storage.connections import OLDEST, POOL, DatabaseUnusable, Operations, Reader, ReadTooOld, fetch
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import StatementFailed, WriteConnection
from tests.storage.conftest import FIXED


def insert(name: str) -> Statement:
    return Statement("INSERT INTO home (name, value) VALUES (?, 'x') RETURNING name", (name,))


def names(read: Reader) -> set[str]:
    return {name for (name,) in read.rows(tuple[str], "SELECT name FROM home WHERE value = 'x'")}


def test_a_message_that_fails_fails_alone_and_the_rest_commits(connection: WriteConnection, read: Reader) -> None:
    batch = [[insert("a")], [insert("b"), insert("a"), insert("c")], [insert("d")], [insert("d")], [insert("e")]]

    results = connection.commit(batch)

    assert names(read) == {"a", "d", "e"}
    assert [isinstance(result, StatementFailed) for result in results] == [False, True, False, True, False]
    assert str(results[1]) == "UNIQUE constraint failed: home.name"
    assert results[4] == ((("e",),),)


@pytest.mark.parametrize("last", ["INSERT INTO home (name, value) VALUES ('a', 'x')", "bogus", "SELECT ?"])
def test_all_statements_of_a_message_are_kept_or_none(connection: WriteConnection, read: Reader, last: str) -> None:
    [result] = connection.commit([[insert("a"), insert("b"), Statement(last)]])

    assert isinstance(result, StatementFailed)
    assert names(read) == set()


def test_a_failed_message_leaves_the_connection_usable(connection: WriteConnection, read: Reader) -> None:
    connection.commit([[insert("a"), insert("a")]])
    connection.commit([[insert("a")]])

    assert names(read) == {"a"}


def test_every_statement_returns_its_rows(connection: WriteConnection) -> None:
    both = Statement("SELECT name FROM home ORDER BY name")

    [result] = connection.commit([[both, insert("z"), Statement("SELECT 1 WHERE 0")]])

    assert result == ((("currency",), ("price_source",)), (("z",),), ())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.int64(5), "numpy.int64"),
        (Decimal(1), "decimal.Decimal"),
        (bytearray(b"x"), "bytearray"),
        (np.arange(2), "numpy.ndarray"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_value_of_a_type_that_cannot_be_stored_is_named(
    connection: WriteConnection, read: Reader, value: Any, kind: str, beside: bool
) -> None:
    name = Statement("INSERT INTO home (name, value) VALUES (?, 'x')", ("b",))
    odd = Statement(name.sql, (value,))
    batch = [[odd], [name]] if beside else [[odd]]

    result = connection.commit(batch)[0]
    many = connection.commit([[Many("UPDATE home SET value = ?", ((value,),))]])[0]

    assert isinstance(result, StatementFailed)
    assert str(result) == f"a value is a {kind}, which cannot be stored; make it int, float, str, bytes or None"
    assert str(many) == str(result)
    assert names(read) == ({"b"} if beside else set())


def test_a_subclass_is_stored_as_what_it_is(connection: WriteConnection, read: Reader) -> None:
    class Word(str):
        __slots__ = ()

    connection.commit([[Statement("INSERT INTO home (name, value) VALUES (?, 'x')", (Word("a"),))]])
    connection.commit([[Statement("INSERT INTO home (name, value) VALUES (?, 'x')", (np.str_("b"),))]])

    assert names(read) == {"a", "b"}


def test_many_rows_are_kept_together_or_not_at_all(connection: WriteConnection, read: Reader) -> None:
    sql = "INSERT INTO home (name, value) VALUES (?, 'x')"
    fine = Many(sql, tuple((f"n{number}",) for number in range(1_000)))
    twice = Many(sql, (("b",), ("c",), ("b",)))

    results = connection.commit([[fine], [twice], [insert("d"), twice], [insert("e")]])

    assert [isinstance(result, StatementFailed) for result in results] == [False, True, True, False]
    assert results[0] == ((),)
    assert len(names(read)) == 1_001
    assert connection.operations["insert", "home", "done"] == 1_001


def plain(name: str) -> Statement:
    return Statement("INSERT INTO home (name, value) VALUES (?, 'x')", (name,))


@pytest.mark.parametrize("seed", range(20))
def test_of_any_batch_each_message_is_kept_whole_or_fails_alone(
    connection: WriteConnection, read: Reader, seed: int
) -> None:
    chance, kept, expected = random.Random(seed), set[str](), list[bool]()
    batch = list[list[Statement | Many]]()
    for _ in range(40):
        wanted = [
            chance.choice("abcdefghijklmnopqrstuvwxyz") + chance.choice("123")
            for _ in range(chance.choice([1, 1, 1, 2, 3]))
        ]
        make = chance.choice([plain, plain, insert])
        batch.append([Many(plain("").sql, tuple((name,) for name in wanted))] if chance.random() < 0.2
                     else [make(name) for name in wanted])  # fmt: skip
        fits = len(set(wanted)) == len(wanted) and not kept & set(wanted)
        kept |= set(wanted) if fits else set()
        expected.append(fits)

    results = connection.commit(batch)

    assert [not isinstance(result, StatementFailed) for result in results] == expected
    assert names(read) == kept


@pytest.mark.parametrize("alike", [False, True])
def test_a_statement_that_rolls_back_everything_takes_no_other_message_with_it(
    connection: WriteConnection, read: Reader, alike: bool
) -> None:
    connection.commit([[Statement("""CREATE TRIGGER never BEFORE INSERT ON home WHEN NEW.name = 'bad'
        BEGIN SELECT RAISE(ROLLBACK, 'never'); END""")]])  # fmt: skip
    make = plain if alike else insert

    results = connection.commit([[make("a")], [make("b"), make("c")], [make("bad")], [make("d")], [make("e")]])

    assert [str(result) for result in results if isinstance(result, StatementFailed)] == ["never"]
    assert names(read) == {"a", "b", "c", "d", "e"}


def test_a_text_of_several_statements_is_whole_or_nothing(connection: WriteConnection, read: Reader) -> None:
    both = Statement("INSERT INTO home VALUES ('a', 'x'); INSERT INTO home VALUES ('a', 'x')")

    alone = connection.commit([[both]])
    beside = connection.commit([[both], [insert("b")]])

    assert [isinstance(result, StatementFailed) for result in (*alone, *beside)] == [True, True, False]
    assert names(read) == {"b"}


@pytest.mark.parametrize("value", [2**63, object()])
def test_a_value_that_sqlite_cannot_hold_fails_its_message_alone(
    connection: WriteConnection, read: Reader, value: int
) -> None:
    results = connection.commit([[Statement("SELECT ?", (value,))], [insert("a")]])

    assert isinstance(results[0], StatementFailed)
    assert names(read) == {"a"}


def test_a_full_disk_fails_the_whole_batch_and_names_the_file(connection: WriteConnection, read: Reader) -> None:
    pages = read.rows(tuple[int], "PRAGMA page_count")[0][0]
    fetch(connection.raw, f"PRAGMA max_page_count = {pages}")
    large = Statement("INSERT INTO home (name, value) VALUES ('large', ?)", ("y" * 100_000,))

    with pytest.raises(DatabaseUnusable, match=r"desk\.sqlite3: .*full; look at its disk and its permissions"):
        connection.commit([[insert("a")], [large], [insert("b")]])

    assert names(read) == set()


def test_another_process_that_holds_the_lock_fails_the_batch_and_nothing_is_kept(
    connection: WriteConnection, read: Reader
) -> None:
    connection.raw.set_busy_timeout(0)
    other = apsw.Connection(str(connection.path))
    fetch(other, "BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnusable, match="locked"):
        connection.commit([[insert("a")], [insert("b")]])
    other.close()

    connection.commit([[insert("c")], [insert("d")]])
    assert names(read) == {"c", "d"}


def test_commits_are_synchronous_in_full_and_foreign_keys_are_kept(connection: WriteConnection) -> None:
    settings = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    pragmas = [fetch(connection.raw, f"PRAGMA {name}") for name in settings]

    assert pragmas == [[("wal",)], [(2,)], [(1,)], [(0,)]]


def test_statements_are_counted_by_operation_table_and_outcome(home: Home) -> None:
    operations = Operations()
    connection = open_for_writing(home, FIXED, 0, operations)

    connection.commit([[insert("a")], [insert("a")], [Statement("DELETE FROM bars")], [Statement("SELECT 1")]])
    connection.commit([[Statement("UPDATE OR IGNORE tasks SET error = NULL")]])
    connection.close()

    assert operations == {
        ("insert", "home", "done"): 1,
        ("insert", "home", "failed"): 1,
        ("delete", "bars", "done"): 1,
        ("other", "none", "done"): 1,
        ("update", "tasks", "done"): 1,
    }


def test_statements_are_not_counted_before_they_are_committed(home: Home) -> None:
    operations = Operations()
    connection = open_for_writing(home, FIXED, 0, operations)
    pages = Reader(home.database).rows(tuple[int], "PRAGMA page_count")[0][0]
    fetch(connection.raw, f"PRAGMA max_page_count = {pages}")
    large = Statement("INSERT INTO home (name, value) VALUES ('large', ?)", ("y" * 100_000,))

    with pytest.raises(DatabaseUnusable):
        connection.commit([[insert("a")], [insert("a")], [large]])
    connection.close()

    assert operations == {}


def test_closing_empties_the_write_ahead_log(home: Home) -> None:
    connection = open_for_writing(home, FIXED, 0)
    connection.commit([[insert("a")]])
    keeps_it_from_being_deleted = Reader(home.database)
    names(keeps_it_from_being_deleted)

    connection.close()

    assert home.database.with_name("desk.sqlite3-wal").stat().st_size == 0


def test_a_reader_cannot_write(connection: WriteConnection, read: Reader) -> None:
    with pytest.raises(DatabaseUnusable, match="readonly"):
        read.rows(tuple[int], "DELETE FROM home")


def test_a_reader_cannot_write_even_if_it_is_told_that_it_may(connection: WriteConnection, read: Reader) -> None:
    read.rows(tuple[int], "PRAGMA query_only = OFF")

    with pytest.raises(DatabaseUnusable, match="readonly"):
        read.rows(tuple[int], "DELETE FROM home")


def test_a_row_of_another_type_raises(connection: WriteConnection, read: Reader) -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `int`, got `str`"):
        read.rows(tuple[int], "SELECT 'one'")
    with pytest.raises(msgspec.ValidationError, match="length"):
        read.rows(tuple[int], "SELECT 1, 2")
    with pytest.raises(msgspec.ValidationError, match="Expected `str`, got `null`"):
        read.rows(tuple[str], "SELECT NULL")


def test_rows_come_as_they_are_bytes_too(connection: WriteConnection, read: Reader) -> None:
    assert read.rows(tuple[int, str, bytes, None, float], "SELECT 1, 'a', x'00ff', NULL, 1.5") == [
        (1, "a", b"\x00\xff", None, 1.5)
    ]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[apsw.Connection]:
    """The connections that were opened."""
    found, original = list[apsw.Connection](), apsw.Connection

    def connect(path: str, *, flags: int) -> apsw.Connection:
        found.append(original(path, flags=flags))
        return found[-1]

    monkeypatch.setattr(apsw, "Connection", connect)
    return found


def test_threads_that_read_one_after_the_other_share_a_connection(
    connection: WriteConnection, opened: list[apsw.Connection]
) -> None:
    read = Reader(connection.path)
    threads = [threading.Thread(target=lambda: (names(read), names(read))) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    names(read)

    assert len(opened) == 1


def test_more_connections_than_are_kept_are_closed_when_they_are_given_back(
    connection: WriteConnection, opened: list[apsw.Connection]
) -> None:
    read = Reader(connection.path)
    with ExitStack() as stack:
        for _ in range(POOL + 3):
            stack.enter_context(read.snapshot())
    while_all_are_idle = [is_open(each) for each in opened].count(True)
    read.close()

    assert (len(opened), while_all_are_idle) == (POOL + 3, POOL)
    assert not any(map(is_open, opened))


def is_open(connection: apsw.Connection) -> bool:
    try:
        return connection.in_transaction in (True, False)
    except apsw.ConnectionClosedError:
        return False


def test_a_snapshot_reads_one_state_whatever_is_committed_meanwhile(connection: WriteConnection, read: Reader) -> None:
    with read.snapshot() as at:
        before = names(at)
        connection.commit([[insert("a")]])
        with at.snapshot() as same:
            assert (before, names(same), names(read)) == (set(), set(), {"a"})
    assert names(read) == {"a"}


class Ticking:
    """A clock on which each look takes a second."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0"


def test_a_read_that_takes_too_long_is_ended_and_says_so(connection: WriteConnection) -> None:
    read = Reader(connection.path, Ticking())

    with pytest.raises(ReadTooOld, match=r"desk\.sqlite3: a read was ended after 60 s, since the log grows"):
        read.rows(tuple[int], ENDLESS)
    assert names(read) == set()


def test_a_slow_read_keeps_nobody_from_reading(connection: WriteConnection) -> None:
    slow, go_on, looks = threading.Event(), threading.Event(), count()

    def clock() -> float:
        if threading.current_thread() is not reads or next(looks) == 0:
            return 0.0
        slow.set()
        go_on.wait()
        return OLDEST * 2

    def read_slowly() -> None:
        with pytest.raises(ReadTooOld):
            read.rows(tuple[int], ENDLESS)

    read, reads = Reader(connection.path, clock), threading.Thread(target=read_slowly)
    reads.start()
    slow.wait()
    beside = names(read)
    go_on.set()
    reads.join()

    assert (beside, names(read)) == (set(), set())


@pytest.mark.parametrize("kind", [tuple[int, float], tuple[int | None, float | None], tuple[Any, ...]])
def test_what_is_wanted_as_a_float_comes_as_one(read: Reader, connection: WriteConnection, kind: Any) -> None:
    rows = read.rows(kind, "SELECT 1, 2.0 UNION ALL SELECT 2, 3" if kind != tuple[Any, ...] else "SELECT 1, 3.0")

    assert all((type(first), type(second)) == (int, float) for first, second in rows)


def test_a_snapshot_in_which_nobody_reads_is_ended_too_and_says_so_when_it_is_read_again(
    connection: WriteConnection,
) -> None:
    clock = Ticking()
    read = Reader(connection.path, clock)
    with read.snapshot() as at:
        names(at)
        connection.commit([[insert("a")]])
        blocked = connection.restart_log()
        read.end_old_snapshots()
        still_blocked = connection.restart_log()
        clock.now += OLDEST
        oldest = read.oldest()
        read.end_old_snapshots()

        assert (blocked, still_blocked, connection.restart_log()) == (False, False, True)
        assert oldest > OLDEST
        with pytest.raises(ReadTooOld):
            names(at)
    assert names(read) == {"a"}
    assert read.oldest() == 0.0


def test_who_ends_an_old_snapshot_never_ends_that_of_whoever_borrows_the_connection_next(
    connection: WriteConnection,
) -> None:
    begun, go_on, second_begun, ended = (threading.Event() for _ in range(4))
    told = list[set[str] | Exception]()

    def clock() -> float:
        if threading.current_thread() is others:
            return 0.0
        go_on.set()  # here it is known that the first is too old, and it is not ended yet
        second_begun.wait(0.3)  # so long, since it may have to wait for us
        return OLDEST * 2

    def read_twice() -> None:
        with read.snapshot() as first:
            names(first)
            begun.set()
            go_on.wait()
        with read.snapshot() as second:
            names(second)
            second_begun.set()
            ended.wait()
            try:
                told.append(names(second))
            except ReadTooOld as error:
                told.append(error)

    read, others = Reader(connection.path, clock), threading.Thread(target=read_twice)
    others.start()
    begun.wait()
    read.end_old_snapshots()
    second_begun.wait()
    connection.commit([[insert("a")]])
    ended.set()
    others.join()

    assert told == [set()]


def test_a_snapshot_that_is_over_cannot_be_read_any_more(connection: WriteConnection, read: Reader) -> None:
    with read.snapshot() as at:
        names(at)

    with pytest.raises(ReadTooOld):
        names(at)


def test_a_reader_holds_no_snapshot(connection: WriteConnection, read: Reader) -> None:
    before = names(read)
    connection.commit([[insert("a")]])

    assert (before, names(read)) == (set(), {"a"})


def test_damage_is_found_where_there_is_some(home: Home, connection: WriteConnection, read: Reader) -> None:
    assert read.damage() is None

    fetch(connection.raw, "PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = home.path / "damaged.sqlite3"
    content = bytearray(home.database.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * 4096 * 5
    damaged.write_bytes(content)
    try:
        found = Reader(damaged).damage()
    except DatabaseUnusable as error:
        found = str(error)
    assert found
    assert found.isprintable()
