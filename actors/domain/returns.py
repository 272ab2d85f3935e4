"""Figures made of returns, in numpy: volatility, drawdown, correlation with the portfolio.

Closes are adjusted ones in order of session; a year has 252 sessions. Checked against empyrical 0.7.1 on AAPL.
"""

from collections.abc import Mapping
from math import nan, sqrt
from typing import Final

import numpy as np

from messages.market import Bars, Floats, Sessions
from messages.values import Symbol

YEAR: Final = 252
"""Sessions in a year."""
STILL: Final = 1e-12
"""A standard deviation of daily returns below this is rounding noise: some 4,500 times float64's epsilon."""


def log_returns(close: Floats, sessions: int) -> Floats:
    """The last `sessions` daily log returns; takes one close more."""
    return np.diff(np.log(close[-sessions - 1 :]))


def simple_return(close: Floats, sessions: int) -> float:
    """Close against the one `sessions` earlier, minus 1."""
    return float(close[-1] / close[-sessions - 1]) - 1


def volatility(close: Floats, sessions: int) -> float:
    """Standard deviation (ddof 1) of the last `sessions` daily log returns, times √252."""
    off = _off_mean(log_returns(close, sessions))
    return sqrt(float(off @ off) / (sessions - 1) * YEAR)


def max_drawdown(close: Floats, sessions: int) -> float:
    """The deepest fall from a high before it within the last `sessions` closes, as a ratio from -1 to 0."""
    recent = close[-sessions:]
    return float((recent / np.maximum.accumulate(recent)).min()) - 1


def portfolio_returns(sessions: Sessions, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]) -> Floats:
    """The portfolio's daily log return in each of these sessions, NaN where none of its symbols has a return.

    That is ln(1 + r), r the mean of the simple returns of those symbols that have a bar of this session and one
    before it, weighted by today's weights, as if held at them all along; a short one counts by its size.
    """
    earned, weighed = np.zeros(len(sessions)), np.zeros(len(sessions))
    for symbol, weight in weights.items():
        bars = portfolio.get(symbol)
        if bars is None or not len(bars):
            continue
        rows = np.minimum(np.searchsorted(bars.sessions, sessions), len(bars) - 1)
        there = (bars.sessions[rows] == sessions) & (rows > 0)
        now = rows[there]
        earned[there] += weight * (bars.adj_close[now] / bars.adj_close[now - 1] - 1)
        weighed[there] += abs(weight)
    with np.errstate(all="ignore"):
        mean: Floats = np.log1p(earned / weighed)
    return np.where(np.isfinite(mean), mean, nan)


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, of two arrays of one length; NaN where one of them stands still."""
    a, b = _off_mean(one), _off_mean(other)
    aa, bb = float(a @ a), float(b @ b)
    return float(a @ b) / sqrt(aa * bb) if min(aa, bb) > len(one) * STILL**2 else nan


def _off_mean(values: Floats) -> Floats:
    return values - float(values.sum()) / len(values)
