"""Fact sheets: every figure the desk knows about a symbol at the end of a session."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Final, Literal

import msgspec
import numpy as np

from actors.domain import indicators, returns
from actors.domain.bars import Prices, adjusted, last_session, side_by_side, volumes
from actors.domain.figures import all_rounded
from messages.market import Bars, Floats
from messages.research import Fact, Missing, Sheet
from messages.trading import PortfolioReturns
from messages.values import Symbol

Unit = Literal["price", "points", "ratio"]
"""price: of one share, in the desk's currency. points: 0 to 100. ratio: 0.01 is one per cent."""
Source = Literal["bars", "talib", "numpy", "holdings"]
"""bars: read off. talib, numpy: computed by it from bars. holdings: from the valuation."""

WINDOW: Final = 600
"""How many of the last bars are looked at. Where a recursive indicator began weighs at most (13/14)^570 < 1e-18
at their end, so that it is the same as over all bars, in a quarter of the time for ten years of them."""


BLOCK: Final = 64
"""How many symbols are computed side by side: enough to share what a call of numpy costs, few enough for the caches."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the sheet of a symbol is made from.

    Its `own` bars are as traded and cut at `as_of`; `portfolio` and `weight` are from the round's valuation, the weight
    being 0 for what is not held.
    """

    symbol: Symbol
    as_of: dt.date
    own: Bars
    portfolio: PortfolioReturns
    weight: float


class _Block:
    """Some symbols side by side; a matrix has a row for each of them, NaN in front of its first session.

    `earned` are the daily log returns of a year, `portfolio` those of the portfolio in the same sessions: the symbol
    `has` so many sessions, and in `shared` of that year's the portfolio has a return.
    """

    def __init__(self, wanted: Sequence[Inputs]) -> None:
        self.prices = [adjusted(each.own, WINDOW) for each in wanted]
        self.close = side_by_side([of.close for of in self.prices], returns.YEAR + 1)
        self.sma_50, self.sma_200 = _sma(self.prices, 50), _sma(self.prices, 200)
        self.earned = returns.log_returns(self.close, returns.YEAR)
        self.volume = volumes([each.own for each in wanted], 63)
        theirs = [returns.at(each.portfolio, each.own.sessions[1:][-returns.YEAR :]) for each in wanted]
        self.portfolio = side_by_side(theirs, returns.YEAR)
        self.weight = np.array([each.weight for each in wanted])
        self.has = [len(each.own) for each in wanted]
        self.shared = np.isfinite(self.portfolio).sum(axis=1).tolist()


@dataclass(frozen=True, slots=True)
class _Figures:
    """Figures that come of one call; `needs` is in sessions, with `shared` in such as the portfolio has a return in."""

    names: tuple[str, ...]
    unit: Unit
    source: Source
    needs: int
    shared: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class _One(_Figures):
    """Computed from the prices of one symbol, where it has enough of them."""

    compute: Callable[[Prices], tuple[float, ...]]

    def columns(self, block: _Block) -> Floats:
        none = (nan,) * len(self.names)
        return np.array([self.compute(of) if len(of) >= self.needs else none for of in block.prices])


@dataclass(frozen=True, slots=True)
class _All(_Figures):
    """Computed for all symbols of a block at once; NaN where there are too few sessions."""

    compute: Callable[[_Block], Floats]

    def columns(self, block: _Block) -> Floats:
        return self.compute(block)[:, np.newaxis]


