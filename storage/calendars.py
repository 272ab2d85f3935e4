"""Sessions of exchanges: table `calendar_sessions`."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

import msgspec

from messages.database import Statement
from messages.market import TradingDay
from storage.connections import Reader

AROUND: Final = 15 * 86_400 * 10**6
"""Microseconds before and after a moment in which there are sessions; the longest holidays are of eleven days."""


def replace(calendar: str, days: Sequence[TradingDay]) -> tuple[Statement, ...]:
    """What makes the sessions of a calendar these and no others."""
    rows = [(str(day.session), day.begins, day.opens, day.closes, day.ends) for day in days]
    return (
        Statement("DELETE FROM calendar_sessions WHERE calendar = ?", (calendar,)),
        Statement(
            """INSERT INTO calendar_sessions (calendar, session, begins, opens, closes, ends)
            SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)""",
            (calendar, msgspec.json.encode(rows).decode()),
        ),
    )


def around(read: Reader, calendar: str, at: int) -> list[TradingDay]:
    """The sessions of a fortnight before and after this moment, UTC in microseconds, in order."""
    rows = read.rows(
        tuple[str, int, int, int, int],
        """SELECT session, begins, opens, closes, ends FROM calendar_sessions
        WHERE calendar = ? AND closes BETWEEN ? AND ? ORDER BY closes""",
        calendar, at - AROUND, at + AROUND,
    )  # fmt: skip
    return [TradingDay(dt.date.fromisoformat(session), *times) for session, *times in rows]


def horizon(read: Reader, calendar: str) -> dt.date | None:
    """The last session that is known; None where none is."""
    sql = "SELECT max(session) FROM calendar_sessions WHERE calendar = ?"
    ((last,),) = read.rows(tuple[str | None], sql, calendar)
    return None if last is None else dt.date.fromisoformat(last)
