"""A portfolio day by day, rebuilt from its bookings and the closes: what it was worth, what went in and out of it.

Beside it the same holdings left alone: what was put in and taken out, and no trade. Money is exact.
"""

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.bars import splits
from actors.domain.valuation import EXACT, NoPrice
from messages.errors import TroupeError
from messages.market import Bars, Floats, Sessions
from messages.performance import Moved, Movement, Spending
from messages.values import Symbol, from_units, to_units

REVERSAL: Final = "reversal"
EXTERNAL: Final = frozenset({"opening", REVERSAL, "deposit", "withdrawal"})
"""Kinds of bookings that put something into the portfolio or take it out; all others are its own doing."""
SPLIT: Final = "split"
BEFORE: Final = frozenset({SPLIT, "dividend"})
"""What happens before a session's trades, whenever it was booked: it is for what was held until then."""
STALE: Final = 5
"""Sessions after which a close that stands in for a missing one is named."""


class NothingHeld(TroupeError):
    """There is nothing to measure: no bookings, or no sessions, or none since that day."""


@dataclass(frozen=True, slots=True)
class Day:
    """A session, at whose close the portfolio is worth `equity`, net of fees; money in the desk's currency.

    `flow` was put in (above zero) or taken out, in cash or in shares at this close; of the first day it is all there
    was to begin with. `claude` is what Claude cost, which is not paid out of the portfolio. `long` and `short` are what
    is held and owed in shares, both above zero, `bought` and `sold` what was traded, before fees, in `trades` bookings.
    `alone` is what the same holdings, left alone, are worth, and `alone_flow` is what came to them and went.
    """

    session: dt.date
    equity: Decimal
    flow: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    claude: Decimal = Decimal(0)
    long: Decimal = Decimal(0)
    short: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)
    trades: int = 0
    alone: Decimal = Decimal(0)
    alone_flow: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closed:
    """What was sold of a symbol in a session, or bought back of a short one, and what that has earned net of fees."""

    symbol: Symbol
    session: dt.date
    realised: Decimal


@dataclass(frozen=True, slots=True)
class Stale:
    """The oldest close that has stood in for a missing one: of which session it was, and how many sessions later."""

    symbol: Symbol
    session: dt.date
    sessions: int


@dataclass(frozen=True, slots=True)
class Unbooked:
    """A split, by so many new shares for an old one, that prices show and the ledger does not have."""

    symbol: Symbol
    session: dt.date
    ratio: float


@dataclass(frozen=True, slots=True)
class Record:
    """A portfolio day by day, one day at least."""

    days: tuple[Day, ...]
    closed: tuple[Closed, ...]
    stale: tuple[Stale, ...]
    unbooked: tuple[Unbooked, ...]


def place(sessions: Sequence[dt.date], session: dt.date | None, at: int) -> int:
    """The session something counts for, from 0: the one recorded, else the last up to the day it was booked, in UTC.

    Where all sessions end before (sample prices, a desk without new ones) that is the last one, and where all come
    after, the first: market time is the newest session there is.
    """
    day = session or dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).date()
    return max(0, bisect_right(sessions, day) - 1)


def rebuild(
    movements: Sequence[Movement],
    spent: Iterable[Spending],
    sessions: Sequence[dt.date],
    bars: Mapping[Symbol, Bars],
    since: dt.date | None = None,
) -> Record:
    """The portfolio at the close of each session, from its opening on, or from the last close up to `since`.

    `sessions` are all there are, in order, `bars` are of every symbol that was ever held. A session without a close of
    something held takes the last one before. Raises NothingHeld, NoPrice where there is none before.
    """
    if not movements or not sessions:
        raise NothingHeld("performance: nothing was ever held here; `run.py import FILE` opens the books")
    if since is not None and since > sessions[-1]:
        raise NothingHeld(f"performance since {since}: the last session is {sessions[-1]}; give an earlier day")
    booked = _by_session(movements, sessions)
    costs = defaultdict[int, Decimal](Decimal)
    for each in spent:
        costs[place(sessions, None, each.at)] += each.dollars
    first = min(booked)
    if since is not None and (later := bisect_right(sessions, since) - 1) > first:
        first, booked = later, _opened(booked, later)
        costs.pop(first, None)  # it is part of what came before
    with localcontext(EXACT):
        walk = _Walk(sessions, first, bars)
        days = [walk.day(booked.get(number, ()), costs[number]) for number in range(first, len(sessions))]
    closed = (Closed(symbol, session, realised) for (symbol, session), realised in walk.closed.items())
    return Record(tuple(days), tuple(closed), tuple(walk.stale.values()), tuple(walk.unbooked))


