"""The sessions of an exchange, as the package `exchange_calendars` knows them.

It brings pandas, 0.6 s and 60 MB, so this is computed in a process of a worker, never in the desk's.
"""

import datetime as dt
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from messages.market import TradingDay

BACK: Final = dt.timedelta(days=365)
AHEAD: Final = dt.timedelta(days=400)
"""How far sessions are worked out from a day on, or as far as the package knows them."""
KNOWN_TO_ALL: Final = ("2025-01-06", "2025-02-07")
"""A month that each calendar knows. For it one is built quickly, some take 4 s for their 20 years."""
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which exchange's, by its name in the package, and the day that they are worked out around."""

    calendar: str
    day: dt.date


@dataclass(frozen=True, slots=True)
class Sessions:
    """All sessions of an exchange that are known around that day, in order; none where its calendar has ended."""

    calendar: str
    days: tuple[TradingDay, ...]


def compute(wanted: Sequence[Inputs]) -> list[Sessions]:
    """The sessions of each."""
    return [Sessions(each.calendar, tuple(_days(each))) for each in wanted]


def _days(wanted: Inputs) -> Iterator[TradingDay]:
    package: Any = importlib.import_module("exchange_calendars")  # where it is needed, see above
    start, end = KNOWN_TO_ALL
    kind: Any = package.get_calendar(wanted.calendar, start=start, end=end).__class__
    earliest, latest = kind.bound_min(), kind.bound_max()
    first, last = wanted.day - BACK, wanted.day + AHEAD
    first = first if earliest is None else max(first, earliest.date())
    last = last if latest is None else min(last, latest.date())
    if first >= last:
        return
    calendar = kind(start=first.isoformat(), end=last.isoformat())
    for session, opens, closes in zip(calendar.sessions, calendar.opens, calendar.closes, strict=True):
        day: dt.date = session.date()
        begins, ends = (dt.datetime.combine(each, dt.time(), calendar.tz) for each in (day, day + _DAY))
        times = [round(each.timestamp()) * 10**6 for each in (begins, opens, closes, ends)]
        yield TradingDay(day, min(times[:2]), times[1], times[2], max(times[2:]))
