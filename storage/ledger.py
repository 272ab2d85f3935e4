"""The ledger: tables `ledger_transactions` and `ledger_entries`, append-only double entries in units of 1e-9."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal

from messages.database import Many, Statement
from messages.trading import Held, Holding
from messages.values import CorrelationId, Symbol, from_units, to_units
from storage.connections import Reader

Entry = tuple[str, Symbol | None, int, int, str | None]
"""A line of the books: account, symbol, quantity, amount, and when it was acquired."""


def opening(
    holdings: Sequence[Holding], cash: Decimal, origin: str, correlation_id: CorrelationId, now: int
) -> tuple[Statement | Many, ...]:
    """Reverse the opening that stands, if there is one, and open the books anew.

    Each holding is one line in `holdings` and its counterpart in `opening`, so that amounts and quantities sum to
    zero. Raises OutOfRange where a product of quantity and cost cannot be stored.
    """
    begin = Statement(
        "INSERT INTO ledger_transactions (kind, origin, correlation_id, at) VALUES ('opening', ?, ?, ?) RETURNING id",
        (origin, correlation_id, now),
    )
    lines = [_line("holdings", "opening", held) for held in holdings]
    if cash:
        lines.append(_money(to_units(cash)))
    entries = Many(
        """INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount, acquired)
        VALUES ((SELECT max(id) FROM ledger_transactions WHERE kind = 'opening'), ?, ?, ?, ?, ?)""",
        tuple(line for pair in lines for line in pair),
    )
    return (begin, *_reverse(correlation_id, now), entries)


def _reverse(correlation_id: CorrelationId, now: int) -> tuple[Statement, Statement]:
    # The opening just begun has no entries yet, which is how these two tell it from the one that stands.
    return (
        Statement(
            """INSERT INTO ledger_transactions (kind, origin, reverses, correlation_id, at)
            SELECT 'reversal', old.origin, old.id, ?, ? FROM ledger_transactions AS old
            WHERE old.kind = 'opening' AND old.id < (SELECT max(id) FROM ledger_transactions WHERE kind = 'opening')
            AND NOT EXISTS (SELECT 1 FROM ledger_transactions AS new WHERE new.reverses = old.id)""",
            (correlation_id, now),
        ),
        Statement(
            """INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount, acquired)
            SELECT new.id, line.account, line.symbol, -line.quantity, -line.amount, line.acquired
            FROM ledger_transactions AS new JOIN ledger_entries AS line ON line.transaction_id = new.reverses
            WHERE NOT EXISTS (SELECT 1 FROM ledger_entries AS have WHERE have.transaction_id = new.id)
            ORDER BY line.id"""
        ),
    )


def _line(account: str, against: str, holding: Holding) -> tuple[Entry, Entry]:
    quantity, amount = to_units(holding.quantity), to_units(holding.quantity * holding.cost)
    acquired = holding.acquired.isoformat() if holding.acquired else None
    return (
        (account, holding.symbol, quantity, amount, acquired),
        (against, holding.symbol, -quantity, -amount, acquired),
    )


def _money(amount: int) -> tuple[Entry, Entry]:
    return ("cash", None, 0, amount, None), ("opening", None, 0, -amount, None)


def held(read: Reader) -> list[Held]:
    """What is held now, in order of symbol, each with its whole cost.

    Summed in the order of booking: in another the reversals alone can go beyond what an integer holds.
    """
    rows = read.rows(
        tuple[str, int, int],
        """SELECT symbol, sum(quantity ORDER BY id) AS quantities, sum(amount ORDER BY id) FROM ledger_entries
        WHERE account = 'holdings' GROUP BY symbol HAVING quantities <> 0 ORDER BY symbol""",
    )
    return [Held(Symbol(symbol), from_units(quantity), from_units(amount)) for symbol, quantity, amount in rows]


def cash(read: Reader) -> Decimal:
    """The cash there is."""
    sql = "SELECT coalesce(sum(amount ORDER BY id), 0) FROM ledger_entries WHERE account = 'cash'"
    return from_units(read.rows(tuple[int], sql)[0][0])


def unbalanced(read: Reader) -> int | None:
    """The first transaction whose entries do not sum to zero, in amount or, symbol by symbol, in quantity."""
    sql = """SELECT transaction_id FROM ledger_entries GROUP BY transaction_id HAVING sum(amount ORDER BY id) <> 0
        UNION ALL SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, symbol
        HAVING sum(quantity ORDER BY id) <> 0 ORDER BY 1 LIMIT 1"""
    return next((number for (number,) in read.rows(tuple[int], sql)), None)


def is_open(read: Reader) -> bool:
    """Whether anything was ever imported."""
    return bool(read.rows(tuple[int], "SELECT 1 FROM ledger_transactions LIMIT 1"))


def digest(read: Reader) -> str:
    """What tells whether the holdings or the cash have changed."""
    return hashlib.sha256(repr((held(read), cash(read))).encode()).hexdigest()
