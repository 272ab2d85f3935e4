"""Group commit, and reading beside it."""

import threading

import apsw
import msgspec
import pytest

from messages.database import Statement
from storage.connections import DatabaseUnusable, Operations, Reader, StatementFailed, WriteConnection, fetch
from storage.home import Home
from storage.migrations import open_for_writing
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
    pragmas = [fetch(connection.raw, f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert pragmas == [[("wal",)], [(2,)], [(1,)]]


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


def test_each_thread_reads_on_a_connection_of_its_own(
    connection: WriteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, read = list[int](), Reader(connection.path)
    original = apsw.Connection

    def connect(path: str, *, flags: int) -> apsw.Connection:
        opened.append(threading.get_ident())
        return original(path, flags=flags)

    monkeypatch.setattr(apsw, "Connection", connect)
    threads = [threading.Thread(target=lambda: (names(read), names(read))) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    names(read)
    names(read)

    assert len(opened) == 4


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
