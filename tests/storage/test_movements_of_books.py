"""What the ledger books of trades, dividends and splits, as figures see it."""

import datetime as dt
from decimal import Decimal

from actors.domain.equity import Closed, rebuild
from actors.domain.lots import split
from actors.domain.performance import measure
from messages.broker import Side
from messages.trading import Holding
from storage import ledger
from storage.movements import movements
from storage.writing import WriteConnection
from tests.actors.domain.making import LAST, bars
from tests.storage.test_books import AAPL, PAPER, ROUND, Books, deposit, executed

NOON = int(dt.datetime.combine(LAST - dt.timedelta(3), dt.time(12), tzinfo=dt.UTC).timestamp()) * 1_000_000
DAYS = [LAST - dt.timedelta(back) for back in (3, 2, 1, 0)]


def test_a_traded_portfolio_is_worth_what_its_books_say(connection: WriteConnection) -> None:
    books = Books(connection)
    noon = int(dt.datetime.combine(DAYS[0], dt.time(12), tzinfo=dt.UTC).timestamp()) * 1_000_000
    held = [Holding(AAPL, Decimal(10), Decimal(90), None)]
    connection.commit([ledger.opening(held, Decimal(1000), "a.csv", ROUND, noon)])
    books.fill(executed("1", Side.BUY, "5", "110", "1", on=DAYS[1]))
    books.fill(executed("2", Side.SELL, "8", "99", "1", on=DAYS[2]))
    lots = ledger.lots(books.read, PAPER, AAPL)
    books.book(
        ledger.dividend(AAPL, Decimal(7), PAPER, DAYS[3], ROUND, 0),
        ledger.split(AAPL, lots, split(lots, Decimal(2), Decimal(1)), PAPER, DAYS[3], ROUND, 0),
        deposit(Decimal(50), "mine", DAYS[3]),
    )

    found = rebuild(movements(books.read), (), DAYS, {AAPL: bars([100, 110, 99, 60], adj_close=[50, 55, 49.5, 60])})
    assert [day.equity for day in found.days] == [2000, 449 + 1650, 1240 + 693, 1240 + 57 + 14 * 60]
    assert [day.alone for day in found.days] == [2000, 2100, 1990, 1000 + 10 + 50 + 20 * 60]
    assert [day.flow for day in found.days] == [2000, 0, 0, 50]
    assert sum(day.fees for day in found.days) == 2
    assert found.closed == (Closed(AAPL, DAYS[2], Decimal(71)),)
    assert found.unbooked == ()


def test_a_split_leaves_the_equity_as_it_is_and_a_dividend_is_income_and_no_deposit(
    connection: WriteConnection,
) -> None:
    """10 shares at 100; on the second day 3 for 1; on the third 2 a share are paid, and the price falls by that."""
    books = Books(connection)
    connection.commit(
        [ledger.opening([Holding(AAPL, Decimal(10), Decimal(90), None)], Decimal(0), "a.csv", ROUND, NOON)]
    )
    lots = ledger.lots(books.read, PAPER, AAPL)
    books.book(ledger.split(AAPL, lots, split(lots, Decimal(3), Decimal(1)), PAPER, DAYS[1], ROUND, 0))
    books.book(ledger.dividend(AAPL, Decimal(60), PAPER, DAYS[2], ROUND, 0))

    prices = {AAPL: bars([99, 33, 31, 31], adj_close=[31, 31, 31, 31])}
    record = rebuild(movements(books.read), (), DAYS, prices)
    measured = measure(record)

    assert [day.equity for day in record.days] == [990, 990, 990, 990]
    assert [day.flow for day in record.days] == [990, 0, 0, 0]
    assert [day.alone for day in record.days] == [990, 990, 990, 990]
    assert [measured.gained, measured.own.total, measured.trading.trades, measured.unbooked] == [0, 0.0, 0, ()]


def test_a_dividend_that_was_booked_late_is_for_what_was_held_before_that_days_trades(
    connection: WriteConnection,
) -> None:
    """What is left alone has 10 shares and is paid for 10, though 15 are held when it is booked."""
    books = Books(connection)
    held = [Holding(AAPL, Decimal(10), Decimal(90), None)]
    connection.commit([ledger.opening(held, Decimal(1000), "a.csv", ROUND, NOON)])
    books.fill(executed("1", Side.BUY, "5", "100", on=DAYS[2]))
    books.book(ledger.dividend(AAPL, Decimal(20), PAPER, DAYS[2], ROUND, 0))

    record = rebuild(movements(books.read), (), DAYS, {AAPL: bars([100, 100, 100, 100])})

    assert [day.alone for day in record.days] == [2000, 2000, 2020, 2020]
    assert [day.equity for day in record.days] == [2000, 2000, 2020, 2020]


def test_books_that_were_opened_today_were_opened_before_the_split_of_long_ago_that_was_booked_since(
    connection: WriteConnection,
) -> None:
    """Prices of 2013, imported in 2026: what was opened with is of the session before the first split."""
    books, now = Books(connection), NOON + 400_000_000_000_000
    held = [Holding(AAPL, Decimal(10), Decimal(90), None)]
    connection.commit([ledger.opening(held, Decimal(0), "a.csv", ROUND, now)])
    lots = ledger.lots(books.read, PAPER, AAPL)
    books.book(ledger.split(AAPL, lots, split(lots, Decimal(2), Decimal(1)), PAPER, DAYS[2], ROUND, now))

    prices = {AAPL: bars([100, 100, 50, 50], adj_close=[50, 50, 50, 50])}
    record = rebuild(movements(books.read), (), DAYS, prices)

    assert [day.session for day in record.days] == DAYS[1:]
    assert [day.equity for day in record.days] == [1000, 1000, 1000]
    assert [day.flow for day in record.days] == [1000, 0, 0]
    assert record.unbooked == ()