_TABLE: Final = (
    _All(("close",), "price", "bars", 1, lambda block: block.close[:, -1]),
    _All(("sma_50",), "price", "talib", 50, lambda block: block.sma_50),
    _All(("sma_200",), "price", "talib", 200, lambda block: block.sma_200),
    _All(("close_vs_sma_50",), "ratio", "talib", 50, lambda block: block.close[:, -1] / block.sma_50 - 1),
    _All(("close_vs_sma_200",), "ratio", "talib", 200, lambda block: block.close[:, -1] / block.sma_200 - 1),
    _One(("rsi_14",), "points", "talib", 15, lambda of: (indicators.rsi(of.close),)),
    _One(("macd", "macd_signal", "macd_histogram"), "price", "talib", 34, lambda of: indicators.macd(of.close)),
    _One(("atr_14",), "price", "talib", 15, lambda of: (indicators.atr(of.high, of.low, of.close),)),
    _One(("adx_14",), "points", "talib", 28, lambda of: (indicators.adx(of.high, of.low, of.close),)),
    _One(
        ("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        "price",
        "talib",
        20,
        lambda of: indicators.bollinger(of.close),
    ),
    _All(("volatility_63",), "ratio", "numpy", 64, lambda block: returns.volatility(block.close, 63)),
    _All(("volatility_252",), "ratio", "numpy", 253, lambda block: returns.volatility(block.close, 252)),
    _All(("max_drawdown_252",), "ratio", "numpy", 252, lambda block: returns.max_drawdown(block.close, 252)),
    _All(("return_21",), "ratio", "numpy", 22, lambda block: returns.simple_return(block.close, 21)),
    _All(("return_252",), "ratio", "numpy", 253, lambda block: returns.simple_return(block.close, 252)),
    _All(("volume_vs_63",), "ratio", "numpy", 63, lambda block: _volume_vs_mean(block.volume, 63)),
    _All(
        ("correlation_252",),
        "ratio",
        "numpy",
        253,
        lambda block: returns.correlation(block.earned, block.portfolio),
        shared=True,
    ),
    _All(("weight",), "ratio", "holdings", 0, lambda block: block.weight),
)
_LINES: Final = tuple((name, each.unit, each.source, each.needs, each.shared) for each in _TABLE for name in each.names)
_IDS: Final = tuple(f"f{number}" for number in range(1, len(_LINES) + 1))


def compute(wanted: Sequence[Inputs]) -> list[Sheet]:
    """The sheets wanted, in that order; what one says does not depend on which others are.

    Facts are numbered f1, f2, … in the order of the table above, each value rounded once. A figure is missing with the
    sessions it needs and has; where `has` is enough, the prices gave no finite value, such as the RSI of a price that
    never moved. Raises ValueError where `own` bars go on after `as_of`.
    """
    blocks = (wanted[first : first + BLOCK] for first in range(0, len(wanted), BLOCK))
    return [sheet for block in blocks for sheet in _sheets(block)]


def _sheets(wanted: Sequence[Inputs]) -> Iterator[Sheet]:
    sessions = [_session(each) for each in wanted]
    block = _Block(wanted)
    with np.errstate(all="ignore"):
        figures = all_rounded(np.concatenate([each.columns(block) for each in _TABLE], axis=1)).tolist()
    for each, session, values, has, shared in zip(wanted, sessions, figures, block.has, block.shared, strict=True):
        yield _sheet(each, session, values, has, shared + 1 if shared else 0)


def _session(of: Inputs) -> dt.date:
    """Of the last bar."""
    session = last_session(of.own) if len(of.own) else of.as_of
    if session > of.as_of:
        raise ValueError(f"{of.symbol}: the bars go on to {session}, cut them at {of.as_of}")
    return session


def _sheet(of: Inputs, session: dt.date, figures: list[float], has: int, shares: int) -> Sheet:
    facts, missing = list[dict[str, object]](), list[Missing]()
    for (name, unit, source, needs, shared), figure in zip(_LINES, figures, strict=True):
        if isfinite(figure):
            id_, known = _IDS[len(facts)], of.as_of if source == "holdings" else session
            facts.append({"id": id_, "name": name, "value": figure, "unit": unit, "as_of": known, "source": source})
        else:
            missing.append(Missing(name, needs, shares if shared else has))
    return Sheet(of.symbol, of.as_of, _made(facts), tuple(missing))


def _made(facts: list[dict[str, object]]) -> tuple[Fact, ...]:
    """The same as calling Fact for each, 14 µs for 22 of them instead of 25: Python sets frozen fields one by one."""
    return msgspec.convert(facts, tuple[Fact, ...])


_made([])  # Here, once: msgspec 0.22 crashes the process where two threads look at a new type at the same time.


def _sma(each: Sequence[Prices], sessions: int) -> Floats:
    return np.array([indicators.sma(of.close, sessions) if len(of) >= sessions else nan for of in each])


def _volume_vs_mean(volume: Floats, sessions: int) -> Floats:
    """The last volume against the mean of the last `sessions` ones, itself among them."""
    ratio: Floats = volume[:, -1] / volume[:, -sessions:].sum(axis=1) * sessions
    return ratio
