"""Splits and dividends: whether one can be true, and what it makes of an order that works. Exact, to 1e-9.

As brokers do it (FINRA rule 5330, adjustment of orders): after a split there are more shares in an order, at lower
prices; a reverse split ends it. By a cash dividend of a cent or more limits to buy and stops to sell are lowered, so
that the fall of the price by the dividend fills nothing; limits to sell and stops to buy are not.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from math import log
from typing import Final

import numpy as np

from messages.broker import Kind, Side, Ticket
from messages.market import Action, ActionKind, Bars
from messages.values import LARGEST, UNIT

PLAIN: Final = 1.5
"""From this ratio on, either way, a split shows in the prices beyond doubt."""
LEAST: Final = Decimal("0.01")
"""A smaller dividend changes no order."""
_WIDE: Final = Context(prec=60, rounding=ROUND_FLOOR)


def fault(action: Action, bars: Bars) -> str | None:
    """Why it cannot be one of the symbol with these bars, a sentence; one after the last bar is still to come.

    A split that the prices do not show is none of theirs: they may be adjusted already, or the ratio upside down.
    """
    row = int(np.searchsorted(bars.sessions, np.datetime64(action.session, "D")))
    if row == len(bars):
        return None
    if bars.sessions[row].item() != action.session:
        return f"{action.symbol} has no bar of {action.session}; write the first session with new shares or without it"
    if row == 0:
        return None
    before, opened = float(bars.close[row - 1]), float(bars.open[row])
    if action.kind is ActionKind.DIVIDEND:
        high = float(action.value) >= before
        return f"a dividend of {action.value:f} is not below the close before, {before}" if high else None
    split, seen = log(float(action.value) / float(action.per)), log(before / opened)
    if abs(split) >= log(PLAIN) and abs(seen - split) > abs(seen):
        return (
            f"prices do not show a split of {action.value:f}:{action.per:f}: {action.symbol} closed at {before} before "
            f"and opened at {opened}; they must be as traded, and new shares come first"
        )
    return None


def adjusted(ticket: Ticket, filled: Decimal, action: Action) -> Ticket | str:
    """A working order from the session of this action on, or why it is cancelled. What is filled of it stays."""
    with localcontext(_WIDE):
        if action.kind is ActionKind.SPLIT:
            return _split(ticket, filled, action)
        return _lowered(ticket, action)


def best(price: Decimal, side: Side, action: Action) -> Decimal:
    """The best price that a trailing stop has seen, in the terms of after the action."""
    with localcontext(_WIDE):
        if action.kind is ActionKind.SPLIT:
            return _part(price, action)
        return price - action.value if side is Side.SELL and action.value >= LEAST else price


def _split(ticket: Ticket, filled: Decimal, action: Action) -> Ticket | str:
    """Whole shares stay whole. Rounded down, so that a limit to buy or a stop to sell is on the tick that the rule
    wants, when it is matched."""
    by = f"{action.symbol} was split {action.value:f}:{action.per:f}"
    if action.value < action.per:
        return f"{by}, and a reverse split ends what is open"
    left = ticket.quantity - filled
    step = Decimal(1) if left == left.to_integral_value() else UNIT
    quantity = filled + (left * action.value / action.per).quantize(step)
    if quantity >= LARGEST * UNIT:
        return f"{by}, and an order cannot be of {quantity:f} shares"
    return _priced(
        replace(ticket, quantity=quantity),
        {
            name: _part(price, action)
            for name in ("limit", "stop", "trail", "take_profit", "stop_loss")
            if (price := getattr(ticket, name)) is not None
        },
        by,
    )


def _lowered(ticket: Ticket, action: Action) -> Ticket | str:
    if action.value < LEAST:
        return ticket
    buys = ticket.side is Side.BUY
    names = ["stop_loss" if buys else "take_profit"]  # the leg that will be a stop to sell, or a limit to buy
    if buys and ticket.kind is Kind.LIMIT:
        names.append("limit")
    if not buys and ticket.kind in {Kind.STOP, Kind.STOP_LIMIT}:
        names += ["stop", "limit"]
    lowered = {name: price - action.value for name in names if (price := getattr(ticket, name)) is not None}
    return _priced(ticket, lowered, f"{action.symbol} has paid {action.value:f} a share")


def _priced(ticket: Ticket, prices: dict[str, Decimal], by: str) -> Ticket | str:
    if (gone := _nothing(prices.items())) is not None:
        return f"{by}, and nothing is left of its {gone}"
    return replace(ticket, **prices)  # type: ignore[arg-type]


def _nothing(prices: Iterable[tuple[str, Decimal]]) -> str | None:
    return next((name for name, price in prices if price <= 0), None)


def _part(price: Decimal, action: Action) -> Decimal:
    return (price * action.per / action.value).quantize(UNIT)
