"""The sheet of a symbol by its slow definition: figure by figure, with the bars of the whole portfolio at hand.

This is how facts were computed at first. What computes them faster has to agree with it to the last bit.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, nan, sqrt

import numpy as np

from actors.domain import indicators
from actors.domain.bars import SMALLEST_SPLIT, SPLIT_TOLERANCE, USUAL_SPLITS, last, last_session
from actors.domain.facts import WINDOW
from actors.domain.figures import rounded
from actors.domain.returns import STILL
from messages.market import Bars, Floats, Sessions
from messages.research import Fact, Missing, Sheet
from messages.values import Symbol

Lines = list[tuple[str, float, str, str, int, int]]


def sheet(
    symbol: Symbol, as_of: dt.date, own: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> Sheet:
    """All facts about a symbol; `own` and the portfolio's bars are cut at `as_of`."""
    facts, missing = list[Fact](), list[Missing]()
    recent, has = _adjusted(last(own, WINDOW)), len(own)
    with np.errstate(all="ignore"):
        lines: Lines = [(*line, has) for line in _figures(recent, has)]
        lines.append(_correlation(recent, portfolio, weights))
    lines.append(("weight", weights.get(symbol, 0.0), "ratio", "holdings", 0, 0))
    for name, value, unit, source, needs, there in lines:
        if isfinite(figure := rounded(value)):
            known = as_of if source == "holdings" or not has else last_session(own)
            facts.append(Fact(f"f{len(facts) + 1}", name, figure, unit, known, source))
        else:
            missing.append(Missing(name, needs, there))
    return Sheet(symbol, as_of, tuple(facts), tuple(missing))


def _figures(bars: Bars, has: int) -> list[tuple[str, float, str, str, int]]:
    close, high, low = bars.close, bars.high, bars.low
    macd = indicators.macd(close) if has >= 34 else (nan,) * 3
    bands = indicators.bollinger(close) if has >= 20 else (nan,) * 3
    return [
        ("close", float(close[-1]) if has else nan, "price", "bars", 1),
        *((f"sma_{n}", indicators.sma(close, n) if has >= n else nan, "price", "talib", n) for n in (50, 200)),
        *((f"close_vs_sma_{n}", _close_vs_sma(close, n) if has >= n else nan, "ratio", "talib", n) for n in (50, 200)),
        ("rsi_14", indicators.rsi(close) if has >= 15 else nan, "points", "talib", 15),
        *((name, value, "price", "talib", 34) for name, value in zip(_MACD, macd, strict=True)),
        ("atr_14", indicators.atr(high, low, close) if has >= 15 else nan, "price", "talib", 15),
        ("adx_14", indicators.adx(high, low, close) if has >= 28 else nan, "points", "talib", 28),
        *((name, value, "price", "talib", 20) for name, value in zip(_BANDS, bands, strict=True)),
        *((f"volatility_{n}", _volatility(close, n) if has > n else nan, "ratio", "numpy", n + 1) for n in (63, 252)),
        ("max_drawdown_252", _drawdown(close[-252:]) if has >= 252 else nan, "ratio", "numpy", 252),
        *((f"return_{n}", _return(close, n) if has > n else nan, "ratio", "numpy", n + 1) for n in (21, 252)),
        ("volume_vs_63", _volume_vs_mean(bars.volume) if has >= 63 else nan, "ratio", "numpy", 63),
    ]


_MACD = ("macd", "macd_signal", "macd_histogram")
_BANDS = ("bollinger_upper", "bollinger_middle", "bollinger_lower")


def _close_vs_sma(close: Floats, sessions: int) -> float:
    return float(close[-1]) / indicators.sma(close, sessions) - 1


def _volatility(close: Floats, sessions: int) -> float:
    off = _off_mean(np.diff(np.log(close[-sessions - 1 :])))
    return sqrt(float(off @ off) / (sessions - 1) * 252)


def _drawdown(close: Floats) -> float:
    return float((close / np.maximum.accumulate(close)).min()) - 1


def _return(close: Floats, sessions: int) -> float:
    return float(close[-1] / close[-sessions - 1]) - 1


def _volume_vs_mean(volume: Floats) -> float:
    return float(volume[-1] / volume[-63:].sum()) * 63


def _correlation(
    recent: Bars, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]
) -> tuple[str, float, str, str, int, int]:
    theirs = _portfolio_returns(recent.sessions[1:][-252:], portfolio, weights)
    shared = int(np.isfinite(theirs).sum())
    value = _pearson(np.diff(np.log(recent.close[-253:])), theirs) if shared == 252 else nan
    return "correlation_252", value, "ratio", "numpy", 253, shared + 1 if shared else 0


def _portfolio_returns(sessions: Sessions, portfolio: Mapping[Symbol, Bars], weights: Mapping[Symbol, float]) -> Floats:
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
    mean: Floats = np.log1p(earned / weighed)
    return np.where(np.isfinite(mean), mean, nan)


def _pearson(one: Floats, other: Floats) -> float:
    a, b = _off_mean(one), _off_mean(other)
    aa, bb = float(a @ a), float(b @ b)
    return float(a @ b) / sqrt(aa * bb) if min(aa, bb) > len(one) * STILL**2 else nan


def _off_mean(values: Floats) -> Floats:
    return values - float(values.sum()) / len(values)


def _adjusted(bars: Bars) -> Bars:
    if not len(bars):
        return bars
    factor = bars.adj_close / bars.close
    shares = np.ones_like(factor)
    for before, jump in enumerate((factor[1:] / factor[:-1]).tolist()):
        off = np.abs(max(jump, 1 / jump) / USUAL_SPLITS - 1)
        if max(jump, 1 / jump) >= SMALLEST_SPLIT and off.min() <= SPLIT_TOLERANCE:
            usual = float(USUAL_SPLITS[off.argmin()])
            shares[: before + 1] *= usual if jump > 1 else 1 / usual
    factor /= factor[-1]
    close, high, low = bars.close * factor, bars.high * factor, bars.low * factor
    return replace(bars, high=high, low=low, close=close, volume=bars.volume * shares)
