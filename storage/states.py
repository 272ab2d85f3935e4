"""Whether trading goes on, and what each of its days began with: tables `trading_states` and `trading_days`."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from messages.database import Statement
from messages.trading import TradingState
from messages.values import from_units, to_units
from storage.connections import Reader
from storage.orders import note

ALL: Final = "all"
"""The scope of a state that holds for every broker."""
FILE: Final = "file"
"""The scope of what was noted of the file HALT; that nothing is sent while it is there, nobody needs a row for."""
STOP: Final = "stop"
"""The scope of a desk that is about to stop."""
HaltedFor = Literal["person", "loss", "books"]
"""What trading was halted for: somebody's word, money that was lost, or books that may be wrong."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Trading is HALTED for a scope, since `at`, UTC in microseconds; with `flatten` positions are closed by it."""

    scope: str
    why: str
    cause: HaltedFor
    flatten: bool
    at: int


# What the trading coordinator writes


def set_state(
    scope: str, state: TradingState, why: str, now: int, cause: HaltedFor = "person", *, flatten: bool = False
) -> tuple[Statement, ...]:
    """Trading goes on, or not, until somebody says otherwise.

    Said again it is the same halt, which has begun when it has. One for the books stays that until trading goes on.
    """
    return (
        Statement(
            """INSERT INTO trading_states (scope, state, why, at, cause, flatten) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (scope) DO UPDATE SET state = excluded.state, why = excluded.why, flatten = excluded.flatten,
                at = CASE WHEN (state, flatten) = (excluded.state, excluded.flatten) THEN at ELSE excluded.at END,
                cause = CASE WHEN (state, excluded.state, cause) = ('HALTED', 'HALTED', 'books') THEN cause
                    ELSE excluded.cause END""",
            (scope, state, why, now, cause, int(flatten)),
        ),
        note("", state, f"{scope}: {why}", now),
    )


def note_day(session: dt.date, equity: Decimal) -> Statement:
    """What all was worth when this session was first looked at, and the most since."""
    return Statement(
        """INSERT INTO trading_days (session, opened, peak) VALUES (?1, ?2, ?2)
        ON CONFLICT (session) DO UPDATE SET peak = max(peak, excluded.peak)""",
        (session.isoformat(), to_units(equity)),
    )


def forget_days() -> Statement:
    """What all was worth before says nothing of books that are opened anew."""
    return Statement("DELETE FROM trading_days")


# What anyone reads


def state(read: Reader, broker: str, halted: str | None = None) -> tuple[TradingState, str]:
    """Whether trading goes on at this broker, and why not: the stricter of what holds for all and for it.

    `halted` is why nothing is sent, if so, whatever is stored.
    """
    if halted is not None:
        return TradingState.HALTED, halted
    rows = read.rows(
        tuple[str, str, str],
        """SELECT state, scope, why FROM trading_states WHERE scope IN ('all', 'stop', ?)
        ORDER BY state = 'HALTED' DESC, state = 'REDUCING' DESC, scope LIMIT 1""",
        broker,
    )
    return (TradingState(rows[0][0]), rows[0][2]) if rows else (TradingState.ACTIVE, "")


def halts(read: Reader, broker: str) -> list[Halt]:
    """What trading is halted by at this broker, the file HALT where it was noted, the longest first."""
    rows = read.rows(
        tuple[str, str, HaltedFor, int, int],
        """SELECT scope, why, cause, flatten, at FROM trading_states
        WHERE state = 'HALTED' AND scope IN ('all', 'file', 'stop', ?) ORDER BY at, scope""",
        broker,
    )
    return [Halt(scope, why, cause, bool(flatten), at) for scope, why, cause, flatten, at in rows]


def day(read: Reader, session: dt.date) -> tuple[Decimal, Decimal] | None:
    """What all was worth when this session began, and the most it ever was up to then; None before the first look."""
    sql = """SELECT opened, (SELECT max(peak) FROM trading_days WHERE session <= ?1) FROM trading_days
        WHERE session = ?1"""
    row = next(iter(read.rows(tuple[int, int], sql, session.isoformat())), None)
    return None if row is None else (from_units(row[0]), from_units(row[1]))


def first_day(read: Reader) -> dt.date | None:
    """The first session that was looked at since the books were opened; None before the first look."""
    ((session,),) = read.rows(tuple[str | None], "SELECT min(session) FROM trading_days")
    return None if session is None else dt.date.fromisoformat(session)
