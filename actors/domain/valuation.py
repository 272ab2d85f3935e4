"""What a portfolio is worth."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Final

from actors.domain import returns
from actors.domain.figures import rounded
from messages.errors import TroupeError
from messages.market import Bars
from messages.trading import Held, Position, Valuation
from messages.values import Symbol

_EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation])
"""A product of two stored amounts has at most 38 digits; what would have to be rounded here is a bug."""


class NoPrice(TroupeError):
    """Something is held that has no close; a portfolio is never valued without it."""

    def __init__(self, symbol: Symbol, as_of: dt.date) -> None:
        super().__init__(f"{symbol}: no close is known up to {as_of}; refresh its bars, then value the portfolio again")
        self.symbol, self.as_of = symbol, as_of


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one valuation is made from; see `value`."""

    as_of: dt.date
    currency: str
    holdings: tuple[Held, ...]
    cash: Decimal
    closes: Mapping[Symbol, Decimal]
    portfolio: Mapping[Symbol, Bars]


def compute(wanted: Sequence[Inputs]) -> list[Valuation]:
    """One valuation for each of the inputs, in their order, with the returns that facts need of it. Raises NoPrice."""
    return [_with_returns(one) for one in wanted]


def _with_returns(of: Inputs) -> Valuation:
    valued = value(of.as_of, of.currency, of.holdings, of.cash, of.closes)
    weights = {position.symbol: position.weight for position in valued.positions}
    return replace(valued, returns=returns.portfolio_returns(of.portfolio, weights))


def value(
    as_of: dt.date, currency: str, holdings: Sequence[Held], cash: Decimal, closes: Mapping[Symbol, Decimal]
) -> Valuation:
    """Value holdings, one for each symbol, at their closes, which are prices as traded in that currency.

    Money is exact. A position's weight is its share of the whole value with cash, to six significant digits;
    0 where the whole is 0. Unrealised is the value minus what the position cost. Raises NoPrice.
    """
    for held in holdings:
        if held.symbol not in closes:
            raise NoPrice(held.symbol, as_of)
    with localcontext(_EXACT):
        values = {held.symbol: held.quantity * closes[held.symbol] for held in holdings}
        whole = sum(values.values(), cash)
        unrealised = {held.symbol: values[held.symbol] - held.cost for held in holdings}
    positions = tuple(
        Position(
            held.symbol,
            held.quantity,
            closes[held.symbol],
            values[held.symbol],
            rounded(float(values[held.symbol] / whole)) if whole else 0.0,
            unrealised[held.symbol],
        )
        for held in sorted(holdings, key=lambda held: held.symbol)
    )
    return Valuation(as_of, currency, whole, cash, positions)
