"""Orders and their fills: tables `trading_orders`, `trading_fills`, `trading_journal` and `trading_states`."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import msgspec

from messages.broker import ClientId, Execution, InForce, Kind, Side, Ticket
from messages.database import Statement
from messages.trading import Order, OrderState, TradingState
from messages.values import CorrelationId, from_units, to_units
from storage.connections import Reader
from storage.payloads import Undecodable

ALL: Final = "all"
"""The scope of a state that holds for every broker."""
_TICKET: Final = msgspec.json.Decoder(Ticket)
_COLUMNS: Final = (
    "id, decision, correlation_id, broker, quantity, filled, price, ticket, state, why, approved_by, mandate, "
    "staged_at, expires_at"
)


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the journal; `at` is UTC in microseconds."""

    what: str
    sentence: str
    at: int


def client_id(decision: str, leg: str) -> ClientId:
    """The id that this leg of this decision always has, so that it can be sent twice and is one order."""
    return ClientId(hashlib.sha256(f"{decision} {leg}".encode()).hexdigest()[:24])


# What the trading coordinator writes


def insert(order: Order) -> tuple[Statement, ...]:
    """Keep a new one, and say so in the journal; if it is there nothing happens."""
    ticket = order.ticket
    return (
        Statement(
            """INSERT INTO trading_orders (id, decision, correlation_id, broker, symbol, side, quantity, filled, price,
                ticket, state, why, approved_by, mandate, staged_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                order.id, order.decision, order.correlation_id, order.broker, ticket.symbol, ticket.side,
                to_units(ticket.quantity), to_units(order.price), msgspec.json.encode(ticket).decode(), order.state,
                order.why, order.approved_by, order.mandate, order.staged_at, order.expires_at,
            ),
        ),
        note(order.id, order.state, order.why, order.staged_at),
    )  # fmt: skip


def move(id_: ClientId, state: OrderState, why: str, now: int) -> tuple[Statement, ...]:
    """Bring it to another state, for this reason."""
    return (
        Statement("UPDATE trading_orders SET state = ?, why = ? WHERE id = ?", (state, why, id_)),
        note(id_, state, why, now),
    )


def approve(order: Order, now: int) -> tuple[Statement, ...]:
    """The intent: from now on it is to be sent, as this ticket and no other."""
    return (
        Statement(
            """UPDATE trading_orders SET state = 'approved', quantity = ?, price = ?, ticket = ?, why = ?,
                approved_by = ?, mandate = ? WHERE id = ?""",
            (
                to_units(order.ticket.quantity), to_units(order.price), msgspec.json.encode(order.ticket).decode(),
                order.why, order.approved_by, order.mandate, order.id,
            ),
        ),
        note(order.id, OrderState.APPROVED, f"by {order.approved_by}: {order.why}", now),
    )  # fmt: skip


def amend(order: Order, ticket: Ticket, why: str, now: int) -> tuple[Statement, ...]:
    """It works at the prices of this ticket, and a share of it may take as much."""
    price = ticket.limit or ticket.stop or order.price
    return (
        Statement(
            "UPDATE trading_orders SET ticket = ?, price = ? WHERE id = ?",
            (msgspec.json.encode(ticket).decode(), to_units(price), order.id),
        ),
        note(order.id, "amended", why, now),
    )


def fill(order: Order, execution: Execution, now: int) -> tuple[Statement, ...]:
    """A part of it was filled; with the last one it is. Twice the same is refused."""
    return (
        Statement(
            """INSERT INTO trading_fills (broker, execution_id, order_id, quantity, price, fee, session, at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                order.broker, execution.execution_id, order.id, to_units(execution.quantity),
                to_units(execution.price), to_units(execution.fee), execution.session.isoformat(), execution.at,
            ),
        ),
        Statement(
            """UPDATE trading_orders SET filled = filled + ?1, state = CASE
                WHEN state NOT IN ('approved', 'working') THEN state
                WHEN filled + ?1 = quantity THEN 'filled' ELSE 'working' END WHERE id = ?2""",
            (to_units(execution.quantity), order.id),
        ),
        *(statement for leg in _legs(order, execution) for statement in _grow(leg)),
        note(order.id, "fill", f"{execution.quantity:f} at {execution.price:f}, fee {execution.fee:f}", now),
    )  # fmt: skip


