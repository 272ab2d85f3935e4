"""The breaker's states, one after the other: table `claude_breaker`, append-only; the newest is the one it is in."""

from dataclasses import dataclass
from typing import Literal

from messages.database import Statement
from storage.connections import Reader

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """One state of the breaker; `retry_at` and `at` are UTC in microseconds, `cause` is empty where there is none."""

    state: State
    failures: int
    cause: str
    sentence: str
    retry_at: int | None
    at: int


def insert(state: State, failures: int, cause: str, sentence: str, retry_at: int | None, now: int) -> Statement:
    """It is in this state from now on."""
    return Statement(
        "INSERT INTO claude_breaker (state, failures, cause, sentence, retry_at, at) VALUES (?, ?, ?, ?, ?, ?)",
        (state, failures, str(cause), sentence, retry_at, now),
    )


def latest(read: Reader) -> BreakerRow | None:
    """The state it is in, unless it was never in another than closed."""
    rows = read.rows(
        tuple[State, int, str, str, int | None, int],
        "SELECT state, failures, cause, sentence, retry_at, at FROM claude_breaker ORDER BY number DESC LIMIT 1",
    )
    return BreakerRow(*rows[0]) if rows else None
