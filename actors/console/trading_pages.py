"""What a person sees of orders."""

import datetime as dt
from typing import Final

from rich.markup import escape

from actors.console.terminal import grid, line, out, print_why, real_money
from actors.console.trading import Mandated, Trading, WhyOrder
from messages.broker import Ticket
from messages.trading import OrderState, TradingState

TIME: Final = "%m-%d %H:%M:%S"


def print_trading(trading: Trading) -> None:
    """Whether trading goes on, and the newest orders."""
    real_money(trading.real_money, json=False)
    line("Trading is ACTIVE." if trading.state is TradingState.ACTIVE else f"Trading is {trading.state}: {trading.why}")
    if not trading.orders:
        line("There are no orders yet; they arise from recommendations to buy or to sell.")
        return
    rows = grid("Orders, newest first", "id", "order", ">filled", ">quote", "state", "staged", "why")
    for order in trading.orders:
        rows.add_row(
            order.id[:8], described(order.ticket), f"{order.filled:f}", f"{order.price:f}",
            "watched here" if order.is_here and order.state is OrderState.WORKING else order.state,
            _time(order.staged_at), escape(order.why),
        )  # fmt: skip
    out.print(rows)


def print_why_order(found: WhyOrder) -> None:
    """The whole chain, the recommendation first."""
    real_money(found.real_money, json=False)
    if found.recommendation is not None:
        print_why(found.recommendation)
    order = found.order
    approved = f"; approved by {order.approved_by}" if order.approved_by else ""
    mandate = f", mandate {order.mandate[:8]}" if order.mandate else ""
    line("")
    line(f"Order {order.id} at {order.broker}: {described(order.ticket)}, {order.state}{approved}{mandate}")
    for note in found.journal:
        line(f"  {_time(note.at)} UTC  {note.what}: {note.sentence}")
    for fill in found.fills:
        line(f"  Fill {fill.execution_id} of {fill.session}: {fill.quantity:f} at {fill.price:f}, fee {fill.fee:f}")


def print_mandate(found: Mandated | None) -> None:
    """What is ordered without a person's yes."""
    if found is None:
        line("There is no mandate: every order waits for `run.py approve`.")
        return
    if (mandate := found.mandate) is None:
        line(f"It does not hold: {found.unreadable}")
        return
    symbols = "every symbol" if mandate.symbols is None else ", ".join(sorted(mandate.symbols))
    line(
        f"Mandate {found.hash[:12]}, given {_time(found.given_at)} UTC, holds until {_time(mandate.expires_at)} UTC: "
        f"{' and '.join(sorted(mandate.sides))} {symbols}, each order worth at most {mandate.max_order_value:f}, "
        f"{mandate.max_orders_a_day} a day, from a conviction of {mandate.min_conviction:g}"
    )


def described(ticket: Ticket) -> str:
    """An order in words, such as `buy 10 AAPL market day`."""
    words = [str(ticket.side), f"{ticket.quantity:f}", ticket.symbol, str(ticket.kind).replace("_", "-")]
    for name, price in (("at", ticket.limit), ("stop", ticket.stop), ("trail", ticket.trail)):
        words += [] if price is None else [name, f"{price:f}"]
    words.append(str(ticket.in_force))
    for name, price in (("take profit", ticket.take_profit), ("stop loss", ticket.stop_loss)):
        words += [] if price is None else [name, f"{price:f}"]
    return " ".join(words)


def _time(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros // 1_000_000, dt.UTC).strftime(TIME)
