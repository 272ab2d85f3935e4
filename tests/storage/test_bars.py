"""Bars as blobs: what was stored comes back, and nothing later than asked for."""

import datetime as dt
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.database import Statement
from messages.market import Bars
from messages.values import Symbol
from storage import bars
from storage.connections import DatabaseUnusable, Reader
from storage.home import Home
from storage.writing import StatementFailed, WriteConnection
from tests.actors.domain import making

ACME, IBM = Symbol("ACME"), Symbol("IBM")
COLUMNS = ("sessions", "open", "high", "low", "close", "volume", "adj_close")
END = dt.date(2013, 12, 31)


def walk(count: int, seed: int = 1) -> Bars:
    """So many bars up to 2013-03-01, no two columns alike."""
    closes = making.walk(count, seed)
    return making.bars(closes, volume=(closes * 1e6).tolist(), adj_close=(closes / 7).tolist())


def same(one: Bars | None, other: Bars) -> bool:
    return one is not None and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


def first(whole: Bars, rows: int) -> Bars:
    return Bars(*(getattr(whole, name)[:rows] for name in COLUMNS))


def changes(connection: WriteConnection, read: Reader, new: Bars) -> list[tuple[str, int]]:
    """Store them; which years were written or deleted."""
    statements = bars.replace(read, ACME, new)
    connection.commit([statements])
    return [(statement.sql.split()[0], year) for statement in statements for year in years(statement)]


def years(statement: Statement) -> Iterable[int]:
    year = statement.values[1]
    assert isinstance(year, int)
    return [year]


def test_bars_come_back_as_they_were(connection: WriteConnection, read: Reader) -> None:
    whole = walk(1_000)
    changes(connection, read, whole)

    assert same(bars.load(read, ACME, END, 50), whole)
    assert bars.last_session(read, ACME) == dt.date(2013, 3, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 59, 60, 61])
def test_an_odd_number_of_rows_comes_back_too(connection: WriteConnection, read: Reader, count: int) -> None:
    changes(connection, read, walk(count))

    assert same(bars.load(read, ACME, END, 50), walk(count))


def test_figures_no_decimal_can_hold_come_back_bit_by_bit(connection: WriteConnection, read: Reader) -> None:
    plain, volumes = walk(3), np.array([0.0, -0.0, float("nan")])
    closes = np.array([5e-324, 1.7976931348623157e308, 0.1 + 0.2])
    odd = Bars(plain.sessions, plain.open, plain.high, plain.low, closes, volumes, plain.adj_close)
    changes(connection, read, odd)

    back = bars.load(read, ACME, END, 1)

    assert back is not None
    assert back.close.tobytes() == odd.close.tobytes()
    assert back.volume.tobytes() == odd.volume.tobytes()


def test_only_years_that_have_changed_are_written(connection: WriteConnection, read: Reader) -> None:
    whole = walk(1_000)
    closes = whole.close.copy()
    closes[500] += 0.01  # in 2011
    changed = Bars(whole.sessions, whole.open, whole.high, whole.low, closes, whole.volume, whole.adj_close)

    assert changes(connection, read, first(whole, 999)) == [("INSERT", year) for year in (2010, 2011, 2012, 2013)]
    assert changes(connection, read, first(whole, 999)) == []
    assert changes(connection, read, whole) == [("INSERT", 2013)]
    assert changes(connection, read, changed) == [("INSERT", 2011)]
    assert same(bars.load(read, ACME, END, 50), changed)


@pytest.mark.parametrize("name", COLUMNS[1:])
def test_a_change_in_any_column_is_noticed(connection: WriteConnection, read: Reader, name: str) -> None:
    whole = walk(10)
    changes(connection, read, whole)
    columns = {column: getattr(whole, column) for column in COLUMNS}

    assert changes(connection, read, Bars(**columns | {name: columns[name] * 2})) == [("INSERT", 2013)]


def test_a_history_that_has_shrunk_loses_its_years(connection: WriteConnection, read: Reader) -> None:
    whole = walk(1_000)
    changes(connection, read, whole)
    short = first(whole, 300)

    assert changes(connection, read, short) == [("INSERT", 2011), ("DELETE", 2012), ("DELETE", 2013)]
    assert same(bars.load(read, ACME, END, 50), short)


