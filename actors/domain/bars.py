"""Daily bars: cutting them at a moment, adjusting them as of it, and the first reason not to use them."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np

from messages.market import Bars, Floats, Sessions

LONGEST_GAP: Final = 10
"""Calendar days between neighbouring bars. The longest real one in the sample is 7, in September 2001."""
USUAL_SPLITS: Final = np.array([5 / 4, 4 / 3, 3 / 2, 5 / 2, *range(2, 51)])
"""New shares for an old one, 5:4 to 50:1; a reverse split is one of these upside down."""
SMALLEST_SPLIT: Final = 1.2
"""A smaller jump of close / adj_close is a dividend; the largest in the sample is Microsoft's of 2004-11-15, 1.112."""
SPLIT_TOLERANCE: Final = 0.03
"""How far a jump may be from a usual split, for a dividend on the same day."""
ROUNDED: Final = 0.01
"""How far open and close may be beyond high and low, as a ratio."""
HIGHEST: Final = 9.2e9
"""The highest price that can be kept exactly."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why bars cannot be used: the row, from 0, and what is wrong in it."""

    row: int
    sentence: str


def until(bars: Bars, session: dt.date) -> Bars:
    """The bars up to and including that session: what could be known at its end."""
    return _rows(bars, slice(0, int(np.searchsorted(bars.sessions, np.datetime64(session, "D"), side="right"))))


def last(bars: Bars, count: int) -> Bars:
    """The last `count` bars, or all where there are fewer."""
    return _rows(bars, slice(max(0, len(bars) - count), len(bars)))


def last_session(bars: Bars) -> dt.date:
    """The date of the last bar; there must be one."""
    return dt.date.fromisoformat(str(bars.sessions[-1]))


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Adjusted prices of one symbol; three arrays of one length."""

    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return len(self.close)


def adjusted(bars: Bars, count: int) -> Prices:
    """The last `count` prices, or all, adjusted for splits and dividends as of the last one, which stays as traded.

    A price is multiplied by (adj_close / close) · (last close / last adj_close). The source's adj_close looks
    ahead, but later splits and dividends scale all of it alike and cancel out.
    """
    high, low, close = bars.high[-count:], bars.low[-count:], bars.close[-count:]
    factor = bars.adj_close[-count:] / close
    factor /= factor[-1:]
    return Prices(high * factor, low * factor, close * factor)


def volumes(each: Sequence[Bars], count: int) -> Floats:
    """The last `count` volumes of each, in shares of its last bar: a matrix as of `side_by_side`.

    Splits are inferred: close / adj_close falls from one bar to the next by a usual split ratio. A dividend of a
    fifth of the price or more that happens to hit such a ratio is taken for one.
    """
    factor = side_by_side([bars.adj_close for bars in each], count) / side_by_side([bars.close for bars in each], count)
    return side_by_side([bars.volume for bars in each], count) * _shares(factor)


def side_by_side(rows: Sequence[Floats], count: int) -> Floats:
    """A matrix with the last `count` of each row, NaN in front of a shorter one."""
    matrix = np.full((len(rows), count), nan)
    for number, row in enumerate(rows):
        matrix[number, max(0, count - len(row)) :] = row[-count:]
    return matrix


def fault(bars: Bars) -> Fault | None:
    """The first reason why these bars cannot be used, or None; the caller says which file and line it is.

    A close outside of [low, high] by up to one per cent is none: sources round each column for itself.
    """
    if not len(bars):
        return Fault(0, "there are no bars")
    found = [*_date_faults(bars.sessions), *_price_faults(bars), *_volume_faults(bars), *_range_faults(bars)]
    return min(found, key=lambda each: each.row, default=None)


def splits(bars: Bars) -> list[tuple[dt.date, float]]:
    """The sessions from which on shares are split ones, and how many new ones there are for an old; as in `volumes`."""
    factor = (bars.adj_close / bars.close)[np.newaxis, :]
    return [(bars.sessions[after].item(), ratio) for _, after, ratio in _splits(factor)]


def _rows(bars: Bars, rows: slice) -> Bars:
    return Bars(
        bars.sessions[rows],
        bars.open[rows],
        bars.high[rows],
        bars.low[rows],
        bars.close[rows],
        bars.volume[rows],
        bars.adj_close[rows],
    )


def _splits(factor: Floats) -> Iterator[tuple[int, int, float]]:
    """Row, column of the first bar after, and new shares for an old one; `factor` is adj_close / close."""
    jumps = factor[:, 1:] / factor[:, :-1]
    for row, before in np.argwhere((jumps >= SMALLEST_SPLIT) | (jumps <= 1 / SMALLEST_SPLIT)).tolist():
        jump = float(jumps[row, before])
        size = max(jump, 1 / jump)
        off = np.abs(size / USUAL_SPLITS - 1)
        if off.min() <= SPLIT_TOLERANCE:
            usual = float(USUAL_SPLITS[off.argmin()])
            yield row, before + 1, usual if jump > 1 else 1 / usual


def _shares(factor: Floats) -> Floats:
    """How many of the last bar's shares one share of each bar became."""
    shares = np.ones_like(factor)
    for row, after, ratio in _splits(factor):
        shares[row, :after] *= ratio
    return shares


def _date_faults(sessions: Sessions) -> Iterator[Fault]:
    days = sessions.astype(np.int64)
    if (rows := np.flatnonzero(np.isnat(sessions))).size:
        yield Fault(int(rows[0]), "date is missing")
        return
    steps = np.diff(days)
    if (rows := np.flatnonzero(steps <= 0)).size:
        before, row = int(rows[0]), int(rows[0]) + 1
        yield Fault(row, f"date {sessions[row]} does not come after {sessions[before]}, the one before it")
    if (rows := np.flatnonzero(steps > LONGEST_GAP)).size:
        before, row = int(rows[0]), int(rows[0]) + 1
        yield Fault(
            row, f"date {sessions[row]} comes {steps[before]} days after {sessions[before]}, more than {LONGEST_GAP}"
        )


def _price_faults(bars: Bars) -> Iterator[Fault]:
    columns = {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "adj_close": bars.adj_close}
    for name, prices in columns.items():
        if (rows := np.flatnonzero(~((prices > 0) & (prices < HIGHEST)))).size:
            yield Fault(int(rows[0]), f"{name} is {prices[rows[0]]}, a price must be a number above 0 and below 9.2e9")


def _volume_faults(bars: Bars) -> Iterator[Fault]:
    if (rows := np.flatnonzero(~(np.isfinite(bars.volume) & (bars.volume >= 0)))).size:
        yield Fault(int(rows[0]), f"volume is {bars.volume[rows[0]]}, it must be a number of at least 0")


def _range_faults(bars: Bars) -> Iterator[Fault]:
    if (rows := np.flatnonzero(bars.high < bars.low)).size:
        yield Fault(int(rows[0]), f"high {bars.high[rows[0]]} is below low {bars.low[rows[0]]}")
    for name, prices in (("open", bars.open), ("close", bars.close)):
        outside = (prices > bars.high * (1 + ROUNDED)) | (prices < bars.low * (1 - ROUNDED))
        if (rows := np.flatnonzero(outside)).size:
            row = int(rows[0])
            yield Fault(row, f"{name} {prices[row]} is not between low {bars.low[row]} and high {bars.high[row]}")
