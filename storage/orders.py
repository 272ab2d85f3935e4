"""Orders and their fills: tables `trading_orders`, `trading_fills`, `trading_journal` and `trading_states`."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import msgspec

from messages.broker import ClientId, Execution, InForce, Kind, Side, Ticket
from messages.database import Statement
from messages.trading import Order, OrderState
from messages.values import CorrelationId, Symbol, from_units, to_units
from storage.connections import Reader
from storage.payloads import Undecodable

MINUTE: Final = 60 * 10**6
DAY: Final = 1_440 * MINUTE
"""In microseconds."""
# Rows come as one list, whatever their number: SQLite works through them without the interpreter's lock in between.
_INSERT: Final = """INSERT INTO trading_orders (id, decision, correlation_id, broker, symbol, side, quantity, filled,
        price, ticket, state, why, approved_by, mandate, staged_at, expires_at, watched)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, 0, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15
    FROM json_each(?) WHERE true"""
_GROW: Final = "ON CONFLICT (id) DO UPDATE SET quantity = quantity + excluded.quantity"
_FILL: Final = """INSERT INTO trading_fills (broker, execution_id, order_id, quantity, price, fee, session, at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each(?)"""
_FILLED: Final = """UPDATE trading_orders SET filled = filled + part, state = CASE
        WHEN state NOT IN ('approved', 'working') THEN state
        WHEN filled + part = quantity THEN 'filled' ELSE 'working' END
    FROM (SELECT value ->> 2 AS id, value ->> 3 AS part FROM json_each(?)) AS filling
    WHERE trading_orders.id = filling.id"""
_NOTE: Final = """INSERT INTO trading_journal (order_id, what, sentence, at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) ORDER BY key"""
_SIDES: Final = {str(side): side for side in Side}
CANCELLING: Final = "cancelling"
"""What the journal says of an order before its broker is told that a person cancels it: a leg is over then."""
KEPT: Final = "not cancelled"
"""What it says where the person was told that this could not be done: all is as before."""
WITHDRAWING: Final = "withdrawing"
"""What the journal says of a leg before the desk has its broker cancel it: from then on it is watched here."""
BROKERS_ENDS: Final = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.LAPSED, OrderState.REFUSED})
"""How an order ends that its broker has had."""
_TICKET: Final = msgspec.json.Decoder(Ticket)
_COLUMNS: Final = (
    "id, decision, correlation_id, broker, quantity, filled, price, ticket, state, why, approved_by, mandate, "
    "staged_at, expires_at, watched"
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


def insert(*orders: Order) -> tuple[Statement, ...]:
    """Keep new ones, and say so in the journal; one that is there is refused, and all of them."""
    rows = [_row(order) for order in orders]
    notes = [(order.id, order.state, order.why, order.staged_at) for order in orders]
    return Statement(_INSERT, (_json(rows),)), _notes(notes)


def _row(order: Order) -> tuple[object, ...]:
    ticket = order.ticket
    return (
        order.id, order.decision, order.correlation_id, order.broker, ticket.symbol, ticket.side,
        to_units(ticket.quantity), to_units(order.price), _json(ticket), order.state, order.why, order.approved_by,
        order.mandate, order.staged_at, order.expires_at, int(order.watched),
    )  # fmt: skip


def move(id_: ClientId, state: OrderState, why: str, now: int) -> tuple[Statement, ...]:
    """Bring it to another state, for this reason."""
    return (
        Statement("UPDATE trading_orders SET state = ?, why = ? WHERE id = ?", (state, why, id_)),
        note(id_, state, why, now),
    )


def follow(id_: ClientId, state: OrderState, why: str, now: int) -> tuple[Statement, ...]:
    """The same as the broker has it, unless by then the order's fills have brought it further."""
    before = ("approved", "working") if state in BROKERS_ENDS else ("approved", "approved")
    if_so = "FROM trading_orders WHERE id = ? AND state IN (?, ?)"
    return (
        Statement(
            f"INSERT INTO trading_journal (order_id, what, sentence, at) SELECT id, ?, ?, ? {if_so}",
            (state, why, now, id_, *before),
        ),
        Statement(
            "UPDATE trading_orders SET state = ?, why = ? WHERE id = ? AND state IN (?, ?)", (state, why, id_, *before)
        ),
    )


def approve(order: Order, now: int) -> tuple[Statement, ...]:
    """The intent: from now on it is to be sent, as this ticket and no other."""
    return (
        Statement(
            """UPDATE trading_orders SET state = 'approved', quantity = ?, price = ?, ticket = ?, why = ?,
                approved_by = ?, mandate = ?, watched = ? WHERE id = ?""",
            (
                to_units(order.ticket.quantity), to_units(order.price), _json(order.ticket),
                order.why, order.approved_by, order.mandate, int(order.watched), order.id,
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
            (_json(ticket), to_units(price), order.id),
        ),
        note(order.id, "amended", why, now),
    )


def watch(leg: Order, why: str, now: int) -> tuple[Statement, ...]:
    """Its broker holds a leg no longer, so that it is watched here from now on."""
    return (
        Statement("UPDATE trading_orders SET watched = 1, why = ? WHERE id = ?", (why, leg.id)),
        note(leg.id, "watched", why, now),
    )


def fill(parts: Sequence[tuple[Order, Execution]], now: int) -> tuple[Statement, ...]:
    """Parts of orders were filled, one of each; with its last an order is. Twice the same is refused."""
    rows = [
        (
            order.broker, execution.execution_id, order.id, to_units(execution.quantity), to_units(execution.price),
            to_units(execution.fee), execution.session.isoformat(), execution.at,
        )
        for order, execution in parts
    ]  # fmt: skip
    notes = [
        (order.id, "fill", f"{execution.quantity:f} at {execution.price:f}, fee {execution.fee:f}", now)
        for order, execution in parts
    ]
    legs = [leg for part in parts for leg in _legs(*part)]
    begun = [(leg.id, leg.state, leg.why, leg.staged_at) for leg in legs]
    grown = (Statement(f"{_INSERT} {_GROW}", (_json([_row(leg) for leg in legs]),)),) if legs else ()
    filled = _json(rows)
    return Statement(_FILL, (filled,)), Statement(_FILLED, (filled,)), *grown, _notes([*begun, *notes])


def _legs(order: Order, execution: Execution) -> Iterator[Order]:
    """What protects this part of a position, at the broker or watched here: of the two one cancels the other."""
    ticket, back = order.ticket, Side.SELL if order.ticket.side is Side.BUY else Side.BUY
    for leg, kind, price in (("tp", Kind.LIMIT, ticket.take_profit), ("sl", Kind.STOP, ticket.stop_loss)):
        if price is not None:
            limit, stop = (price, None) if kind is Kind.LIMIT else (None, price)
            id_ = ClientId(f"{order.id}-{leg}")
            part = Ticket(id_, ticket.symbol, back, execution.quantity, kind, InForce.GTC, limit, stop)
            why = f"{'takes the profit' if leg == 'tp' else 'stops the loss'} of order {order.id}"
            yield replace(order, ticket=part, state=OrderState.WORKING, filled=Decimal(0), price=price, why=why)


def _notes(lines: Iterable[tuple[str, str, str, int]]) -> Statement:
    return Statement(_NOTE, (_json(lines),))


def adjust(order: Order, ticket: Ticket, why: str, now: int) -> tuple[Statement, ...]:
    """It is of other shares, or at other prices, from now on; at the broker it is already. `order` has the old ticket.

    The price it was sized at goes along, so that as much cash is reserved for what is left of it.
    """
    left, before = ticket.quantity - order.filled, order.ticket.quantity - order.filled
    price = order.price * before / left if left else order.price
    return (
        Statement(
            "UPDATE trading_orders SET quantity = ?, price = ?, ticket = ? WHERE id = ?",
            (to_units(ticket.quantity), to_units(price), msgspec.json.encode(ticket).decode(), order.id),
        ),
        note(order.id, "adjusted", why, now),
    )


def note(id_: str, what: str, sentence: str, now: int) -> Statement:
    """A line of the journal."""
    return Statement(
        "INSERT INTO trading_journal (order_id, what, sentence, at) VALUES (?, ?, ?, ?)", (id_, what, sentence, now)
    )


# What anyone reads

ENDED: Final = frozenset(OrderState) - {OrderState.STAGED, OrderState.APPROVED, OrderState.WORKING}


def by_id(read: Reader, id_: str) -> Order | None:
    """The order of this id. Raises Undecodable."""
    return next(iter(_orders(read, "WHERE id = ?", id_)), None)


def by_ids(read: Reader, ids: Iterable[ClientId]) -> dict[ClientId, Order]:
    """The orders of these ids, as far as there are any. Raises Undecodable."""
    found = _orders(read, "WHERE id IN (SELECT value FROM json_each(?))", _json(list(ids)))
    return {order.id: order for order in found}


def starting_with(read: Reader, prefix: str) -> list[Order]:
    """The orders, two at most, whose id begins like this. Raises Undecodable."""
    return _orders(read, "WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2", len(prefix), prefix)


def of_decision(read: Reader, decision: str) -> list[Order]:
    """All legs of a decision. Raises Undecodable."""
    return _orders(read, "WHERE decision = ? ORDER BY id", decision)


def together(read: Reader, correlation_id: CorrelationId) -> list[Order]:
    """Those of a round, or of a halt."""
    return _orders(read, "WHERE correlation_id = ?", correlation_id)


def staged(read: Reader, decisions: Iterable[str]) -> frozenset[str]:
    """Those of these decisions that orders were made of."""
    sql = "SELECT decision FROM trading_orders WHERE decision IN (SELECT value FROM json_each(?))"
    return frozenset(decision for (decision,) in read.rows(tuple[str], sql, _json(list(decisions))))


def legs(read: Reader, symbols: Iterable[Symbol]) -> list[Order]:
    """The open ones of these symbols, which protect positions, oldest first. Raises Undecodable."""
    which = """WHERE state IN ('staged', 'approved', 'working') AND instr(id, '-')
        AND symbol IN (SELECT value FROM json_each(?)) ORDER BY staged_at, id"""
    return _orders(read, which, _json(list(symbols)))


def open_orders(read: Reader) -> list[Order]:
    """Those that are staged, approved or working, oldest first. Raises Undecodable."""
    return _orders(read, "WHERE state IN ('staged', 'approved', 'working') ORDER BY staged_at, id")


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Of an open order what it may yet do: so many shares are not filled of it, `price` is the quote it was sized at.

    `leg_of` is the decision that it protects the position of, None where it is no leg; `waits_under` the mandate that
    allows it, where it is staged and waits for the market alone.
    """

    id: ClientId
    symbol: Symbol
    side: Side
    left: Decimal
    price: Decimal
    leg_of: str | None
    is_staged: bool
    waits_under: str | None

    @property
    def cash(self) -> Decimal:
        """What it may yet take."""
        return self.price * self.left if self.side is Side.BUY else Decimal(0)


def outstanding(read: Reader) -> list[Outstanding]:
    """All that are open, oldest first: as `open_orders`, in a third of the time."""
    rows = read.rows(
        tuple[str, str, str, int, int, str | None, int, str | None],
        """SELECT id, symbol, side, quantity - filled, price, CASE WHEN instr(id, '-') THEN decision END,
            state = 'staged', CASE state WHEN 'staged' THEN mandate END
        FROM trading_orders WHERE state IN ('staged', 'approved', 'working') ORDER BY staged_at, id""",
    )
    return [
        Outstanding(
            ClientId(id_), Symbol(symbol), _SIDES[side], from_units(left), from_units(price), leg_of, bool(is_staged),
            waits_under,
        )
        for id_, symbol, side, left, price, leg_of, is_staged, waits_under in rows
    ]  # fmt: skip


def rest(order: Order) -> Outstanding:
    """The same of an order in memory."""
    ticket = order.ticket
    return Outstanding(
        order.id, ticket.symbol, ticket.side, ticket.quantity - order.filled, order.price,
        order.decision if order.is_leg else None, order.state is OrderState.STAGED,
        order.mandate if order.state is OrderState.STAGED else None,
    )  # fmt: skip


def newest(read: Reader, limit: int) -> list[Order]:
    """The last so many, newest first. Raises Undecodable."""
    return _orders(read, "ORDER BY staged_at DESC, id LIMIT ?", limit)


def approvals(read: Reader, after: int, since: int) -> list[tuple[int, str | None]]:
    """When orders were approved, UTC in microseconds, since then and by lines of the journal after this one; and by
    which mandate, None where it was a person."""
    sql = """SELECT at, mandate FROM trading_journal AS line JOIN trading_orders ON trading_orders.id = order_id
        WHERE line.id > ? AND what = 'approved' AND at >= ? ORDER BY line.id"""
    return read.rows(tuple[int, str | None], sql, after, since)


def last_note(read: Reader) -> int:
    """The number of the journal's last line, 0 if there is none."""
    return read.rows(tuple[int], "SELECT coalesce(max(id), 0) FROM trading_journal")[0][0]


def booked(read: Reader, broker: str, executions: Iterable[str]) -> frozenset[str]:
    """Those of these executions that are in the books."""
    sql = """SELECT execution_id FROM trading_fills WHERE broker = ?
        AND execution_id IN (SELECT value FROM json_each(?))"""
    return frozenset(id_ for (id_,) in read.rows(tuple[str], sql, broker, _json(list(executions))))


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


def withdrawn_by(read: Reader, id_: ClientId) -> str | None:
    """Who has wanted this order cancelled: CANCELLING where a person has, else WITHDRAWING where the desk has."""
    sql = "SELECT what FROM trading_journal WHERE order_id = ? AND what IN (?, ?, ?) ORDER BY id DESC"
    whats = [what for (what,) in read.rows(tuple[str], sql, id_, CANCELLING, KEPT, WITHDRAWING)]
    if next((what for what in whats if what != WITHDRAWING), None) == CANCELLING:
        return CANCELLING
    return WITHDRAWING if WITHDRAWING in whats else None


def journal(read: Reader, id_: str) -> list[Note]:
    """What happened to an order, in order; of no order in particular with the empty id."""
    sql = "SELECT what, sentence, at FROM trading_journal WHERE order_id = ? ORDER BY id"
    return [Note(*row) for row in read.rows(tuple[str, str, int], sql, id_)]


def rejections(read: Reader, symbol: str, limit: int) -> list[str]:
    """Why a person has said no to orders of this symbol, newest first."""
    sql = "SELECT why FROM trading_orders WHERE symbol = ? AND state = 'rejected' ORDER BY staged_at DESC, id LIMIT ?"
    return [why for (why,) in read.rows(tuple[str], sql, symbol, limit)]


def _orders(read: Reader, which: str, *values: int | str) -> list[Order]:
    rows = read.rows(
        tuple[str, str, str, str, int, int, int, str, str, str, str | None, str | None, int, int, int],
        f"SELECT {_COLUMNS} FROM trading_orders {which}",
        *values,
    )
    return [
        Order(
            _ticket(id_, ticket, from_units(quantity)), decision, CorrelationId(about), broker,
            OrderState(state), from_units(filled), from_units(price), why, staged_at, expires_at, by, mandate,
            bool(watched),
        )
        for id_, decision, about, broker, quantity, filled, price, ticket, state, why, by, mandate, staged_at,
        expires_at, watched in rows
    ]  # fmt: skip


def _ticket(id_: str, payload: str, quantity: Decimal) -> Ticket:
    """As it was written, but for the quantity: legs grow."""
    try:
        ticket = _TICKET.decode(payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Undecodable(f"order {id_}: its ticket cannot be decoded ({error})") from error
    return ticket if ticket.quantity == quantity else replace(ticket, quantity=quantity)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
