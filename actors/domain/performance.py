"""Figures of a portfolio, made of its record by day: what it returned, how much that varied, how it was traded.

Money is exact, figures are float64; `ratios` has their formulas. Where a figure does not exist, as a ratio of a
portfolio that stands still, it is None, and its reason is kept under its name.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import fsum
from typing import TypeVar

import numpy as np

from actors.domain.equity import Closed, Day, Record, Stale, Unbooked, last_rows
from actors.domain.ratios import (
    Drawdown,
    Undefined,
    annual,
    calmar,
    drawdown,
    falls_below,
    money_weighted,
    returns,
    sharpe,
    sortino,
    volatility,
)
from actors.domain.valuation import NoPrice
from messages.market import Bars, Floats
from messages.values import Symbol, from_units, to_units

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one curve; ratios, not per cent. `total` is time-weighted, over the whole period, as is `money_weighted`.

    `missing` says why those are None that are.
    """

    value: Decimal
    total: float | None
    annual: float | None
    money_weighted: float | None
    money_weighted_annual: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown: Drawdown | None
    missing: dict[str, str]


@dataclass(frozen=True, slots=True)
class Trading:
    """What was traded, before fees; `closed` counts sales by symbol and session, of which `hit_rate` have earned."""

    trades: int
    trades_per_session: float
    bought: Decimal
    sold: Decimal
    turnover: float | None
    closed: int
    realised: Decimal
    hit_rate: float | None
    win_loss: float | None
    missing: dict[str, str]


@dataclass(frozen=True, slots=True)
class Point:
    """A session of the curves, in money; `index` is time-weighted growth of 1, `drawdown` its fall from the highest."""

    session: dt.date
    equity: Decimal
    flow: Decimal
    alone: Decimal
    benchmark: Decimal | None
    index: float | None
    drawdown: float | None


@dataclass(frozen=True, slots=True)
class Performance:
    """A portfolio over its sessions, net of fees, beside the same holdings left alone and a benchmark.

    `put_in` is what was there at first and came later, less what was taken out. `before_fees` and `after_claude` are
    total returns, as if fees had stayed in cash and as if Claude were paid out of it. `exposure` is the mean of what is
    long and short together over equity, `net_exposure` of the one less the other.
    """

    first: dt.date
    last: dt.date
    sessions: int
    put_in: Decimal
    gained: Decimal
    fees: Decimal
    claude: Decimal
    own: Figures
    before_fees: float | None
    after_claude: float | None
    alone: Figures
    benchmark: Figures | None
    exposure: float | None
    net_exposure: float | None
    trading: Trading
    stale: tuple[Stale, ...]
    unbooked: tuple[Unbooked, ...]
    curve: tuple[Point, ...]


def measure(record: Record, benchmark: tuple[Symbol, Bars] | None = None) -> Performance:
    """All figures of a record. Raises NoPrice where the benchmark has no close up to the first session."""
    days = record.days
    fees, claude = (sum(amounts, Decimal(0)) for amounts in ([d.fees for d in days], [d.claude for d in days]))
    flows = [day.flow for day in days]
    sessions = [day.session for day in days]
    equity = [day.equity for day in days]
    other = None if benchmark is None else _followed(*benchmark, days)
    own, index = _figures(sessions, equity, flows)
    falls = None if index is None else falls_below(index).tolist()
    points = (
        Point(
            day.session, day.equity, day.flow, day.alone,
            None if other is None else other[number],
            None if index is None else float(index[number]),
            None if falls is None else falls[number],
        )
        for number, day in enumerate(days)
    )  # fmt: skip
    exposed = [(float(day.long), float(day.short), float(day.equity)) for day in days if day.equity > 0]
    return Performance(
        sessions[0],
        sessions[-1],
        len(days),
        sum(flows, Decimal(0)),
        equity[-1] - sum(flows, Decimal(0)),
        fees,
        claude,
        own,
        _total(sessions, _plus(equity, [day.fees for day in days]), flows),
        _total(sessions, _plus(equity, [-day.claude for day in days]), flows),
        _figures(sessions, [day.alone for day in days], [day.alone_flow for day in days])[0],
        None if other is None else _figures(sessions, other, flows)[0],
        _mean([(long + short) / whole for long, short, whole in exposed]),
        _mean([(long - short) / whole for long, short, whole in exposed]),
        traded(days, record.closed),
        record.stale,
        record.unbooked,
        tuple(points),
    )


