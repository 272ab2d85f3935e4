"""Books and decisions of the schema before there was a chain come into it whole, and are held to it from then on."""

from decimal import Decimal

from messages.lots import Lot
from messages.trading import Held
from messages.values import CorrelationId, Symbol
from storage import audit, chain, decisions, ledger
from storage.connections import Reader, fetch
from storage.home import Home
from storage.migrations import known, open_for_writing
from tests.storage.conftest import FIXED
from tests.storage.test_payloads import ABSTAIN, BUY

BEFORE = next(number for number, step in enumerate(known()) if step.name.endswith("_books"))
UNIT = 10**9
# An import of 3 AAPL at 100 and 7 of cash, reversed by one of 2 AAPL at 110 and 4 IBM at 200: rows as they were kept.
TRANSACTIONS = [(1, "opening", "a.csv", None, "c1", 5), (2, "opening", "b.csv", None, "c2", 6),
                (3, "reversal", "a.csv", 1, "c2", 6)]  # fmt: skip
ENTRIES = [
    (1, 1, "holdings", "AAPL", 3 * UNIT, 300 * UNIT, "2012-01-03"),
    (2, 1, "opening", "AAPL", -3 * UNIT, -300 * UNIT, "2012-01-03"),
    (3, 1, "cash", None, 0, 7 * UNIT, None),
    (4, 1, "opening", None, 0, -7 * UNIT, None),
    (5, 3, "holdings", "AAPL", -3 * UNIT, -300 * UNIT, "2012-01-03"),
    (6, 3, "opening", "AAPL", 3 * UNIT, 300 * UNIT, "2012-01-03"),
    (7, 3, "cash", None, 0, -7 * UNIT, None),
    (8, 3, "opening", None, 0, 7 * UNIT, None),
    (9, 2, "holdings", "AAPL", 2 * UNIT, 220 * UNIT, None),
    (10, 2, "opening", "AAPL", -2 * UNIT, -220 * UNIT, None),
    (11, 2, "holdings", "IBM", 4 * UNIT, 800 * UNIT, None),
    (12, 2, "opening", "IBM", -4 * UNIT, -800 * UNIT, None),
]
AAPL, IBM = Symbol("AAPL"), Symbol("IBM")


def migrated(home: Home) -> Reader:
    old = open_for_writing(home, FIXED, 0, steps=known()[:BEFORE])
    for row in TRANSACTIONS:
        fetch(old.raw, "INSERT INTO ledger_transactions VALUES (?, ?, ?, ?, ?, ?)", row)
    for entry in ENTRIES:
        fetch(old.raw, "INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?, ?)", entry)
    old.commit([[decisions.insert(each, CorrelationId("1" * 32), 0)] for each in (BUY,)])
    old.close()
    open_for_writing(home, FIXED, 0).close()
    return Reader(home.database)


def test_every_row_keeps_its_id_and_the_sums_are_those_of_the_rows(home: Home) -> None:
    read = migrated(home)

    sql = "SELECT id, transaction_id, account, symbol, quantity, amount, acquired FROM ledger_entries ORDER BY id"
    assert read.rows(tuple[int, int, str, str | None, int, int, str | None], sql) == ENTRIES
    sql = "SELECT id, kind, origin, reverses, correlation_id, at FROM ledger_transactions ORDER BY id"
    assert read.rows(tuple[int, str, str, int | None, str, int], sql) == TRANSACTIONS
    assert ledger.held(read) == [Held(AAPL, Decimal(2), Decimal(220)), Held(IBM, Decimal(4), Decimal(800))]
    assert ledger.cash(read) == 0
    assert ledger.lots(read, ledger.PAPER, AAPL) == [Lot("opening 2", None, Decimal(2), Decimal(220))]
    assert read.rows(tuple[object, ...], "PRAGMA foreign_key_check") == []


def test_the_chain_begins_with_what_was_there_and_goes_on(home: Home) -> None:
    read = migrated(home)

    assert chain.head(read).number == 2
    assert audit.audit(read) is None
    writer = open_for_writing(home, FIXED, 0)
    writer.commit([ledger.opening([], Decimal(5), "c.csv", CorrelationId("c3"), 7)])
    writer.commit([[decisions.insert(ABSTAIN, CorrelationId("2" * 32), 0)]])

    assert chain.head(read).number == 5
    assert audit.audit(read) is None
    assert ledger.cash(read) == 5
    assert ledger.held(read) == []
    writer.close()


def test_what_was_there_before_the_chain_is_held_to_it_too(home: Home) -> None:
    read = migrated(home)
    writer = open_for_writing(home, FIXED, 0)
    for name in ("ledger_transactions_stay", "decisions_stay"):
        fetch(writer.raw, f"DROP TRIGGER {name}")

    fetch(writer.raw, "UPDATE ledger_transactions SET origin = 'z.csv' WHERE id = 1")
    assert "ledger_transactions of old: one of the 3 rows from before the chain" in str(audit.audit(read))
    fetch(writer.raw, "UPDATE ledger_transactions SET origin = 'a.csv' WHERE id = 1; UPDATE decisions SET at = 9")
    assert "decisions of old: one of the 1 rows from before the chain" in str(audit.audit(read))
    writer.close()