def _legs(order: Order, execution: Execution) -> Iterator[Order]:
    """What protects this part of a position, at the broker from now on: of the two one cancels the other."""
    ticket, back = order.ticket, Side.SELL if order.ticket.side is Side.BUY else Side.BUY
    for leg, kind, price in (("tp", Kind.LIMIT, ticket.take_profit), ("sl", Kind.STOP, ticket.stop_loss)):
        if price is not None:
            limit, stop = (price, None) if kind is Kind.LIMIT else (None, price)
            id_ = ClientId(f"{order.id}-{leg}")
            part = Ticket(id_, ticket.symbol, back, execution.quantity, kind, InForce.GTC, limit, stop)
            why = f"{'takes the profit' if leg == 'tp' else 'stops the loss'} of order {order.id}"
            yield replace(order, ticket=part, state=OrderState.WORKING, filled=Decimal(0), price=price, why=why)


def _grow(leg: Order) -> tuple[Statement, ...]:
    first, noted = insert(leg)
    more = " ON CONFLICT (id) DO UPDATE SET quantity = quantity + excluded.quantity"
    return Statement(first.sql + more, first.values), noted


def note(id_: str, what: str, sentence: str, now: int) -> Statement:
    """A line of the journal."""
    return Statement(
        "INSERT INTO trading_journal (order_id, what, sentence, at) VALUES (?, ?, ?, ?)", (id_, what, sentence, now)
    )


def set_state(scope: str, state: TradingState, why: str, now: int) -> tuple[Statement, ...]:
    """Trading goes on, or not, until somebody says otherwise."""
    return (
        Statement(
            """INSERT INTO trading_states (scope, state, why, at) VALUES (?, ?, ?, ?)
            ON CONFLICT (scope) DO UPDATE SET state = excluded.state, why = excluded.why, at = excluded.at""",
            (scope, state, why, now),
        ),
        note("", state, f"{scope}: {why}", now),
    )


def note_day(session: dt.date, equity: Decimal) -> Statement:
    """What all was worth when this session was first looked at, and the most since."""
    return Statement(
        """INSERT INTO trading_days (session, opened, peak) VALUES (?1, ?2, ?2)
        ON CONFLICT (session) DO UPDATE SET peak = max(peak, excluded.peak)""",
        (session.isoformat(), to_units(equity)),
    )


def forget_days() -> Statement:
    """What all was worth before says nothing of books that are opened anew."""
    return Statement("DELETE FROM trading_days")


# What anyone reads

ENDED: Final = frozenset(OrderState) - {OrderState.STAGED, OrderState.APPROVED, OrderState.WORKING}


def by_id(read: Reader, id_: str) -> Order | None:
    """The order of this id. Raises Undecodable."""
    return next(iter(_orders(read, "WHERE id = ?", id_)), None)


def starting_with(read: Reader, prefix: str) -> list[Order]:
    """The orders, two at most, whose id begins like this. Raises Undecodable."""
    return _orders(read, "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2", len(prefix), prefix)


def of_decision(read: Reader, decision: str) -> list[Order]:
    """All legs of a decision. Raises Undecodable."""
    return _orders(read, "WHERE decision = ? ORDER BY id", decision)


def open_orders(read: Reader) -> list[Order]:
    """Those that are staged, approved or working, oldest first. Raises Undecodable."""
    return _orders(read, "WHERE state IN ('staged', 'approved', 'working') ORDER BY staged_at, id")


def newest(read: Reader, limit: int) -> list[Order]:
    """The last so many, newest first. Raises Undecodable."""
    return _orders(read, "ORDER BY staged_at DESC, id LIMIT ?", limit)


def sent_since(read: Reader, since: int) -> list[int]:
    """When the orders were staged that were approved since then, UTC in microseconds."""
    sql = """SELECT staged_at FROM trading_orders WHERE staged_at >= ?
        AND state IN ('approved', 'working', 'filled', 'cancelled', 'lapsed', 'refused') ORDER BY staged_at"""
    return [at for (at,) in read.rows(tuple[int], sql, since)]


def sent_under(read: Reader, mandate: str, since: int) -> int:
    """How many orders were approved by this mandate since then."""
    sql = "SELECT count(*) FROM trading_orders WHERE staged_at >= ? AND mandate = ?"
    return read.rows(tuple[int], sql, since, mandate)[0][0]


