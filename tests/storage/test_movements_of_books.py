"""What the ledger books of trades, dividends and splits, as figures see it."""

import datetime as dt
from decimal import Decimal

from actors.domain.equity import Closed, rebuild
from actors.domain.lots import split
from messages.broker import Side
from messages.trading import Holding
from storage import ledger
from storage.movements import movements
from storage.writing import WriteConnection
from tests.actors.domain.making import LAST, bars
from tests.storage.test_books import AAPL, PAPER, ROUND, Books, executed

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
        ledger.deposit(Decimal(50), "mine", PAPER, DAYS[3], ROUND, 0),
    )

    found = rebuild(movements(books.read), (), DAYS, {AAPL: bars([100, 110, 99, 60], adj_close=[50, 55, 49.5, 60])})
    assert [day.equity for day in found.days] == [2000, 449 + 1650, 1240 + 693, 1240 + 57 + 14 * 60]
    assert [day.alone for day in found.days] == [2000, 2100, 1990, 1000 + 10 + 50 + 20 * 60]
    assert [day.flow for day in found.days] == [2000, 0, 0, 50]
    assert sum(day.fees for day in found.days) == 2
    assert found.closed == (Closed(AAPL, DAYS[2], Decimal(71)),)
    assert found.unbooked == ()
