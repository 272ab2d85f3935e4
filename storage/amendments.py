"""Other prices for working orders: table `trading_amendments`."""

from dataclasses import dataclass
from decimal import Decimal

from messages.broker import ClientId
from messages.database import Statement
from messages.values import from_units, to_units
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class Amendment:
    """The prices that an order is to have, `number` among its amendments; None where it has no such price."""

    order: ClientId
    number: int
    limit: Decimal | None
    stop: Decimal | None


def intend(amendment: Amendment, why: str, now: int) -> Statement:
    """From now on it is sent, until its broker is known to have it or not to want it."""
    prices = (None if price is None else to_units(price) for price in (amendment.limit, amendment.stop))
    return Statement(
        """INSERT INTO trading_amendments (order_id, number, limit_price, stop_price, state, why, at)
        VALUES (?, ?, ?, ?, 'intended', ?, ?)""",
        (amendment.order, amendment.number, *prices, why, now),
    )


def end(amendment: Amendment, why: str, *, done: bool) -> Statement:
    """It holds, or it never will."""
    return Statement(
        "UPDATE trading_amendments SET state = ?, why = ? WHERE order_id = ? AND number = ?",
        ("done" if done else "failed", why, amendment.order, amendment.number),
    )


def open_ones(read: Reader) -> list[Amendment]:
    """Those of which it is not known yet what became of them."""
    sql = """SELECT order_id, number, limit_price, stop_price FROM trading_amendments
        WHERE state = 'intended' ORDER BY order_id"""
    rows = read.rows(tuple[str, int, int | None, int | None], sql)
    return [Amendment(ClientId(order), number, *map(_price, prices)) for order, number, *prices in rows]


def given_up(read: Reader, order: ClientId, number: int) -> Amendment | None:
    """This one of an order, if it was taken never to hold."""
    sql = """SELECT limit_price, stop_price FROM trading_amendments
        WHERE order_id = ? AND number = ? AND state = 'failed'"""
    rows = read.rows(tuple[int | None, int | None], sql, order, number)
    return next((Amendment(order, number, *map(_price, prices)) for prices in rows), None)


def last(read: Reader, order: ClientId) -> int:
    """The number of the newest of an order; 0 where there is none."""
    sql = "SELECT coalesce(max(number), 0) FROM trading_amendments WHERE order_id = ?"
    return read.rows(tuple[int], sql, order)[0][0]


def _price(units: int | None) -> Decimal | None:
    return None if units is None else from_units(units)
