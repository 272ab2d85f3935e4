"""What is wrong with an order before any price is looked at: amounts that cannot be, and parts that do not fit."""

from decimal import Decimal
from typing import Final

from messages.broker import Kind, Side, Ticket
from messages.values import LARGEST, UNIT, from_units, to_units

NEEDS: Final[dict[Kind, frozenset[str]]] = {
    Kind.MARKET: frozenset(),
    Kind.LIMIT: frozenset({"limit"}),
    Kind.STOP: frozenset({"stop"}),
    Kind.STOP_LIMIT: frozenset({"limit", "stop"}),
    Kind.TRAILING_STOP: frozenset({"trail"}),
}
"""The prices that an order of each kind has; it has no others."""
SHOWN: Final = 40
"""Characters of a wrong amount that are repeated."""


def fault(ticket: Ticket, close: Decimal) -> str | None:
    """Why this order cannot be taken, a sentence, or None; `close` is the present price."""
    return _amounts(ticket) or _parts(ticket) or _bracket(ticket, close)


def _amounts(ticket: Ticket) -> str | None:
    for name in ("quantity", "limit", "stop", "trail", "take_profit", "stop_loss"):
        value: Decimal | None = getattr(ticket, name)
        if value is not None and (wrong := _wrong(value)) is not None:
            return f"{name} {str(value)[:SHOWN]} {wrong}"
    return None


def _wrong(value: Decimal) -> str | None:
    if not value.is_finite():
        return "is not a number"
    if value <= 0:
        return "must be above zero"
    if value >= LARGEST * UNIT:
        return "is too large; amounts are below 9.2e9"
    if from_units(to_units(value)) != value:
        return "has more than nine decimals"
    return None


def _parts(ticket: Ticket) -> str | None:
    for name in ("limit", "stop", "trail"):
        if (getattr(ticket, name) is None) == (name in NEEDS[ticket.kind]):
            return f"an order of kind {ticket.kind} {'needs' if name in NEEDS[ticket.kind] else 'has no'} {name}"
    return None


def _bracket(ticket: Ticket, close: Decimal) -> str | None:
    entries = [price for price in (ticket.limit, ticket.stop) if price is not None] or [close]
    buys = ticket.side is Side.BUY
    for name, price, above in (("take_profit", ticket.take_profit, buys), ("stop_loss", ticket.stop_loss, not buys)):
        if price is not None and not (price > max(entries) if above else price < min(entries)):
            entry = max(entries) if above else min(entries)
            return f"{name} {price} must be {'above' if above else 'below'} the entry at {entry}"
    return None