def is_booked(read: Reader, broker: str, execution_id: str) -> bool:
    """Whether this execution is in the books."""
    sql = "SELECT 1 FROM trading_fills WHERE broker = ? AND execution_id = ?"
    return bool(read.rows(tuple[int], sql, broker, execution_id))


def last_fill(read: Reader, broker: str) -> int:
    """When the newest execution was, UTC in microseconds; 0 if there is none."""
    return read.rows(tuple[int], "SELECT coalesce(max(at), 0) FROM trading_fills WHERE broker = ?", broker)[0][0]


def fills(read: Reader, id_: ClientId) -> list[Execution]:
    """What was executed of an order, in order of time."""
    order = by_id(read, id_)
    assert order is not None, id_
    rows = read.rows(
        tuple[str, int, int, int, str, int],
        "SELECT execution_id, quantity, price, fee, session, at FROM trading_fills WHERE order_id = ? ORDER BY at, 1",
        id_,
    )
    return [
        Execution(
            id_, execution, order.ticket.symbol, order.ticket.side, from_units(quantity), from_units(price),
            from_units(fee), dt.date.fromisoformat(session), at,
        )
        for execution, quantity, price, fee, session, at in rows
    ]  # fmt: skip


def journal(read: Reader, id_: str) -> list[Note]:
    """What happened to an order, in order; of no order in particular with the empty id."""
    sql = "SELECT what, sentence, at FROM trading_journal WHERE order_id = ? ORDER BY id"
    return [Note(*row) for row in read.rows(tuple[str, str, int], sql, id_)]


def state(read: Reader, broker: str) -> tuple[TradingState, str]:
    """Whether trading goes on at this broker, and why not: the stricter of what holds for all and for it."""
    rows = read.rows(
        tuple[str, str, str],
        """SELECT state, scope, why FROM trading_states WHERE scope IN ('all', ?)
        ORDER BY state = 'HALTED' DESC, state = 'REDUCING' DESC, scope LIMIT 1""",
        broker,
    )
    return (TradingState(rows[0][0]), rows[0][2]) if rows else (TradingState.ACTIVE, "")


def day(read: Reader, session: dt.date) -> tuple[Decimal, Decimal] | None:
    """What all was worth when this session began, and the most it ever was up to then; None before the first look."""
    sql = """SELECT opened, (SELECT max(peak) FROM trading_days WHERE session <= ?1) FROM trading_days
        WHERE session = ?1"""
    row = next(iter(read.rows(tuple[int, int], sql, session.isoformat())), None)
    return None if row is None else (from_units(row[0]), from_units(row[1]))


def rejections(read: Reader, symbol: str, limit: int) -> list[str]:
    """Why a person has said no to orders of this symbol, newest first."""
    sql = "SELECT why FROM trading_orders WHERE symbol = ? AND state = 'rejected' ORDER BY staged_at DESC, id LIMIT ?"
    return [why for (why,) in read.rows(tuple[str], sql, symbol, limit)]


def reserved(orders: Iterable[Order]) -> Decimal:
    """Cash that these buys may yet take, at the quotes they were sized at."""
    return sum(
        (
            order.price * (order.ticket.quantity - order.filled)
            for order in orders
            if order.ticket.side is Side.BUY and order.state not in ENDED
        ),
        Decimal(0),
    )


def _orders(read: Reader, which: str, *values: int | str) -> list[Order]:
    rows = read.rows(
        tuple[str, str, str, str, int, int, int, str, str, str, str | None, str | None, int, int],
        f"SELECT {_COLUMNS} FROM trading_orders {which}",
        *values,
    )
    return [
        Order(
            replace(_ticket(id_, ticket), quantity=from_units(quantity)), decision, CorrelationId(about), broker,
            OrderState(state), from_units(filled), from_units(price), why, staged_at, expires_at, by, mandate,
        )
        for id_, decision, about, broker, quantity, filled, price, ticket, state, why, by, mandate, staged_at,
        expires_at in rows
    ]  # fmt: skip


def _ticket(id_: str, payload: str) -> Ticket:
    try:
        return _TICKET.decode(payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Undecodable(f"order {id_}: its ticket cannot be decoded ({error})") from error
