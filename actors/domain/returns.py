"""Figures made of returns, in numpy: volatility, drawdown, correlation with the portfolio.

Closes are adjusted ones, a matrix with a row for each symbol in order of session, the last one last; the figures are an
array with one for each row, NaN where the row has a NaN among what is looked at. What a row yields does not depend on
the others. A year has 252 sessions. Checked against empyrical 0.7.1 on AAPL.
"""

import datetime as dt
from collections.abc import Mapping
from math import nan
from typing import Final

import numpy as np

from messages.market import Bars, Floats, Sessions
from messages.trading import PortfolioReturns
from messages.values import Symbol

YEAR: Final = 252
"""Sessions in a year."""
STILL: Final = 1e-12
"""A standard deviation of daily returns below this is rounding noise: some 4,500 times float64's epsilon."""
EPOCH: Final = dt.date(1970, 1, 1)
"""Of numpy's dates."""
NO_RETURNS: Final = PortfolioReturns(EPOCH, np.array(nan, "<f8").tobytes())
"""Of a portfolio in which nothing is held."""


def log_returns(close: Floats, sessions: int) -> Floats:
    """The last `sessions` daily log returns of each row; takes one close more."""
    return np.diff(np.log(close[:, -sessions - 1 :]))


def simple_return(close: Floats, sessions: int) -> Floats:
    """Close against the one `sessions` earlier, minus 1."""
    gained: Floats = close[:, -1] / close[:, -sessions - 1] - 1
    return gained


def volatility(close: Floats, sessions: int) -> Floats:
    """Standard deviation (ddof 1) of the last `sessions` daily log returns, times √252."""
    off = _off_mean(log_returns(close, sessions))
    deviation: Floats = np.sqrt(np.vecdot(off, off) / (sessions - 1) * YEAR)
    return deviation


def max_drawdown(close: Floats, sessions: int) -> Floats:
    """The deepest fall from a high before it within the last `sessions` closes, as a ratio from -1 to 0."""
    recent = close[:, -sessions:]
    deepest: Floats = (recent / np.maximum.accumulate(recent, axis=1)).min(axis=1) - 1
    return deepest


def portfolio_returns(portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]) -> PortfolioReturns:
    """The portfolio's daily log return in each session in which one of its symbols has a return.

    That is ln(1 + r), r the mean of the simple returns of those symbols that have a bar of this session and one
    before it, weighted by today's weights, as if held at them all along; a short one counts by its size.
    """
    held = {symbol: portfolio[symbol] for symbol in weights if len(portfolio.get(symbol, ())) > 1}
    if not held:
        return NO_RETURNS
    first = min(bars.sessions[0] for bars in held.values())
    last = max(bars.sessions[-1] for bars in held.values())
    earned, weighed = np.zeros((2, int((last - first).astype(np.int64)) + 2))
    with np.errstate(all="ignore"):
        for symbol, bars in held.items():
            rows, price = (bars.sessions[1:] - first).astype(np.int64), bars.adj_close
            earned[rows] += weights[symbol] * (price[1:] / price[:-1] - 1)
            weighed[rows] += abs(weights[symbol])
        mean: Floats = np.log1p(earned / weighed)
    return PortfolioReturns(first.item(), np.where(np.isfinite(mean), mean, nan).astype("<f8").tobytes())


def at(portfolio: PortfolioReturns, sessions: Sessions) -> Floats:
    """The portfolio's return in each of these sessions, NaN where it has none."""
    values = np.frombuffer(portfolio.values, "<f8")
    # A day before the first or after the last is taken for that one, where there is no return.
    return values.take(sessions.astype(np.int64) - (portfolio.first - EPOCH).days, mode="clip")


def correlation(one: Floats, other: Floats) -> Floats:
    """Pearson's, of each row of the one with that of the other; NaN where one of them stands still."""
    a, b = _off_mean(one), _off_mean(other)
    aa, bb = np.vecdot(a, a), np.vecdot(b, b)
    moves = np.minimum(aa, bb) > one.shape[1] * STILL**2
    found: Floats = np.divide(np.vecdot(a, b), np.sqrt(aa * bb), out=np.full(len(one), nan), where=moves)
    return found


def _off_mean(values: Floats) -> Floats:
    mean: Floats = values.sum(axis=1, keepdims=True) / values.shape[1]
    return values - mean
