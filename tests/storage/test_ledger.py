"""Double entries that sum to zero, and imports that replace one another by reversal."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.trading import Held, Holding
from messages.values import CorrelationId, OutOfRange, Symbol, to_units
from storage import ledger
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection

AAPL, IBM, FB = Symbol("AAPL"), Symbol("IBM"), Symbol("FB")
ROUND = CorrelationId("c" * 32)
FIRST = [
    Holding(AAPL, Decimal("2.5"), Decimal("430.47"), dt.date(2010, 6, 1)),
    Holding(IBM, Decimal(40), Decimal(89), None),
]
SECOND = [Holding(FB, Decimal("0.000000001"), Decimal("17.729"), None), Holding(IBM, Decimal(1), Decimal(200), None)]
AMOUNTS = st.decimals(Decimal("0.000000001"), Decimal(90_000), places=9)
HOLDINGS = st.lists(
    st.builds(Holding, st.sampled_from([AAPL, IBM, FB]), AMOUNTS, AMOUNTS, st.none()),
    max_size=3,
    unique_by=lambda holding: holding.symbol,
)


def open_books(connection: WriteConnection, holdings: list[Holding], cash: str = "0") -> list[tuple[object, ...]]:
    [result] = connection.commit([ledger.opening(holdings, Decimal(cash), "a file", ROUND, 7)])
    assert isinstance(result, tuple), result
    return list(result[-1])


def unbalanced(read: Reader) -> list[tuple[int, str | None, int, int]]:
    """Transactions whose entries do not sum to zero, in amount or, symbol by symbol, in quantity."""
    return read.rows(
        tuple[int, str | None, int, int],
        """SELECT transaction_id, symbol, sum(quantity), sum(amount) FROM ledger_entries
        GROUP BY transaction_id, symbol HAVING sum(quantity) <> 0 OR sum(amount) <> 0""",
    )


def entries(read: Reader, transaction: int) -> list[tuple[str, str | None, int, int, str | None]]:
    sql = "SELECT account, symbol, quantity, amount, acquired FROM ledger_entries WHERE transaction_id = ? ORDER BY id"
    return read.rows(tuple[str, str | None, int, int, str | None], sql, transaction)


def transactions(read: Reader) -> list[tuple[int, str, int | None]]:
    return read.rows(tuple[int, str, int | None], "SELECT id, kind, reverses FROM ledger_transactions ORDER BY id")


def as_held(holdings: list[Holding]) -> list[Held]:
    """What the books must say after these were imported."""
    return [
        Held(holding.symbol, holding.quantity, Decimal(to_units(holding.quantity * holding.cost)).scaleb(-9))
        for holding in sorted(holdings, key=lambda holding: holding.symbol)
    ]


def test_books_that_were_never_opened_are_empty(connection: WriteConnection, read: Reader) -> None:
    assert ledger.held(read) == []
    assert ledger.cash(read) == 0
    assert not ledger.is_open(read)


def test_an_opening_holds_what_it_was_given_and_sums_to_zero(connection: WriteConnection, read: Reader) -> None:
    opened = open_books(connection, FIRST, "10000.01")

    assert opened == [(1,)]
    assert ledger.held(read) == as_held(FIRST)
    assert ledger.held(read)[0] == Held(AAPL, Decimal("2.5"), Decimal("1076.175"))
    assert ledger.cash(read) == Decimal("10000.01")
    assert ledger.is_open(read)
    assert unbalanced(read) == []
    assert entries(read, 1) == [
        ("holdings", "AAPL", 2_500_000_000, 1_076_175_000_000, "2010-06-01"),
        ("opening", "AAPL", -2_500_000_000, -1_076_175_000_000, "2010-06-01"),
        ("holdings", "IBM", 40_000_000_000, 3_560_000_000_000, None),
        ("opening", "IBM", -40_000_000_000, -3_560_000_000_000, None),
        ("cash", None, 0, 10_000_010_000_000, None),
        ("opening", None, 0, -10_000_010_000_000, None),
    ]


def test_a_second_import_reverses_the_first_exactly(connection: WriteConnection, read: Reader) -> None:
    open_books(connection, FIRST, "10000")
    before = entries(read, 1)

    assert open_books(connection, SECOND, "5") == [(3,)]

    assert transactions(read) == [(1, "opening", None), (2, "reversal", 1), (3, "opening", None)]
    assert entries(read, 1) == before
    assert [line[:4] for line in entries(read, 2)] == [
        (account, symbol, -quantity, -amount) for account, symbol, quantity, amount, _ in before
    ]
    assert ledger.held(read) == as_held(SECOND)
    assert ledger.cash(read) == 5
    assert unbalanced(read) == []


def test_a_third_import_reverses_the_second_alone(connection: WriteConnection, read: Reader) -> None:
    for holdings, cash in ((FIRST, "10000"), (SECOND, "5"), (FIRST[:1], "0")):
        open_books(connection, holdings, cash)

    assert [reverses for _, kind, reverses in transactions(read) if kind == "reversal"] == [1, 3]
    assert ledger.held(read) == as_held(FIRST[:1])
    assert ledger.cash(read) == 0
    assert unbalanced(read) == []


def test_cash_alone_and_nothing_at_all_can_be_imported_and_reversed(connection: WriteConnection, read: Reader) -> None:
    for holdings, cash in (([], "7"), ([], "0"), (FIRST, "0"), ([], "8")):
        open_books(connection, holdings, cash)

        assert ledger.held(read) == as_held(holdings)
        assert ledger.cash(read) == Decimal(cash)
    assert unbalanced(read) == []


@pytest.fixture(scope="module")
def old_books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WriteConnection]:
    """Books into which every example is imported, one after the other."""
    connection = open_for_writing(Home(tmp_path_factory.mktemp("ledger")), {}, 0)
    yield connection
    connection.close()


@given(st.lists(st.tuples(HOLDINGS, st.decimals(0, 1_000_000, places=9)), min_size=1, max_size=4))
def test_after_any_imports_the_books_are_those_of_the_last(
    old_books: WriteConnection, imports: list[tuple[list[Holding], Decimal]]
) -> None:
    read = Reader(old_books.path)

    old_books.commit([ledger.opening(holdings, cash, "a file", ROUND, 7) for holdings, cash in imports])

    assert ledger.held(read) == as_held(imports[-1][0])
    assert ledger.cash(read) == imports[-1][1]
    assert unbalanced(read) == []


def test_large_amounts_can_be_imported_as_often_as_one_likes(connection: WriteConnection, read: Reader) -> None:
    large = [Holding(AAPL, Decimal(9_000_000_000), Decimal(1), None)]

    for _ in range(5):
        open_books(connection, large, "9000000000")

    assert ledger.held(read) == as_held(large)
    assert ledger.cash(read) == 9_000_000_000


def test_a_cost_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(OutOfRange):
        ledger.opening([Holding(AAPL, Decimal(100_000), Decimal(100_000), None)], Decimal(0), "a file", ROUND, 0)


def test_the_digest_tells_whether_holdings_or_cash_have_changed(connection: WriteConnection, read: Reader) -> None:
    digests = list[str]()
    for holdings, cash in ((FIRST, "1"), (FIRST, "1"), (FIRST, "2"), (FIRST[:1], "2")):
        open_books(connection, holdings, cash)
        digests.append(ledger.digest(read))

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
