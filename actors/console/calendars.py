"""The exchange's calendar: having it worked out in time, and what is to be seen of it."""

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from actors.console.access import Access
from actors.domain.hours import hours, shown
from messages.tasks import NewTask, RefreshCalendar
from messages.values import CorrelationId
from storage import calendars, tasks
from storage.connections import Reader

ENOUGH: Final = dt.timedelta(days=60)
"""How far ahead a calendar is known that needs not be worked out anew."""
LOOK: Final = 0.01
"""Seconds between two looks at the task, where it is waited for."""
PATIENCE: Final = 15.0
"""Seconds after which it goes on without; then orders wait."""


@dataclass(frozen=True, slots=True)
class Market:
    """How the market is by an exchange's calendar; times are UTC in microseconds.

    `closed` is a day without a session; on a day with one orders go before the open and after the close, too. `over` is
    the last session that has closed, whose prices orders need; `next` the one that opens next; `horizon` the last one
    that is known.
    """

    calendar: str
    state: Literal["open", "closed", "unknown"]
    over: dt.date | None
    next: dt.date | None
    opens: int | None
    horizon: dt.date | None


def market(read: Reader, calendar: str | None, now: int) -> Market | None:
    """How it is now; None on sample prices, which need no calendar."""
    if calendar is None:
        return None
    at = hours(calendar, calendars.around(read, calendar, now), now)
    return Market(
        calendar,
        "unknown" if not at.known else "closed" if at.today is None else "open",
        None if at.over is None else at.over.session,
        None if at.next is None else at.next.session,
        None if at.next is None else at.next.opens,
        calendars.horizon(read, calendar),
    )


def refresh(access: Access) -> None:
    """Have the calendar worked out anew where it ends soon, once a day at most; wait for it only where it has ended."""
    if access.calendar is None:
        return
    today = dt.datetime.fromtimestamp(access.system.clock.utc() // 10**6, dt.UTC).date()
    known = calendars.horizon(access.read, access.calendar)
    if known is not None and known - today >= ENOUGH:
        return
    task = NewTask(f"refresh_calendar/{access.calendar}/{today}", "data", RefreshCalendar(access.calendar, today))
    correlation_id = CorrelationId(secrets.token_hex(16))
    access.submit([task], correlation_id)
    if known is None or known < today:
        _wait_for(access, task.key)


def _wait_for(access: Access, key: str) -> None:
    for _ in range(round(PATIENCE / LOOK)):
        row = tasks.by_key(access.read, key)
        if row is None or row.state in {"done", "dead", "cancelled"}:
            return
        access.pause(LOOK)


def described(market: Market) -> str:
    """In a sentence."""
    if market.state == "unknown":
        ends = "is not there (see `run.py tasks`)" if market.horizon is None else f"ends with session {market.horizon}"
        return f"calendar {market.calendar} {ends}, so nobody knows whether it is open, and no order is sent"
    today = "a session today" if market.state == "open" else "closed today"
    over = f"the last session that is over is {market.over}"
    opens = "" if market.opens is None else f", session {market.next} opens at {shown(market.opens)}"
    return f"{market.calendar}, {today}; {over}{opens}; known until {market.horizon}"
