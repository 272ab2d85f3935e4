"""Whether the market lets an order go at a moment, by the sessions around it; moments are UTC in microseconds.

An order goes on any day that is a session at its exchange, before the open and after the close too: on paper it is
filled at a close that is known, and a broker keeps it for the open. Its price must be of the newest session that is
over. Where the calendar does not reach nobody knows what is open, and nothing goes.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from actors.domain.orders import Code, Denied, Proposal, Quote, named
from messages.market import TradingDay


@dataclass(frozen=True, slots=True)
class Hours:
    """Where a moment lies in a calendar.

    `today` is the session whose day it is at the exchange, None on a weekend or a holiday; `over` the newest that has
    closed; `next` the next to open, None where the calendar ends.
    """

    calendar: str
    at: int
    today: TradingDay | None
    over: TradingDay | None
    next: TradingDay | None

    @property
    def known(self) -> bool:
        """Whether the calendar reaches this moment: there are sessions before it, and one to come or under way."""
        return self.over is not None and (self.today is not None or self.next is not None)


def hours(calendar: str, days: Sequence[TradingDay], at: int) -> Hours:
    """Where this moment lies; `days` are the sessions around it, in order, further than any holidays are long."""
    return Hours(
        calendar,
        at,
        next((day for day in days if day.begins <= at < day.ends), None),
        next((day for day in reversed(days) if day.closes <= at), None),
        next((day for day in days if day.opens > at), None),
    )


def closed(order: Proposal, quote: Quote, at: Hours) -> Denied | None:
    """Why the market does not let this order go now, whatever else is true of it. What is said here passes."""
    if not at.known or at.over is None:
        return Denied(
            Code.CALENDAR_UNKNOWN,
            f"{named(order)}: calendar {at.calendar} does not say whether the market is open; `run.py status` shows "
            "how far it goes",
        )
    if at.today is None and at.next is not None:
        return Denied(
            Code.MARKET_CLOSED,
            f"{named(order)}: the market is closed until session {at.next.session}, which opens at "
            f"{shown(at.next.opens)}; order on that day",
        )
    if quote.session < at.over.session:
        return Denied(
            Code.STALE_PRICE,
            f"{named(order)}: the last price is of {quote.session}, and session {at.over.session} is over; refresh the "
            "prices, and order then",
        )
    return None


def deadline(at: Hours) -> int:
    """Until when waits what would have to be approved by this moment.

    A deadline that would pass while the market is closed passes at the end of the next session's day, so that there is
    one to approve in, its evening included.
    """
    return at.next.ends if at.known and at.today is None and at.next is not None else at.at


def shown(at: int) -> str:
    """A moment, as a sentence has it."""
    return dt.datetime.fromtimestamp(at // 10**6, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