def traded(days: Sequence[Day], closed: Sequence[Closed]) -> Trading:
    """What was bought and sold.

    Turnover is the lesser of purchases and sales over mean equity, of the period (SEC Form N-1A, item 13, with all of
    the equity and not securities alone). A win is a closed trade above 0 net of fees; `win_loss` is the mean win over
    the mean loss.
    """
    missing, trades = dict[str, str](), sum(day.trades for day in days)
    bought, sold = sum((day.bought for day in days), Decimal(0)), sum((day.sold for day in days), Decimal(0))
    mean = fsum(float(day.equity) for day in days) / len(days)
    earned = [float(each.realised) for each in closed]
    wins, losses = [each for each in earned if each > 0], [each for each in earned if each < 0]

    def turnover() -> float:
        if mean <= 0:
            raise Undefined("equity was nothing or less in the mean")
        return float(min(bought, sold)) / mean

    def hit_rate() -> float:
        if not earned:
            raise Undefined("no trade was closed")
        return len(wins) / len(earned)

    def win_loss() -> float:
        if not wins or not losses:
            raise Undefined("no trade was closed" if not earned else "none was won" if not wins else "none was lost")
        return fsum(wins) / len(wins) / -(fsum(losses) / len(losses))

    return Trading(
        trades,
        trades / len(days),
        bought,
        sold,
        _tried(missing, "turnover", turnover),
        len(closed),
        sum((each.realised for each in closed), Decimal(0)),
        _tried(missing, "hit_rate", hit_rate),
        _tried(missing, "win_loss", win_loss),
        missing,
    )


def _figures(
    sessions: Sequence[dt.date], equity: Sequence[Decimal], flows: Sequence[Decimal]
) -> tuple[Figures, Floats | None]:
    """Of one curve, with its index, the growth of 1."""
    missing, first, last = dict[str, str](), sessions[0], sessions[-1]

    def of(name: str, make: Callable[[], T]) -> T | None:
        return _tried(missing, name, make)

    def needs(name: str, value: T | None) -> T:
        if value is None:
            raise Undefined(missing[name])
        return value

    each = of("total", lambda: returns(sessions, equity, flows))
    index = None if each is None else _grown(each)
    total = None if index is None else float(index[-1]) - 1
    later = None if each is None else each[1:]  # the first is of no time at all
    yearly = of("annual", lambda: annual(needs("total", total), first, last))
    deepest = of("drawdown", lambda: drawdown(needs("total", index), sessions))
    paid = [(session, -float(flow)) for session, flow in zip(sessions[:-1], flows, strict=False) if flow]
    weighted = of("money_weighted", lambda: money_weighted([*paid, (last, float(equity[-1] - flows[-1]))]))
    figures = Figures(
        equity[-1],
        total,
        yearly,
        weighted,
        of("money_weighted_annual", lambda: annual(needs("money_weighted", weighted), first, last)),
        of("volatility", lambda: volatility(needs("total", later))),
        of("sharpe", lambda: sharpe(needs("total", later))),
        of("sortino", lambda: sortino(needs("total", later))),
        of("calmar", lambda: calmar(needs("annual", yearly), needs("drawdown", deepest))),
        deepest,
        missing,
    )
    return figures, index


def _total(sessions: Sequence[dt.date], equity: Sequence[Decimal], flows: Sequence[Decimal]) -> float | None:
    try:
        return float(np.prod(1 + returns(sessions, equity, flows))) - 1
    except Undefined:
        return None  # the figures before say why


def _tried(missing: dict[str, str], name: str, make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Undefined as error:
        missing[name] = str(error)
        return None


def _grown(each: Floats) -> Floats:
    index: Floats = np.cumprod(1 + each, dtype=np.float64)
    return index


def _plus(equity: Sequence[Decimal], amounts: Sequence[Decimal]) -> list[Decimal]:
    """The curve as if each of these amounts had stayed in it from its session on."""
    made, kept = list[Decimal](), Decimal(0)
    for whole, amount in zip(equity, amounts, strict=True):
        kept += amount
        made.append(whole + kept)
    return made


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _followed(symbol: Symbol, bars: Bars, days: Sequence[Day]) -> list[Decimal]:
    """What the same money, put in and taken out at the same closes, would be in that symbol, its dividends reinvested.

    By adjusted closes, of which the ratio from one session to the next is as of the later one.
    """
    rows = last_rows(bars, np.array([day.session for day in days], "datetime64[D]"))
    if rows[0] < 0:
        raise NoPrice(symbol, days[0].session)
    closes, worth = bars.adj_close[rows].tolist(), [days[0].flow]
    for (before, now), day in zip(pairwise(closes), days[1:], strict=True):
        worth.append(from_units(to_units(worth[-1] * Decimal(repr(now / before)))) + day.flow)
    return worth
