"""The fact sheet of a symbol: every figure the desk knows about it at the end of a session."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Final, Literal

import numpy as np

from actors.domain import indicators, returns
from actors.domain.bars import adjusted, last, last_session
from actors.domain.figures import rounded
from messages.market import Bars
from messages.research import Fact, Missing, Sheet
from messages.values import Symbol

Unit = Literal["price", "points", "ratio"]
"""price: of one share, in the desk's currency. points: 0 to 100. ratio: 0.01 is one per cent."""
Source = Literal["bars", "talib", "numpy", "holdings"]
"""bars: read off. talib, numpy: computed by it from bars. holdings: from the valuation."""

WINDOW: Final = 600
"""How many of the last bars are looked at. Where a recursive indicator began weighs at most (13/14)^570 < 1e-18
at their end, so that it is the same as over all bars, in a quarter of the time for ten years of them."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Figures that come of one call, over bars adjusted as of their last one; `needs` is in sessions."""

    names: tuple[str, ...]
    unit: Unit
    source: Source
    needs: int
    compute: Callable[[Bars], tuple[float, ...]]


_GROUPS: Final = (
    _Group(("close",), "price", "bars", 1, lambda bars: (float(bars.close[-1]),)),
    _Group(("sma_50",), "price", "talib", 50, lambda bars: (indicators.sma(bars.close, 50),)),
    _Group(("sma_200",), "price", "talib", 200, lambda bars: (indicators.sma(bars.close, 200),)),
    _Group(("close_vs_sma_50",), "ratio", "talib", 50, lambda bars: (_close_vs_sma(bars, 50),)),
    _Group(("close_vs_sma_200",), "ratio", "talib", 200, lambda bars: (_close_vs_sma(bars, 200),)),
    _Group(("rsi_14",), "points", "talib", 15, lambda bars: (indicators.rsi(bars.close),)),
    _Group(("macd", "macd_signal", "macd_histogram"), "price", "talib", 34, lambda bars: indicators.macd(bars.close)),
    _Group(("atr_14",), "price", "talib", 15, lambda bars: (indicators.atr(bars.high, bars.low, bars.close),)),
    _Group(("adx_14",), "points", "talib", 28, lambda bars: (indicators.adx(bars.high, bars.low, bars.close),)),
    _Group(
        ("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        "price",
        "talib",
        20,
        lambda bars: indicators.bollinger(bars.close),
    ),
    _Group(("volatility_63",), "ratio", "numpy", 64, lambda bars: (returns.volatility(bars.close, 63),)),
    _Group(("volatility_252",), "ratio", "numpy", 253, lambda bars: (returns.volatility(bars.close, 252),)),
    _Group(("max_drawdown_252",), "ratio", "numpy", 252, lambda bars: (returns.max_drawdown(bars.close, 252),)),
    _Group(("return_21",), "ratio", "numpy", 22, lambda bars: (returns.simple_return(bars.close, 21),)),
    _Group(("return_252",), "ratio", "numpy", 253, lambda bars: (returns.simple_return(bars.close, 252),)),
    _Group(("volume_vs_63",), "ratio", "numpy", 63, lambda bars: (_volume_vs_mean(bars, 63),)),
)


def compute(
    symbol: Symbol, as_of: dt.date, own: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> Sheet:
    """All facts about a symbol, numbered f1, f2, … in the order of the groups above, correlation and weight last.

    `own` and the bars of the `portfolio` are as traded and cut at `as_of`; `weights` are today's, of what is held.
    Each value is rounded once. A figure is missing with the sessions it needs and has; where `has` is enough,
    the prices gave no finite value, such as the RSI of a price that never moved.
    Raises ValueError where `own` goes on after `as_of`.
    """
    session = last_session(own) if len(own) else as_of
    if session > as_of:
        raise ValueError(f"{symbol}: the bars go on to {session}, cut them at {as_of}")
    facts, missing = list[Fact](), list[Missing]()
    for name, value, unit, source, needs, has in _figures(symbol, own, portfolio, weights):
        if isfinite(figure := rounded(value)):
            known = as_of if source == "holdings" else session
            facts.append(Fact(f"f{len(facts) + 1}", name, figure, unit, known, source))
        else:
            missing.append(Missing(name, needs, has))
    return Sheet(symbol, as_of, tuple(facts), tuple(missing))


def _figures(
    symbol: Symbol, own: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> Iterator[tuple[str, float, Unit, Source, int, int]]:
    """Name, value or NaN, unit, source, and the sessions needed and had."""
    recent, has = adjusted(last(own, WINDOW)), len(own)
    with np.errstate(all="ignore"):
        for group in _GROUPS:
            values = group.compute(recent) if has >= group.needs else (nan,) * len(group.names)
            for name, value in zip(group.names, values, strict=True):
                yield name, value, group.unit, group.source, group.needs, has
    yield _correlation(recent, portfolio, weights)
    yield "weight", weights.get(symbol, 0.0), "ratio", "holdings", 0, 0


def _correlation(
    recent: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> tuple[str, float, Unit, Source, int, int]:
    """Of the last 252 daily log returns with the portfolio's; all 252 sessions must have both."""
    theirs = returns.portfolio_returns(recent.sessions[1:][-returns.YEAR :], portfolio, weights)
    shared = int(np.isfinite(theirs).sum())
    enough = shared == returns.YEAR
    value = returns.correlation(returns.log_returns(recent.close, returns.YEAR), theirs) if enough else nan
    return "correlation_252", value, "ratio", "numpy", returns.YEAR + 1, shared + 1 if shared else 0


def _close_vs_sma(bars: Bars, sessions: int) -> float:
    return float(bars.close[-1]) / indicators.sma(bars.close, sessions) - 1


def _volume_vs_mean(bars: Bars, sessions: int) -> float:
    """The last volume against the mean of the last `sessions` ones, itself among them."""
    return float(bars.volume[-1] / bars.volume[-sessions:].sum()) * sessions
