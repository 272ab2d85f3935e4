"""Returns of a curve, and ratios made of them: each with its formula and where that comes from.

A return is simple, of one session, from close to close; a year has 252 sessions or 365 days. No interest counts as free
of risk: ratios are of returns as they are.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import exp, sqrt
from typing import Final

import numpy as np

from actors.domain.returns import STILL, YEAR
from messages.errors import TroupeError
from messages.market import Floats

DAYS: Final = 365
"""Of a year by the calendar, as XIRR of the spreadsheets has it."""
WIDEST: Final = 40.0
"""A money-weighted return is looked for between a loss to e^-40 and a growth to e^40 of what was put in."""
STEPS: Final = 8_001
"""Places at which the balance is looked at before it is halved between two of them."""


class Undefined(TroupeError):
    """A figure does not exist for these days; the message says why."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall, a ratio from -1 to 0: from which session to which, and when the high was reached again."""

    depth: float
    peak: dt.date
    trough: dt.date
    recovered: dt.date | None


# Returns


def returns(sessions: Sequence[dt.date], equity: Sequence[Decimal], flows: Sequence[Decimal]) -> Floats:
    """Of each session: r = (E - F) / E' - 1, with equity E, flow F, and equity E' of the session before; E / F - 1 of
    the first, which is 0 unless something was traded then.

    Valued each session with flows at its close, these are true time-weighted returns (Bacon, Practical Portfolio
    Performance Measurement and Attribution, 2008). They count at the close since an import, a deposit and an order find
    the last close as the present price.

    Raises Undefined from the first session on at whose close there is nothing left, or less.
    """
    made = list[float]()
    for number, (session, whole, flow) in enumerate(zip(sessions, equity, flows, strict=True)):
        base, left = (flow, whole) if number == 0 else (equity[number - 1], whole - flow)
        if base <= 0 or left <= 0:
            of = sessions[max(0, number - 1)] if base <= 0 else session
            raise Undefined(f"there is no return on {base if base <= 0 else left:.2f}, the equity of {of}")
        made.append(float(left) / float(base) - 1)
    return np.array(made)


def annual(total: float, first: dt.date, last: dt.date) -> float:
    """(1 + R)^(365 / days) - 1, the constant yearly growth that gives the same.

    Raises Undefined for less than a year: the GIPS standards forbid to make more of it.
    """
    if (days := (last - first).days) < DAYS:
        raise Undefined("less than a year; what it would come to in one is not extrapolated")
    grown: float = (1 + total) ** (DAYS / days)
    return grown - 1


def money_weighted(flows: Sequence[tuple[dt.date, float]]) -> float:
    """The internal rate of return of what was paid in (below zero) and what came out, the value at the end included.

    The rate r at which the sum of F / (1 + r)^(days / 365) is zero, as XIRR of the spreadsheets; of it what it comes to
    from the first day to the last, (1 + r)^(days / 365) - 1. Halved until float64 ends, between growth to e^-40 and to
    e^40. If the flows, one a day, change their sign once, the rate is the only one (Descartes' rule of signs); else the
    balance is looked at in 8,001 places for another.

    Raises Undefined where no time has passed, where it began with nothing or less, where no rate does it, and where
    more than one does.
    """
    first, last = flows[0][0], flows[-1][0]
    if last == first:
        raise Undefined("no time has passed")
    if flows[0][1] >= 0:
        raise Undefined("nothing was put in at first")
    money = np.array([amount for _, amount in flows])
    share = np.array([(day - first).days for day, _ in flows]) / (last - first).days

    def balance(growth: float) -> float:
        return float(np.dot(money, np.exp(-growth * share)))

    low, high = -WIDEST, WIDEST
    if np.count_nonzero(np.diff(np.sign(money[money != 0]))) > 1:
        places = np.linspace(low, high, STEPS)
        changes = np.flatnonzero(np.diff([balance(place) >= 0 for place in places.tolist()]))
        if len(changes) > 1:
            raise Undefined("more than one rate brings payments and value to zero")
        if len(changes) == 1:
            low, high = places[changes[0] : changes[0] + 2].tolist()
    if (below := balance(low) < 0) == (balance(high) < 0):
        raise Undefined("no rate brings payments and value to zero")
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if (balance(middle) < 0) == below else (low, middle)
    return exp(middle) - 1


# Ratios


def volatility(of: Floats) -> float:
    """Standard deviation (ddof 1) of the returns, times √252."""
    if len(of) < 2:
        raise Undefined("two returns are needed, of three sessions")
    return float(np.std(of, ddof=1)) * sqrt(YEAR)


def sharpe(of: Floats) -> float:
    """Mean of the returns over their standard deviation, times √252 (Sharpe, The Sharpe Ratio, 1994); riskless: 0."""
    deviation = volatility(of)
    if deviation < STILL * sqrt(YEAR):
        raise Undefined("returns do not vary")
    return float(np.mean(of)) * YEAR / deviation


def sortino(of: Floats) -> float:
    """Mean of the returns over the root of the mean square of those below 0, which all count in, times √252.

    Sortino and Price, Performance Measurement in a Downside Risk Framework, 1994, with a target of 0.
    """
    if len(of) < 2:
        raise Undefined("two returns are needed, of three sessions")
    downside = sqrt(float(np.mean(np.minimum(of, 0) ** 2)))
    if downside < STILL:
        raise Undefined("no session has lost")
    return float(np.mean(of)) / downside * sqrt(YEAR)


def drawdown(index: Floats, sessions: Sequence[dt.date]) -> Drawdown:
    """The deepest fall of the index from its highest so far (Magdon-Ismail and Atiya, Maximum Drawdown, 2004).

    The index is growth of 1, which counts as its first high. Raises Undefined where it never fell.
    """
    falls = falls_below(index)
    trough = int(falls.argmin())
    if falls[trough] > -STILL:
        raise Undefined("it never fell")
    high = max(1.0, float(index[: trough + 1].max()))
    before = np.flatnonzero(index[: trough + 1] >= high)
    peak = int(before[-1]) if len(before) else 0
    again = np.flatnonzero(index[trough:] >= high)
    recovered = sessions[trough + int(again[0])] if len(again) else None
    return Drawdown(float(falls[trough]), sessions[peak], sessions[trough], recovered)


def calmar(yearly: float, deepest: Drawdown) -> float:
    """Yearly growth over the deepest fall (Young, Calmar Ratio, Futures, 1991), of the whole period, not 36 months."""
    return yearly / -deepest.depth


def falls_below(index: Floats) -> Floats:
    """Of each session how far the growth of 1 is below its highest so far, 1 at least; a ratio from -1 to 0."""
    falls: Floats = index / np.maximum(np.maximum.accumulate(index), 1.0) - 1
    return falls
