"""The ledger's bookings as figures see them: what each moved, whatever it was."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from messages.performance import Moved, Movement
from messages.trading import Holding
from messages.values import CorrelationId, Symbol
from storage import ledger
from storage.connections import Reader, fetch
from storage.movements import movements
from storage.writing import WriteConnection

ACME, IBM = Symbol("ACME"), Symbol("IBM")
ROUND = CorrelationId("c" * 32)
ZERO = Decimal(0)
FIRST = [
    Holding(ACME, Decimal("2.5"), Decimal(4), dt.date(2010, 6, 1)),
    Holding(IBM, Decimal(1), Decimal(9), None),
]


def open_books(connection: WriteConnection, holdings: list[Holding], cash: str, at: int) -> None:
    connection.commit([ledger.opening(holdings, Decimal(cash), "a file", ROUND, at)])


def test_there_is_nothing_in_books_that_were_never_opened(read: Reader) -> None:
    assert movements(read) == []


def test_an_opening_puts_shares_and_cash_in_and_a_later_one_takes_them_out_again(
    connection: WriteConnection, read: Reader
) -> None:
    open_books(connection, FIRST, "100", 7)
    open_books(connection, FIRST[1:], "0", 8)

    one = (Moved(ACME, Decimal("2.5"), Decimal(10)), Moved(IBM, Decimal(1), Decimal(9)))
    back = tuple(Moved(each.symbol, -each.quantity, -each.cost) for each in one)
    first, *others = movements(read)
    assert first == Movement(1, "opening", None, 7, Decimal(100), ZERO, one, None)
    assert sorted((replace(each, transaction=0) for each in others), key=lambda each: each.cash) == [
        Movement(0, "reversal", None, 8, Decimal(-100), ZERO, back, None),
        Movement(0, "opening", None, 8, ZERO, ZERO, one[1:], IBM),
    ]


OF_LATER = """
PRAGMA foreign_keys = OFF;
DROP TABLE ledger_entries; DROP TABLE ledger_transactions;
CREATE TABLE ledger_transactions (id INTEGER PRIMARY KEY, kind TEXT, reverses INTEGER, session TEXT, at INTEGER);
CREATE TABLE ledger_entries (
    id INTEGER PRIMARY KEY, transaction_id INTEGER, account TEXT, symbol TEXT, quantity INTEGER, amount INTEGER);
INSERT INTO ledger_transactions VALUES (1, 'trade', NULL, '2013-02-28', 5), (2, 'settlement', NULL, '2013-03-01', 6),
    (3, 'dividend', NULL, NULL, 7), (4, 'reversal', 1, '2013-03-01', 8);
INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount) VALUES
    (1, 'holdings', 'ACME', 3000000000, 30000000000), (1, 'market', 'ACME', -3000000000, 0),
    (1, 'unsettled', NULL, 0, -31000000000), (1, 'fees', 'ACME', 0, 1000000000),
    (2, 'unsettled', NULL, 0, 31000000000), (2, 'cash', NULL, 0, -31000000000),
    (3, 'cash', 'ACME', 0, 500000000), (3, 'income', 'ACME', 0, -500000000),
    (4, 'holdings', 'ACME', -3000000000, -30000000000), (4, 'unsettled', NULL, 0, 30000000000);
"""


def test_cash_counts_settled_or_not_and_the_session_is_read_where_the_books_keep_it(
    connection: WriteConnection, read: Reader
) -> None:
    """Accounts, kinds and the column `session` that this schema may not have yet."""
    fetch(connection.raw, OF_LATER)

    last = dt.date(2013, 3, 1)
    assert movements(read) == [
        Movement(
            1, "trade", dt.date(2013, 2, 28), 5, Decimal(-31), Decimal(1),
            (Moved(ACME, Decimal(3), Decimal(30)),), ACME,
        ),
        Movement(2, "settlement", last, 6, ZERO, ZERO, (), None),
        Movement(3, "dividend", None, 7, Decimal("0.5"), ZERO, (), ACME),
        Movement(4, "reversal", last, 8, Decimal(30), ZERO, (Moved(ACME, Decimal(-3), Decimal(-30)),), ACME),
    ]  # fmt: skip
