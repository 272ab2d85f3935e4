"""Sessions as New York has them, made by hand."""

import datetime as dt
from typing import Final

from messages.market import TradingDay

HOUR: Final = 3_600 * 10**6
WINTER, SUMMER = 5, 4
"""Hours that New York is behind UTC."""


def utc(text: str) -> int:
    """A moment such as `2013-03-01 14:30`, UTC, in microseconds."""
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * 10**6


def day(date: dt.date | str, closes: float = 16, behind: int = WINTER) -> TradingDay:
    """A session from 9:30 to this hour of New York's."""
    date = dt.date.fromisoformat(date) if isinstance(date, str) else date
    begins = utc(f"{date} 00:00") + behind * HOUR
    return TradingDay(date, begins, begins + round(9.5 * HOUR), begins + round(closes * HOUR), begins + 24 * HOUR)


def weekdays(first: str, count: int, *holidays: str) -> list[TradingDay]:
    """So many days from this one on, but for weekends and these."""
    dates = (dt.date.fromisoformat(first) + dt.timedelta(days=number) for number in range(count))
    return [day(date) for date in dates if date.weekday() < 5 and str(date) not in holidays]
