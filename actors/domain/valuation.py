"""What a portfolio is worth."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Final

from actors.domain.figures import rounded
from messages.errors import TroupeError
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


def compute(wanted: Sequence[Inputs]) -> list[Valuation]:
    """One valuation for each of the inputs, in their order. Raises NoPrice."""
    return [value(one.as_of, one.currency, one.holdings, one.cash, one.closes) for one in wanted]


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
