"""An order as Alpaca's HTTP interface takes it, and which orders it would not hold as they are meant."""

from decimal import Decimal
from typing import Final

from actors.brokers.alpaca_replies import changed
from messages.broker import InForce, Kind, Replace, Side, Ticket
from messages.values import LARGEST, UNIT

Json = dict[str, object]

NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.MARKET: (),
    Kind.LIMIT: ("limit",),
    Kind.STOP: ("stop",),
    Kind.STOP_LIMIT: ("limit", "stop"),
    Kind.TRAILING_STOP: ("trail",),
}
_FIELDS: Final = {"limit": "limit_price", "stop": "stop_price", "trail": "trail_price"}


def unfit(ticket: Ticket) -> str | None:
    """Why it is not sent at all; None if it may be. Pure, so that trading can know beforehand what is held there."""
    amounts = {"quantity": ticket.quantity, "take_profit": ticket.take_profit, "stop_loss": ticket.stop_loss}
    amounts |= {name: getattr(ticket, name) for name in _FIELDS}
    for name, amount in amounts.items():
        if amount is not None and not _is_amount(amount):
            return f"{name} = {amount}: Alpaca takes an amount above 0 and below 9.2e9 with at most nine decimals"
    for name in _FIELDS:
        if (getattr(ticket, name) is None) is (name in NEEDED[ticket.kind]):
            there = "needs" if name in NEEDED[ticket.kind] else "has no"
            return f"a {ticket.kind} order {there} {name}"
    bracket = ticket.take_profit is not None or ticket.stop_loss is not None
    if ticket.quantity != ticket.quantity.to_integral_value():
        if ticket.in_force is not InForce.DAY or bracket or ticket.kind is Kind.TRAILING_STOP:
            return f"quantity = {ticket.quantity}: Alpaca takes parts of a share in a plain DAY order only"
        return None
    return _unfit_bracket(ticket) if bracket else None


def _is_amount(amount: Decimal) -> bool:
    """Also one that the database can hold exactly."""
    return amount.is_finite() and 0 < amount < LARGEST * UNIT and int(amount.as_tuple().exponent) >= -9


def _unfit_bracket(ticket: Ticket) -> str | None:
    if ticket.kind not in {Kind.MARKET, Kind.LIMIT}:
        return f"Alpaca takes a bracket around a market or limit order, not around {ticket.kind}"
    if ticket.in_force is InForce.IOC or (ticket.in_force is InForce.DAY and ticket.kind is not Kind.MARKET):
        return (
            f"{ticket.in_force}: Alpaca ends the stop of a bracket when its entry's time in force ends, which would "
            "leave what was bought unprotected; send it GTC"
        )
    if ticket.take_profit is not None and ticket.stop_loss is not None:
        above = ticket.take_profit > ticket.stop_loss
        if ticket.take_profit == ticket.stop_loss or above is not (ticket.side is Side.BUY):
            return f"take_profit {ticket.take_profit} and stop_loss {ticket.stop_loss} are on the wrong sides"
    return None


def body(ticket: Ticket) -> Json:
    """What is posted; amounts are text, so that none is ever a float. The ticket is fit.

    A bracket around a market order goes GTC whatever was said: its legs have no time in force of their own there.
    """
    sent: Json = {
        "symbol": ticket.symbol,
        "qty": _text(ticket.quantity),
        "side": ticket.side.value,
        "type": ticket.kind.value,
        "time_in_force": ticket.in_force.value,
        "client_order_id": ticket.client_id,
    }
    for name, field in _FIELDS.items():
        if (amount := getattr(ticket, name)) is not None:
            sent[field] = _text(amount)
    legs: Json = {}
    if ticket.take_profit is not None:
        legs["take_profit"] = {"limit_price": _text(ticket.take_profit)}
    if ticket.stop_loss is not None:
        legs["stop_loss"] = {"stop_price": _text(ticket.stop_loss)}
    if legs:
        sent |= {"order_class": "bracket" if len(legs) == 2 else "oto", "time_in_force": "gtc", **legs}
    return sent


def changing(asked: Replace) -> Json:
    """What is sent to change the prices of an order."""
    sent: Json = {"client_order_id": changed(asked.client_id, asked.number)}
    for name in ("limit", "stop"):
        if (amount := getattr(asked, name)) is not None:
            sent[_FIELDS[name]] = _text(amount)
    return sent


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
