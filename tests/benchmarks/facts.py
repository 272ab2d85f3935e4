"""Fact sheets against the bare TA-Lib calls: what adjusting, statistics, rounding, facts and sheets cost on top."""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import talib

from actors.domain.facts import Inputs, compute
from actors.domain.returns import portfolio_returns
from messages.market import Bars, Floats
from messages.values import Symbol
from tests.benchmarks.measure import Benchmark, Figures

LAST, SEED = dt.date(2026, 11, 20), 1
WANTED = {
    "facts_of_talib": "0.7 or more, of the speed of the bare TA-Lib calls",
    "symbol_us": "for comparison, µs a symbol for a fact sheet",
}


def walk(rng: np.random.Generator, count: int) -> Bars:
    """Bars of a price that goes up and down by two per cent a day, with a dividend each quarter."""
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    opened = close * np.exp(rng.normal(0, 0.005, count))
    high = np.maximum(opened, close) * rng.uniform(1, 1.01, count)
    low = np.minimum(opened, close) / rng.uniform(1, 1.01, count)
    sessions = np.datetime64(LAST) - np.arange(count)[::-1].astype("timedelta64[D]")
    paid: Floats = np.exp(-0.005 * (np.arange(count)[::-1] // 63))
    return Bars(sessions, opened, high, low, close, rng.uniform(1e5, 1e7, count), close * paid)


def inputs(symbols: int, sessions: int) -> list[Inputs]:
    """All of them are held, in equal parts."""
    rng = np.random.default_rng(SEED)
    bars = {Symbol(f"S{number}"): walk(rng, sessions) for number in range(symbols)}
    weight = 1 / symbols
    earned = portfolio_returns(bars, dict.fromkeys(bars, weight))
    return [Inputs(symbol, LAST, own, earned, weight) for symbol, own in bars.items()]


def bare(wanted: Sequence[Inputs]) -> None:
    """The indicators over all bars, their results thrown away."""
    for each in wanted:
        high, low, close = each.own.high, each.own.low, each.own.close
        talib.RSI(close, 14)
        talib.MACD(close, 12, 26, 9)
        talib.ATR(high, low, close, 14)
        talib.ADX(high, low, close, 14)
        talib.BBANDS(close, 20, 2.0, 2.0)
        talib.SMA(close, 50)
        talib.SMA(close, 200)


def ours(wanted: Sequence[Inputs]) -> None:
    """The sheets, thrown away too."""
    compute(wanted)


def seconds(run: Callable[[Sequence[Inputs]], None], wanted: Sequence[Inputs]) -> float:
    """Of this thread on a processor: what else the machine does counts for neither."""
    began = time.thread_time()
    run(wanted)
    return time.thread_time() - began


def rounds(repeats: int, symbols: int, sessions: int) -> Iterator[Figures]:
    """In each both, in turns of who is first; one round before them warms up."""
    wanted = inputs(symbols, sessions)
    for number in range(-1, repeats):
        turns = (bare, ours) if number % 2 else (ours, bare)
        took = {run: seconds(run, wanted) for run in turns}
        if number >= 0:
            yield {"facts_of_talib": took[bare] / took[ours], "symbol_us": took[ours] / symbols * 1e6}


ABOUT = "fact sheets of 500 symbols with 2,500 bars against the bare TA-Lib calls, one thread"
FACTS = Benchmark(ABOUT, WANTED, partial(rounds, symbols=500, sessions=2500), repeats=25)
SMALL = Benchmark(ABOUT, WANTED, partial(rounds, symbols=20, sessions=700), repeats=2)