def test_one_symbols_bars_are_not_anothers(connection: WriteConnection, read: Reader) -> None:
    changes(connection, read, walk(10))
    connection.commit([bars.replace(read, IBM, walk(20, seed=2))])

    assert same(bars.load(read, ACME, END, 50), walk(10))
    assert bars.load(read, Symbol("AC"), END, 50) is None
    assert bars.last_session(read, Symbol("AC")) is None


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A thousand bars on disk."""
    from storage.migrations import open_for_writing

    home = Home(tmp_path_factory.mktemp("bars"))
    connection = open_for_writing(home, {}, 0)
    connection.commit([bars.replace(Reader(home.database), ACME, walk(1_000))])
    connection.close()
    return Reader(home.database)


@given(st.dates(dt.date(2009, 1, 1), dt.date(2014, 1, 1)), st.integers(0, 5))
def test_nothing_after_the_day_asked_for_is_ever_loaded_and_nothing_before_it_is_lost(
    stored: Reader, until: dt.date, back: int
) -> None:
    loaded = bars.load(stored, ACME, until, back)

    whole = walk(1_000)
    begin = np.datetime64(f"{until.year - back:04}-01-01")
    wanted = whole.sessions[(whole.sessions <= np.datetime64(until)) & (whole.sessions >= begin)]
    assert np.array_equal(loaded.sessions if loaded else [], wanted)
    if loaded:
        rows = np.isin(whole.sessions, wanted)
        for name in COLUMNS:
            assert np.array_equal(getattr(loaded, name), getattr(whole, name)[rows])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE bars SET columns = CAST(substr(columns, 1, length(columns) - 1) || x'ff' AS BLOB) WHERE year = 2012",
        "UPDATE bars SET columns = x'' WHERE year = 2012",
        "UPDATE bars SET columns = CAST(columns || columns AS BLOB) WHERE year = 2012",
        "UPDATE bars SET digest = x'00' WHERE year = 2012",
    ],
)
def test_bars_that_are_not_what_was_written_are_refused_in_one_sentence(
    connection: WriteConnection, read: Reader, damage: str
) -> None:
    changes(connection, read, walk(1_000))
    assert not isinstance(connection.commit([[Statement(damage)]])[0], StatementFailed)

    with pytest.raises(DatabaseUnusable) as refused:
        bars.load(read, ACME, END, 50)

    assert str(refused.value) == (
        f"database {read.path}: damaged (bars of ACME in 2012); put a backup in its place or start in a new home"
    )
    assert bars.load(read, ACME, END, 0) is not None


def test_the_digest_tells_whether_any_bar_of_these_symbols_has_changed(
    connection: WriteConnection, read: Reader
) -> None:
    changes(connection, read, walk(500))
    before = bars.digest(read, [ACME, IBM])
    connection.commit([bars.replace(read, Symbol("FB"), walk(20))])
    other_symbol = bars.digest(read, [IBM, ACME])
    changes(connection, read, walk(500, seed=2))

    assert before == other_symbol
    assert bars.digest(read, [ACME, IBM]) != before
    assert bars.digest(read, [IBM]) != before


def test_the_digest_tells_bars_of_one_symbol_from_the_same_of_another(
    connection: WriteConnection, read: Reader
) -> None:
    connection.commit([bars.replace(read, ACME, walk(5)), bars.replace(read, IBM, walk(5))])

    assert bars.digest(read, [ACME]) != bars.digest(read, [IBM])


def test_the_sessions_are_those_of_all_symbols_from_the_year_before_on_or_of_the_last_there_is(
    connection: WriteConnection, read: Reader
) -> None:
    assert bars.sessions(read, END) == []
    whole = walk(500)
    odd = Bars(*(getattr(whole, name)[::7] for name in COLUMNS))
    connection.commit([bars.replace(read, ACME, odd), bars.replace(read, IBM, first(whole, 450))])

    found = bars.sessions(read, dt.date(2013, 12, 31))

    expected = {*odd.sessions.tolist(), *whole.sessions[:450].tolist()}
    assert found == sorted(day for day in expected if day.year >= 2012)
    assert len(found) > 300
    assert bars.sessions(read, dt.date(2026, 1, 1)) == [day for day in found if day.year == 2013]


def test_the_markets_time_is_the_newest_session_of_all_and_each_symbol_has_its_own(
    connection: WriteConnection, read: Reader
) -> None:
    assert (bars.market_time(read), bars.newest(read, [ACME])) == (None, {})
    whole = walk(1_000)
    connection.commit([bars.replace(read, ACME, first(whole, 700)), bars.replace(read, IBM, first(whole, 999))])
    before = bars.newest(read, [ACME])
    connection.commit([bars.replace(read, ACME, first(whole, 701))])
    after = bars.newest(read, [ACME])

    assert bars.market_time(read) == dt.date(2013, 2, 28)
    assert (before[ACME][0], after[ACME][0]) == (2012, 2012)
    assert before != after