def _by_session(movements: Sequence[Movement], sessions: Sequence[dt.date]) -> dict[int, list[Movement]]:
    """The bookings of each session, in their order, but for splits and dividends, which come first.

    What was booked before those counts for an earlier session, if it has none of its own. One without a session of its
    own does not come after a later one, either: an import before the close of a day, traded at the close before, would
    else move behind that trade as soon as the day has a bar.
    """
    placed, latest = list[tuple[int, Movement]](), len(sessions)
    for movement in reversed(movements):
        number = place(sessions, movement.session, movement.at)
        latest = max(0, min(latest, number - (movement.kind in BEFORE)))
        placed.append((number if movement.session else latest, movement))
    booked = defaultdict[int, list[Movement]](list)
    for number, movement in reversed(placed):
        booked[number].append(movement)
    return {number: sorted(of, key=lambda movement: movement.kind not in BEFORE) for number, of in booked.items()}


def _opened(booked: Mapping[int, Sequence[Movement]], first: int) -> dict[int, list[Movement]]:
    """The bookings from that session's close on, all before as one opening."""
    account, later = _Account(), defaultdict[int, list[Movement]](list)
    for number in sorted(booked):
        if number > first:
            later[number] = list(booked[number])
            continue
        for movement in booked[number]:
            account.take(movement)
    held = (Moved(symbol, quantity, Decimal(0)) for symbol, quantity in account.shares.items() if quantity)
    later[first] = [Movement(0, "opening", None, 0, account.cash, Decimal(0), tuple(held), None)]
    return later


class _Account:
    """Shares and cash, as far as the walk has come."""

    def __init__(self) -> None:
        self.shares, self.cash = defaultdict[Symbol, Decimal](Decimal), Decimal(0)

    def take(self, movement: Movement) -> None:
        self.cash += movement.cash
        for each in movement.moved:
            self.shares[each.symbol] += each.quantity

    def is_empty(self) -> bool:
        return not self.cash and not any(self.shares.values())

    def worth(self, price: Callable[[Symbol], Decimal]) -> list[Decimal]:
        """The value of each position, below zero where it is short."""
        return [quantity * price(symbol) for symbol, quantity in self.shares.items() if quantity]


@dataclass(frozen=True, slots=True)
class _Prices:
    """Of one symbol, at each session: its close, of which session and how many sessions old that is, adj_close / close.

    Before session `begins` there is none.
    """

    begins: int
    closes: list[float]
    of: Sessions
    ages: list[int]
    factors: Floats


