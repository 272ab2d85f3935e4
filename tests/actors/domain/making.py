"""Made-up bars and sheets."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from actors.domain.facts import Inputs, compute
from actors.domain.returns import portfolio_returns
from messages.market import Bars, Floats
from messages.research import Fact, Missing, Sheet
from messages.values import Symbol

LAST = dt.date(2013, 3, 1)
ACME = Symbol("ACME")


def bars(
    close: Sequence[float] | Floats, volume: Sequence[float] | None = None, adj_close: Sequence[float] | None = None
) -> Bars:
    """A bar a day up to LAST; each opens at its close and spans one per cent either way."""
    closes = np.array(close, np.float64)
    sessions = np.datetime64(LAST, "D") - np.arange(len(closes))[::-1].astype("timedelta64[D]")
    return Bars(
        sessions,
        closes.copy(),
        closes * 1.01,
        closes * 0.99,
        closes,
        np.full(len(closes), 1e6) if volume is None else np.array(volume, np.float64),
        closes.copy() if adj_close is None else np.array(adj_close, np.float64),
    )


def walk(count: int, seed: int = 1) -> Floats:
    """Closes around 100 that go up and down at random by about one per cent."""
    steps = np.random.default_rng(seed).normal(0, 0.01, count)
    walked: Floats = 100 * np.exp(np.cumsum(steps))
    return walked


def sheet(values: Mapping[str, float], missing: tuple[Missing, ...] = (), closed: dt.date = LAST) -> Sheet:
    """A sheet of these facts in this order; units and sources do not matter."""
    facts = (Fact(f"f{n}", name, value, "ratio", closed, "numpy") for n, (name, value) in enumerate(values.items(), 1))
    return Sheet(ACME, LAST, tuple(facts), missing)


def sheet_of(
    symbol: Symbol, as_of: dt.date, own: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> Sheet:
    """The sheet of a symbol alone, beside a portfolio of these weights."""
    held = portfolio_returns(portfolio, weights)
    [made] = compute([Inputs(symbol, as_of, own, held, weights.get(symbol, 0.0))])
    return made
