"""The ledger as figures need it, one row a booking: reads `ledger_transactions` and `ledger_entries`."""

import datetime as dt
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Final

from messages.performance import Moved, Movement
from messages.values import Symbol, from_units
from storage.connections import Reader

CASH: Final = frozenset({"cash", "unsettled"})
"""Accounts of money that is the portfolio's own."""
_Row = tuple[int, str, int, str | None, str, str | None, int, int]


def movements(read: Reader) -> list[Movement]:
    """All bookings in their order, whatever their kind."""
    # A database of before there was trading does not say for which session a booking counts.
    sql = "SELECT count(*) FROM pragma_table_info('ledger_transactions') WHERE name = 'session'"
    session = "head.session" if read.rows(tuple[int], sql)[0][0] else "NULL"
    rows = read.rows(
        tuple[int, str, int, str | None, str, str | None, int, int],
        f"""SELECT head.id, head.kind, head.at, {session}, line.account, line.symbol,
            sum(line.quantity ORDER BY line.id), sum(line.amount ORDER BY line.id)
        FROM ledger_transactions AS head JOIN ledger_entries AS line ON line.transaction_id = head.id
        GROUP BY head.id, line.account, line.symbol ORDER BY head.id, line.account, line.symbol""",
    )
    return [_movement(list(lines)) for _, lines in groupby(rows, itemgetter(0))]


def _movement(lines: list[_Row]) -> Movement:
    transaction, kind, at, session, *_ = lines[0]
    symbols = {symbol for *_, symbol, _, _ in lines if symbol is not None}
    moved = (
        Moved(Symbol(symbol), from_units(quantity), from_units(amount))
        for *_, account, symbol, quantity, amount in lines
        if account == "holdings" and symbol is not None and (quantity or amount)
    )
    return Movement(
        transaction,
        kind,
        None if session is None else dt.date.fromisoformat(session),
        at,
        from_units(_amount(lines, CASH)),
        from_units(_amount(lines, ("fees",))),
        tuple(moved),
        Symbol(symbols.pop()) if len(symbols) == 1 else None,
    )


def _amount(lines: list[_Row], accounts: Iterable[str]) -> int:
    return sum(amount for *_, account, _, _, amount in lines if account in accounts)
