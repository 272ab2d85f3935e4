"""From one schema to the next, and what is refused instead of being opened."""

import os
import re
from pathlib import Path

import apsw
import pytest

from messages.errors import TroupeError
from storage.connections import DatabaseUnusable, Reader, fetch
from storage.home import Home
from storage.migrations import (
    LogMissing,
    Migration,
    NoDesk,
    SchemaTooNew,
    WrongHome,
    known,
    newest,
    open_for_reading,
    open_for_writing,
)
from tests.storage import test_schema
from tests.storage.conftest import FIXED

NEXT = Migration(newest(known()) + 1, "next", "CREATE TABLE next (x INTEGER) STRICT; INSERT INTO next VALUES (1)")
HALF = Migration(
    newest(known()) + 1, "half", "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO half VALUES ('no number')"
)
APRIL = 1_364_774_400_000_000


def written(home: Home) -> Home:
    """The home, with a database in it."""
    open_for_writing(home, FIXED, 0).close()
    return home


def schema(path: Path) -> tuple[int, set[str]]:
    """The number of the schema, and its tables."""
    read = Reader(path)
    tables = read.rows(tuple[str], "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return read.rows(tuple[int], "PRAGMA user_version")[0][0], {name for (name,) in tables}


def tables_of(path: Path) -> set[str]:
    return schema(path)[1]


def rows_of(path: Path, table: str) -> list[tuple[object, ...]]:
    return Reader(path).rows(tuple[object, ...], f"SELECT * FROM {table}")


def one_line(error: TroupeError) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_the_steps_are_numbered_from_one_without_a_gap() -> None:
    assert [step.number for step in known()] == list(range(1, len(known()) + 1))


def test_a_step_whose_second_statement_fails_leaves_schema_and_tables_as_before(home: Home) -> None:
    before = schema(written(home).database)

    with pytest.raises(apsw.ConstraintError, match="cannot store TEXT value"):
        open_for_writing(home, FIXED, 0, steps=[*known(), HALF])

    assert schema(home.database) == before


def test_a_home_of_the_first_schema_is_migrated_with_all_its_rows(home: Home) -> None:
    first = open_for_writing(home, FIXED, 0, steps=known()[:1])
    kept = [table for table in tables_of(home.database) if table in test_schema.ROWS]
    for table in kept:
        fetch(first.raw, test_schema.ROWS[table])
    first.close()
    before = {table: rows_of(home.database, table) for table in tables_of(home.database)}

    open_for_writing(home, FIXED, APRIL).close()

    assert schema(home.database)[0] == newest(known())
    after = {table: rows_of(home.database, table) for table in before}
    assert {table: [row[: len(before[table][0])] for row in rows] for table, rows in after.items() if rows} == {
        table: rows for table, rows in before.items() if rows
    }
    assert {"ledger_entries", "decisions"} <= {table for table, rows in before.items() if rows}
    assert "claude_questions" in tables_of(home.database)
    [copy] = home.backups.iterdir()
    assert schema(copy)[0] == 1


def test_of_several_steps_those_before_the_one_that_fails_are_kept(home: Home) -> None:
    later = Migration(NEXT.number + 1, "half", HALF.sql)

    with pytest.raises(apsw.ConstraintError):
        open_for_writing(home, FIXED, 0, steps=[*known(), NEXT, later])

    number, tables = schema(home.database)
    assert number == NEXT.number
    assert "next" in tables
    assert "half" not in tables


def test_a_first_step_that_fails_leaves_an_empty_file_that_can_be_begun_anew(home: Home) -> None:
    with pytest.raises(apsw.ConstraintError):
        open_for_writing(home, FIXED, 0, steps=[Migration(1, "0001_half", HALF.sql)])

    assert schema(home.database) == (0, set())
    assert schema(written(home).database)[0] == newest(known())


def test_a_disk_that_is_full_while_migrating_is_named(home: Home) -> None:
    full = Migration(
        1, "0001_full", "CREATE TABLE a (x); PRAGMA max_page_count = 3; INSERT INTO a VALUES (zeroblob(1e6))"
    )

    with pytest.raises(DatabaseUnusable, match=r"desk\.sqlite3: .*full"):
        open_for_writing(home, FIXED, 0, steps=[full])


def test_an_existing_file_is_copied_before_it_is_migrated(home: Home) -> None:
    written(home)

    open_for_writing(home, FIXED, APRIL, steps=[*known(), NEXT]).close()

    [copy] = home.backups.iterdir()
    assert copy.name == f"schema-{newest(known())}-20130401T000000Z.sqlite3"
    assert schema(copy)[0] == newest(known())
    assert "next" not in schema(copy)[1]
    assert dict(Reader(copy).rows(tuple[str, str], "SELECT name, value FROM home")) == FIXED
    assert home.backups.stat().st_mode & 0o777 == 0o700
    assert "next" in schema(home.database)[1]


def test_what_is_new_or_up_to_date_is_not_copied(home: Home) -> None:
    written(written(home))

    assert not home.backups.exists()


def test_a_newer_schema_is_refused_by_writers_and_readers_and_left_alone(home: Home) -> None:
    open_for_writing(home, FIXED, 0, steps=[*known(), NEXT]).close()
    sentence = (
        rf"desk\.sqlite3: has schema {newest(known()) + 1}, this release knows {newest(known())}; run the newer release"
    )

    with pytest.raises(SchemaTooNew, match=sentence):
        open_for_writing(home, FIXED, 0)
    with pytest.raises(SchemaTooNew, match=sentence):
        open_for_reading(home)

    assert schema(home.database)[0] == newest(known()) + 1


def test_an_older_schema_is_not_read_before_it_is_migrated(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home)
    monkeypatch.setattr("storage.migrations.known", lambda: (*known(), NEXT))

    with pytest.raises(NoDesk, match=rf"has schema {NEXT.number - 1} of {NEXT.number}; run `run\.py once`"):
        open_for_reading(home)


def test_where_no_desk_has_run_there_is_nothing_to_read(home: Home) -> None:
    with pytest.raises(NoDesk, match=re.escape(f"home {home.path}: no desk has run here yet")):
        open_for_reading(home)

    assert not home.database.exists()


@pytest.mark.parametrize("mark", ["PRAGMA application_id = 7", "PRAGMA user_version = 1"])
def test_a_file_that_is_not_a_desks_is_refused_and_left_alone(home: Home, mark: str) -> None:
    other = apsw.Connection(str(home.database))
    fetch(other, f"CREATE TABLE theirs (x); {mark}")
    other.close()

    with pytest.raises(DatabaseUnusable) as refused:
        open_for_writing(home, FIXED, 0)

    assert one_line(refused.value) == f"database {home.database}: is not a desk's; choose another home with --home"
    assert schema(home.database)[1] == {"theirs"}


def test_a_file_that_is_no_database_is_refused_and_left_alone(home: Home) -> None:
    home.database.write_text("my shopping list\n" * 100)

    with pytest.raises(DatabaseUnusable) as refused:
        open_for_writing(home, FIXED, 0)

    assert one_line(refused.value).startswith(
        f"database {home.database}: damaged (file is not a database); put a backup"
    )
    assert home.database.read_text() == "my shopping list\n" * 100


def test_a_directory_in_its_place_is_named(home: Home) -> None:
    home.database.mkdir()

    with pytest.raises(
        DatabaseUnusable, match=r"desk\.sqlite3: unable to open .*; look at its disk and its permissions"
    ):
        open_for_writing(home, FIXED, 0)


def test_an_empty_file_is_a_new_desk(home: Home) -> None:
    home.database.touch()

    assert schema(written(home).database)[0] == newest(known())


@pytest.mark.parametrize("page", range(12))
def test_a_file_with_an_overwritten_page_is_refused_in_one_clear_sentence(home: Home, page: int) -> None:
    written(home)
    with home.database.open("r+b") as file:
        file.seek(page * 4096)
        file.write(os.urandom(4096))

    with pytest.raises(DatabaseUnusable) as refused:
        open_for_writing(home, FIXED, 0)

    assert re.fullmatch(
        rf"database {re.escape(str(home.database))}: damaged \(.*\); put a backup in its place or start in a new home",
        one_line(refused.value),
    )


def test_a_file_that_was_cut_off_is_refused(home: Home) -> None:
    written(home)
    os.truncate(home.database, 3 * 4096 + 100)

    with pytest.raises(DatabaseUnusable, match="damaged"):
        open_for_writing(home, FIXED, 0)


@pytest.mark.parametrize(("name", "now", "was"), [("price_source", "csv", "sample"), ("currency", "EUR", "USD")])
def test_what_is_fixed_in_a_home_cannot_change(home: Home, name: str, now: str, was: str) -> None:
    written(home)

    with pytest.raises(WrongHome) as refused:
        open_for_writing(home, FIXED | {name: now}, 0)

    assert one_line(refused.value) == (
        f"home {home.path}: was begun with {name} = {was}, the settings now say {now}; "
        "set it back or choose another home with --home"
    )
    assert open_for_reading(home)[1] == FIXED


def test_a_refused_home_is_left_unlocked(home: Home) -> None:
    written(home)
    with pytest.raises(WrongHome):
        open_for_writing(home, FIXED | {"currency": "EUR"}, 0)

    written(home)


def test_a_home_that_was_killed_and_whose_log_was_taken_away_is_refused_until_somebody_says_so(home: Home) -> None:
    killed = open_for_writing(home, FIXED, 0)
    killed.raw.close()  # as SIGKILL does, but for the log, which a last connection takes with it
    home.release()
    home.database.with_name("desk.sqlite3-wal").unlink(missing_ok=True)

    for open_it in (lambda: open_for_reading(home), lambda: open_for_writing(home, FIXED, 0)):
        with pytest.raises(LogMissing) as refused:
            open_it()
        assert one_line(refused.value).startswith(
            f"database {home.database}: its log desk.sqlite3-wal is missing, and with it what was committed last, "
        )
    again = Home(home.path)
    again.take()  # a start that is refused is no yes
    with pytest.raises(LogMissing):
        open_for_writing(again, FIXED, 0)
    again.release()
    (home.path / "lock").unlink()
    open_for_writing(home, FIXED, 0).close()


def test_a_home_that_was_killed_and_whose_next_start_was_refused_misses_nothing(home: Home) -> None:
    killed, after = open_for_writing(home, FIXED, 0), Home(home.path.with_name("after"))
    after.take()
    for end in ("", "-wal"):
        content = home.database.with_name(f"desk.sqlite3{end}").read_bytes()
        after.database.with_name(f"desk.sqlite3{end}").write_bytes(content)
    after.note(opened=True)
    with pytest.raises(WrongHome):
        open_for_writing(after, FIXED | {"currency": "EUR"}, 0)

    open_for_writing(after, FIXED, 0).close()
    after.release()
    killed.close()


def test_a_home_that_was_closed_needs_no_log(home: Home) -> None:
    open_for_writing(home, FIXED, 0).close()
    home.release()
    home.database.with_name("desk.sqlite3-wal").unlink(missing_ok=True)

    open_for_writing(home, FIXED, 0).close()
