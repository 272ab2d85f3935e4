"""The paper broker's books, in units of 1e-9: tables `paper_orders`, `paper_executions`, `paper_sessions` and
`paper_adjustments`."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from messages.broker import Adjusted, ClientId, Execution, InForce, Kind, Seen, Side, Stage, Ticket
from messages.database import SqlValue, Statement
from messages.market import ActionKind
from messages.paper import Order
from messages.values import Symbol, from_units, to_units
from storage.connections import Reader

_KEEP: Final = """INSERT INTO paper_orders (client_id, parent, symbol, side, quantity, kind, in_force, limit_price,
        stop_price, trail, take_profit, stop_loss, came, stage, filled, triggered, best, why, change, at, ended_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15,
        value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20
    FROM json_each(?) WHERE true ORDER BY key
    ON CONFLICT (client_id) DO UPDATE SET quantity = excluded.quantity, change = excluded.change,
        stage = excluded.stage, filled = excluded.filled, triggered = excluded.triggered, best = excluded.best,
        why = excluded.why,
        ended_at = excluded.ended_at, limit_price = excluded.limit_price, stop_price = excluded.stop_price,
        trail = excluded.trail, take_profit = excluded.take_profit, stop_loss = excluded.stop_loss"""
_EXECUTE: Final = """INSERT INTO paper_executions (execution_id, client_id, symbol, side, quantity, price, amount, fee,
    session, at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9
    FROM json_each(?) ORDER BY key"""
_ADJUST: Final = """INSERT INTO paper_adjustments (client_id, session, kind, at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) ORDER BY key"""
_MATCHED: Final = """INSERT INTO paper_sessions (symbol, session)
    SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
    ON CONFLICT (symbol) DO UPDATE SET session = excluded.session"""
WHOLE: Final = 1_000_000_000
"""Units that are summed apart from the rest, since the sum of all may be more than an integer of SQLite's holds."""


@dataclass(frozen=True, slots=True)
class Known:
    """An order that is there, and its symbol."""

    symbol: Symbol
    seen: Seen


@dataclass(frozen=True, slots=True)
class Traded:
    """All executions of one symbol on one side together: shares, what they moved, and fees."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    amount: Decimal
    fees: Decimal


def write(
    orders: Iterable[Order],
    executions: Iterable[tuple[Execution, Decimal]],
    matched: Mapping[Symbol, dt.date],
    now: int,
    adjusted: Iterable[Adjusted] = (),
) -> tuple[Statement, ...]:
    """Keep these orders as they now are, in order of arrival, and these executions, each with what it moves.

    All of a kind is one statement, which SQLite works through without the interpreter's lock in between.
    """
    kinds = (
        (_KEEP, [_row(order, now) for order in orders]),
        (_EXECUTE, [_execution(execution, moved) for execution, moved in executions]),
        (_ADJUST, [(each.client_id, each.session.isoformat(), each.kind, now) for each in adjusted]),
        (_MATCHED, [(symbol, session.isoformat()) for symbol, session in matched.items()]),
    )
    return tuple(Statement(sql, (msgspec.json.encode(rows).decode(),)) for sql, rows in kinds if rows)


def _row(order: Order, now: int) -> tuple[SqlValue, ...]:
    ticket, kept = order.ticket, order.stage is not Stage.REJECTED
    amounts = (ticket.limit, ticket.stop, ticket.trail, ticket.take_profit, ticket.stop_loss)
    return (
        ticket.client_id, order.parent, ticket.symbol, str(ticket.side), _units(ticket.quantity) if kept else None,
        str(ticket.kind), str(ticket.in_force), *(_units(amount) if kept else None for amount in amounts),
        order.came.isoformat() if order.came else None, str(order.stage), to_units(order.filled), int(order.triggered),
        _units(order.best), order.why, order.change, now, None if order.stage is Stage.WORKING else now,
    )  # fmt: skip


def _execution(execution: Execution, moved: Decimal) -> tuple[SqlValue, ...]:
    return (
        execution.execution_id, execution.client_id, execution.symbol, str(execution.side),
        to_units(execution.quantity), to_units(execution.price), to_units(moved), to_units(execution.fee),
        execution.session.isoformat(), execution.at,
    )  # fmt: skip


def find(read: Reader, client_ids: Iterable[ClientId]) -> dict[ClientId, Known]:
    """The orders of these ids, as far as there are any. Ids are of ASCII."""
    rows = read.rows(
        tuple[str, str, str, int, str, int],
        """SELECT client_id, symbol, stage, filled, why, change FROM paper_orders
        WHERE client_id IN (SELECT value FROM json_each(?))""",
        msgspec.json.encode(list(client_ids)).decode(),
    )
    return {
        ClientId(id_): Known(Symbol(symbol), Seen(ClientId(id_), Stage(stage), from_units(filled), why, change))
        for id_, symbol, stage, filled, why, change in rows
    }


def working(read: Reader) -> list[Order]:
    """The orders that have not ended, in order of arrival."""
    rows = read.rows(
        tuple[
            str, str | None, str, str, int, str, str, int | None, int | None, int | None, int | None, int | None, str,
            int, int, int | None, str, int,
        ],
        """SELECT client_id, parent, symbol, side, quantity, kind, in_force, limit_price, stop_price, trail,
            take_profit, stop_loss, came, filled, triggered, best, why, change
        FROM paper_orders WHERE stage = 'working' ORDER BY number""",
    )  # fmt: skip
    return [
        Order(
            Ticket(
                ClientId(client_id), Symbol(symbol), Side(side), from_units(quantity), Kind(kind), InForce(in_force),
                *map(_amount, (limit, stop, trail, take_profit, stop_loss)),
            ),
            dt.date.fromisoformat(came), Stage.WORKING, from_units(filled), bool(triggered), _amount(best),
            ClientId(parent) if parent else None, why, change,
        )
        for client_id, parent, symbol, side, quantity, kind, in_force, limit, stop, trail, take_profit, stop_loss, came,
            filled, triggered, best, why, change in rows
    ]  # fmt: skip


def lately(read: Reader, since: int) -> tuple[Seen, ...]:
    """The orders that work and those that ended since then, UTC in microseconds, in order of arrival."""
    rows = read.rows(
        tuple[int, str, str, int, str, int],
        """SELECT +number AS arrival, client_id, stage, filled, why, change FROM paper_orders WHERE stage = 'working'
        UNION ALL SELECT +number, client_id, stage, filled, why, change FROM paper_orders WHERE ended_at >= ?
        ORDER BY arrival""",  # by + they are sorted, and not all there are read in their order
        since,
    )
    return tuple(
        Seen(ClientId(id_), Stage(stage), from_units(filled), why, change)
        for _, id_, stage, filled, why, change in rows
    )


def executions(read: Reader, since: int) -> tuple[Execution, ...]:
    """What was executed since then, UTC in microseconds, in order."""
    rows = read.rows(
        tuple[str, str, str, str, int, int, int, str, int],
        """SELECT client_id, execution_id, symbol, side, quantity, price, fee, session, at FROM paper_executions
        WHERE at >= ? ORDER BY +number""",
        since,
    )
    return tuple(
        Execution(
            ClientId(client_id), execution_id, Symbol(symbol), Side(side), from_units(quantity), from_units(price),
            from_units(fee), dt.date.fromisoformat(session), at,
        )
        for client_id, execution_id, symbol, side, quantity, price, fee, session, at in rows
    )  # fmt: skip


def adjusted(read: Reader, since: int) -> tuple[Adjusted, ...]:
    """Orders that splits and dividends have changed since then, UTC in microseconds."""
    rows = read.rows(
        tuple[str, str, str, str],
        """SELECT one.client_id, symbol, one.session, one.kind FROM paper_adjustments AS one
        JOIN paper_orders AS of ON of.client_id = one.client_id
        WHERE one.at >= ? ORDER BY one.session, one.kind, number""",
        since,
    )
    return tuple(
        Adjusted(ClientId(id_), Symbol(symbol), dt.date.fromisoformat(session), ActionKind(kind))
        for id_, symbol, session, kind in rows
    )


def traded(read: Reader) -> list[Traded]:
    """All that was ever executed, in order of symbol and side."""
    rows = read.rows(
        tuple[str, str, int, int, int, int, int],
        f"""SELECT symbol, side, sum(quantity / {WHOLE}), sum(quantity % {WHOLE}), sum(amount / {WHOLE}),
            sum(amount % {WHOLE}), sum(fee)
        FROM paper_executions GROUP BY symbol, side ORDER BY symbol, side""",
    )
    return [
        Traded(
            Symbol(symbol), Side(side), shares + from_units(parts), whole + from_units(rest), from_units(fees)
        )
        for symbol, side, shares, parts, whole, rest, fees in rows
    ]  # fmt: skip


def used(read: Reader, symbol: Symbol, session: dt.date) -> Decimal:
    """How many shares were executed against a session."""
    sql = "SELECT coalesce(sum(quantity), 0) FROM paper_executions WHERE symbol = ? AND session = ?"
    return from_units(read.rows(tuple[int], sql, symbol, session.isoformat())[0][0])


def matched(read: Reader) -> dict[Symbol, dt.date]:
    """Up to which session the orders of each symbol were matched."""
    rows = read.rows(tuple[str, str], "SELECT symbol, session FROM paper_sessions")
    return {Symbol(symbol): dt.date.fromisoformat(session) for symbol, session in rows}


def _units(amount: Decimal | None) -> int | None:
    return None if amount is None else to_units(amount)


def _amount(units: int | None) -> Decimal | None:
    return None if units is None else from_units(units)
