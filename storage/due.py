"""Splits and dividends that trading has not seen to yet, and what they are for: table `trading_actions`, and the ledger
as it was before."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from messages.database import Statement
from messages.lots import Lot
from messages.market import Action
from messages.values import Symbol, from_units
from storage import actions, bars, ledger, states, valuations
from storage.connections import Reader

OLD: Final = dt.timedelta(days=10)
"""Prices that end so long before the import are not of the present, as actors.domain.bars.LONGEST_GAP has it."""


@dataclass(frozen=True, slots=True)
class Due:
    """An action whose session has a bar. It `counts` where the books were opened before that session.

    Else what was imported has it in it already, and only orders are to be changed.
    """

    action: Action
    counts: bool


def due(read: Reader, broker: str, symbol: Symbol | None = None) -> tuple[Due, ...]:
    """Those of one symbol, or of all, in order of session; none where a broker says itself what it has split and paid.

    The books were opened on the day of the import, in UTC. Where prices end long before that, market time goes on from
    the first session that was looked at or valued.
    """
    if broker != ledger.PAPER or not actions.are_there(read) or not (at := ledger.opened_at(read, broker)):
        return ()
    imported = dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).date()
    looked_at = states.first_day(read), valuations.first_session(read)
    began = min((imported, *(session for session in looked_at if session is not None)))
    found = actions.after(read, began - OLD, symbol)
    if found:
        seen_to = _seen_to(read, broker, symbol)
        found = [each for each in found if (each.symbol, each.session.isoformat(), each.kind) not in seen_to]
    ends = {each.symbol: bars.last_session(read, each.symbol) for each in found}
    return tuple(
        Due(each, each.session > (imported if imported - end <= OLD else began))
        for each in found
        if (end := ends[each.symbol]) is not None and each.session <= end
    )


def later(read: Reader, broker: str, action: Action) -> list[Action]:
    """Actions of the same symbol, of later sessions, that trading has seen to already."""
    seen_to = _seen_to(read, broker, action.symbol)
    return [
        each
        for each in actions.after(read, action.session, action.symbol)
        if (each.symbol, each.session.isoformat(), each.kind) in seen_to
    ]


def lots_before(read: Reader, broker: str, symbol: Symbol, session: dt.date) -> list[Lot]:
    """The lots as they were before a session, whatever was booked since, as `ledger.lots`; what they cost is not said.

    It reads all transactions, some milliseconds for 100,000.
    """
    rows = read.rows(
        tuple[str, str | None, int],
        """WITH parts AS (
            SELECT lot, acquired, opened, quantity FROM ledger_lots
            WHERE broker = ?1 AND account = 'holdings' AND symbol = ?2
            UNION ALL SELECT line.lot, line.acquired, line.id, -line.quantity
            FROM ledger_transactions AS of JOIN ledger_entries AS line ON line.transaction_id = of.id
            WHERE of.broker = ?1 AND of.session >= ?3 AND line.account = 'holdings' AND line.symbol = ?2
            AND of.id > (SELECT max(id) FROM ledger_transactions WHERE kind = 'opening' AND broker = ?1))
        SELECT lot, max(acquired), sum(quantity) AS quantities FROM parts
        GROUP BY lot HAVING quantities <> 0 ORDER BY max(acquired), min(opened)""",
        broker, symbol, session.isoformat(),
    )  # fmt: skip
    return [
        Lot(id_, None if acquired is None else dt.date.fromisoformat(acquired), from_units(quantity), Decimal(0))
        for id_, acquired, quantity in rows
    ]


def done(action: Action, broker: str, now: int) -> Statement:
    """It is seen to; twice the same is refused."""
    return Statement(
        "INSERT INTO trading_actions (broker, symbol, session, kind, at) VALUES (?, ?, ?, ?, ?)",
        (broker, action.symbol, action.session.isoformat(), action.kind, now),
    )


def _seen_to(read: Reader, broker: str, symbol: Symbol | None) -> set[tuple[str, str, str]]:
    which = "symbol = ?2" if symbol is not None else "?2 IS NULL"
    sql = f"SELECT symbol, session, kind FROM trading_actions WHERE broker = ?1 AND {which}"
    return set(read.rows(tuple[str, str, str], sql, broker, symbol))
