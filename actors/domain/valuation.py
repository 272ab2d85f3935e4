"""What a portfolio is worth."""

import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from operator import attrgetter, mul, sub
from typing import Final

import numpy as np

from actors.domain import returns
from actors.domain.figures import all_rounded
from messages.errors import TroupeError
from messages.market import Bars
from messages.trading import Held, Position, Valuation
from messages.values import Symbol

EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation])
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
    ordered = sorted(holdings, key=attrgetter("symbol"))
    symbols, quantities = [held.symbol for held in ordered], [held.quantity for held in ordered]
    if missing := [symbol for symbol in symbols if symbol not in closes]:
        raise NoPrice(missing[0], as_of)
    prices = [closes[symbol] for symbol in symbols]
    with localcontext(EXACT):
        values = list(map(mul, quantities, prices))
        whole = sum(values, cash)
        unrealised = list(map(sub, values, [held.cost for held in ordered]))
    shares = [float(each / whole) for each in values] if whole else [0.0] * len(values)
    weights = all_rounded(np.array(shares)).tolist()
    return Valuation(as_of, currency, whole, cash, _positions(symbols, quantities, prices, values, weights, unrealised))


def _positions(*columns: Sequence[object]) -> tuple[Position, ...]:
    """Positions made of one column for each field, in the order of the fields.

    Field by field rather than one by one: a frozen dataclass sets each of its fields by a call in Python, which was
    half of the time that 5,000 positions took.
    """
    made = tuple(Position.__new__(Position) for _ in columns[0])
    for field, column in zip(fields(Position), columns, strict=True):
        put: Callable[[Position, object], None] = getattr(Position, field.name).__set__
        deque(map(put, made, column), maxlen=0)
    return made