class _Walk:
    """Through the sessions, one `day` after the other, with the portfolio and the one left alone side by side."""

    def __init__(self, sessions: Sequence[dt.date], first: int, bars: Mapping[Symbol, Bars]) -> None:
        self._sessions, self._number = sessions[first:], -1
        every = np.array(sessions, "datetime64[D]")
        self._prices = {symbol: _prices(own, every, first) for symbol, own in bars.items()}
        self._splits = defaultdict[dt.date, list[tuple[Symbol, float]]](list)
        for symbol, own in bars.items():
            for session, ratio in splits(own):
                self._splits[session].append((symbol, ratio))
        self._today = dict[Symbol, Decimal]()
        self._own, self._alone = _Account(), _Account()
        self.closed = defaultdict[tuple[Symbol, dt.date], Decimal](Decimal)
        self.stale, self.unbooked = dict[Symbol, Stale](), list[Unbooked]()

    def day(self, booked: Sequence[Movement], claude: Decimal) -> Day:
        self._number += 1
        self._today.clear()
        self._look_for_splits(booked)
        self._carry_on_alone()
        flow, alone_flow, fees, bought, sold, trades = Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(0), 0
        for movement in booked:
            if movement.kind in EXTERNAL:
                moved = movement.cash + sum(each.quantity * self._price(each.symbol) for each in movement.moved)
                flow, alone_flow = flow + moved, alone_flow + self._put_in_alone(movement, moved)
                continue
            fees += movement.fees  # of what is not external: a reversal takes former fees back
            if _is_trade(movement):
                gross, trades = abs(movement.cash + movement.fees), trades + 1
                bought, sold = (bought + gross, sold) if movement.cash < 0 else (bought, sold + gross)
                self._close(movement)
            else:
                self._happens_alone(movement)
            self._own.take(movement)
        positions = self._own.worth(self._price)
        long = sum((each for each in positions if each > 0), Decimal(0))
        short = -sum((each for each in positions if each < 0), Decimal(0))
        alone = sum(self._alone.worth(self._price), self._alone.cash)
        equity = self._own.cash + long - short
        return Day(self._session, equity, flow, fees, claude, long, short, bought, sold, trades, alone, alone_flow)

    @property
    def _session(self) -> dt.date:
        return self._sessions[self._number]

    def _price(self, symbol: Symbol) -> Decimal:
        if (known := self._today.get(symbol)) is not None:
            return known
        prices = self._prices.get(symbol)
        if prices is None or self._number < prices.begins:
            raise NoPrice(symbol, self._session)
        if (age := prices.ages[self._number]) > STALE:
            before = self.stale.get(symbol)
            if before is None or before.sessions < age:
                self.stale[symbol] = Stale(symbol, prices.of[self._number].item(), age)
        close = self._today[symbol] = Decimal(repr(prices.closes[self._number]))
        return close

    def _put_in_alone(self, movement: Movement, moved: Decimal) -> Decimal:
        """Take what comes from outside into both. When an import takes the place of all there was, it does so of what
        was left alone, too, which is worth something else by then. The value that has come to what is left alone."""
        self._own.take(movement)
        if movement.kind == REVERSAL and self._own.is_empty():
            gone = sum(self._alone.worth(self._price), self._alone.cash)
            self._alone = _Account()
            return -gone
        self._alone.take(movement)
        return moved

    def _close(self, movement: Movement) -> None:
        """Keep what a trade that makes a position smaller has earned: by how much the books are worth more after it."""
        held = [(self._own.shares[each.symbol], each.quantity) for each in movement.moved]
        if all(own * quantity < 0 and abs(quantity) <= abs(own) for own, quantity in held):
            realised = movement.cash + sum(each.cost for each in movement.moved)
            self.closed[movement.moved[0].symbol, self._session] += realised

    def _happens_alone(self, movement: Movement) -> None:
        """What comes to shares without a trade, a split or a dividend, comes to those left alone in proportion."""
        for each in movement.moved:
            if own := self._own.shares[each.symbol]:
                self._alone.shares[each.symbol] += _scaled(self._alone.shares[each.symbol], each.quantity, own)
        symbol = movement.symbol
        if symbol is not None and not movement.moved and not movement.fees and (own := self._own.shares[symbol]):
            self._alone.cash += _scaled(self._alone.shares[symbol], movement.cash, own)

    def _carry_on_alone(self) -> None:
        """Of what is no longer held the ledger books no split and no dividend: those show in the adjusted closes."""
        for symbol, quantity in self._alone.shares.items():
            if quantity and not self._own.shares[symbol]:
                factors = self._prices[symbol].factors
                grown = float(factors[self._number] / factors[self._number - 1])
                self._alone.shares[symbol] = _scaled(quantity, Decimal(repr(grown)), Decimal(1))

    def _look_for_splits(self, booked: Sequence[Movement]) -> None:
        for symbol, ratio in self._splits.get(self._session, ()):
            if self._own.shares[symbol] and not any(each.kind == SPLIT and each.symbol == symbol for each in booked):
                self.unbooked.append(Unbooked(symbol, self._session, ratio))


def _is_trade(movement: Movement) -> bool:
    return bool(movement.moved and movement.cash and movement.kind != SPLIT)


def _scaled(amount: Decimal, by: Decimal, of: Decimal) -> Decimal:
    """amount · by / of, to the ninth decimal."""
    with localcontext(Context(prec=60)):
        return from_units(to_units(amount * by / of))


def _prices(bars: Bars, sessions: Sessions, first: int) -> _Prices:
    rows = last_rows(bars, sessions[first:])
    known = np.maximum(rows, 0)
    of = bars.sessions[known]
    ages = np.arange(first, len(sessions)) - (np.searchsorted(sessions, of, side="right") - 1)
    return _Prices(
        int((rows < 0).sum()), bars.close[known].tolist(), of, ages.tolist(), (bars.adj_close / bars.close)[known]
    )


def last_rows(bars: Bars, sessions: Sessions) -> NDArray[np.int64]:
    """For each session the row of the last bar up to it, -1 where there is none yet."""
    rows: NDArray[np.int64] = np.searchsorted(bars.sessions, sessions, side="right") - 1
    return rows
