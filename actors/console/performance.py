"""How the portfolio has done: read from what is stored, beside a desk that runs too."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actors.domain import equity, performance
from actors.domain.performance import Performance
from messages.errors import TroupeError
from messages.market import Bars
from messages.values import Symbol
from storage import bars, movements, questions
from storage.connections import Reader

DOLLARS: Final = "USD"
"""What Claude is paid in."""


class NoBenchmark(TroupeError):
    """There are no prices of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The figures, with what whoever reads them needs to know.

    `claude_counts` is whether what Claude has cost, in dollars, can be set against money of this currency.
    """

    currency: str
    source: str
    benchmark: str | None
    claude_counts: bool
    performance: Performance


def measured(read: Reader, fixed: dict[str, str], since: dt.date | None = None, benchmark: str | None = None) -> Shown:
    """All figures from the opening, or from that day on. Raises NothingHeld, NoPrice, NoBenchmark.

    Read in one state of the database; `fixed` is what never changes in this home.
    """
    currency = fixed["currency"]
    with read.snapshot() as at:
        booked = movements.movements(at)
        spent = questions.spending(at) if currency == DOLLARS else []
        sessions = bars.sessions(at, min((each.session or _day(each.at) for each in booked), default=dt.date.max))
        symbols = {each.symbol for movement in booked for each in movement.moved}
        held = {symbol: own for symbol in symbols if (own := _bars(at, symbol, sessions)) is not None}
        other = None if benchmark is None else _benchmark(at, benchmark, sessions)
    record = equity.rebuild(booked, spent, sessions, held, since)
    made = performance.measure(record, other)
    return Shown(currency, fixed["price_source"], None if other is None else other[0], currency == DOLLARS, made)


def _day(at: int) -> dt.date:
    return dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).date()


def _bars(read: Reader, symbol: Symbol, sessions: Sequence[dt.date]) -> Bars | None:
    """From the first of these sessions on, and of a year before, since an older close may stand in."""
    if not sessions:
        return None
    return bars.load(read, symbol, sessions[-1], sessions[-1].year - sessions[0].year + 1)


def _benchmark(read: Reader, name: str, sessions: Sequence[dt.date]) -> tuple[Symbol, Bars]:
    symbol = Symbol(name.strip().upper())
    if (own := _bars(read, symbol, sessions)) is None:
        raise NoBenchmark(
            f"--benchmark {name}: there are no prices of it; name it in desk.toml under [research] watch, "
            "and `run.py once` fetches them"
        )
    return symbol, own
