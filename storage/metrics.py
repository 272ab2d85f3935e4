"""What triggers count for the metrics: tables `claude_totals`, `claude_times`, `claude_breaker_counts`,
`decision_counts` and `trading_counts`, all small whatever there is of what they count; and the newest valuation."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from messages.trading import Valuation
from messages.values import from_units
from storage.connections import Reader
from storage.payloads import decode

BOUNDS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the buckets for Claude, in seconds; they stand in the migration, too."""
What = Literal["seconds", "waited", "first_chunk"]
"""Claude's own time; that in the line before; that until the first word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions of a kind that have ended: how many, what they cost in dollars, and what they took of tokens."""

    purpose: str
    model: str
    outcome: str
    questions: int
    cost: Decimal
    input: int
    output: int
    cache_read: int
    cache_write: int


@dataclass(frozen=True, slots=True)
class Took:
    """Their times in one bucket, the last one above all bounds."""

    purpose: str
    model: str
    outcome: str
    bucket: int
    times: int
    seconds: float


def asked(read: Reader) -> list[Asked]:
    """All questions that have ended, by kind."""
    rows = read.rows(
        tuple[str, str, str, int, int, int, int, int, int],
        """SELECT purpose, model, outcome, questions, cost, input_tokens, output_tokens, cache_read_tokens,
            cache_write_tokens FROM claude_totals""",
    )
    return [
        Asked(purpose, model, outcome, count, from_units(cost), *tokens)
        for purpose, model, outcome, count, cost, *tokens in rows
    ]


def took(read: Reader, what: What) -> list[Took]:
    """How long they took, by kind and bucket."""
    rows = read.rows(
        tuple[str, str, str, int, int, float],
        "SELECT purpose, model, outcome, bucket, times, seconds FROM claude_times WHERE what = ?",
        what,
    )
    return [Took(*row) for row in rows]


def entered(read: Reader) -> dict[str, int]:
    """How often the breaker went from another state into this one."""
    return dict(read.rows(tuple[str, int], "SELECT state, entered FROM claude_breaker_counts"))


def decided(read: Reader, what: Literal["made", "abstained", "rejected"]) -> dict[str, int]:
    """Claude's decisions, those without a view by the code of their cause, and answers that were not grounded by
    the first field that cannot stand."""
    return dict(read.rows(tuple[str, int], "SELECT cause, decisions FROM decision_counts WHERE what = ?", what))


def moved(read: Reader) -> dict[tuple[str, str, str], int]:
    """How often orders came into a state, by side, state and, of those that were denied, the code of why."""
    rows = read.rows(tuple[str, str, str, int], "SELECT side, state, reason, orders FROM trading_counts")
    return {(side, state, reason): count for side, state, reason, count in rows}


def valued_at(read: Reader) -> int:
    """When the newest valuation was made, UTC in microseconds; 0 if there is none."""
    return read.rows(tuple[int], "SELECT coalesce(max(at), 0) FROM valuations")[0][0]


def valuation(read: Reader) -> Valuation | None:
    """The newest one. Raises Undecodable."""
    sql = "SELECT version, payload FROM valuations ORDER BY at DESC LIMIT 1"
    rows = read.rows(tuple[int, str], sql)
    return decode(Valuation, *rows[0]) if rows else None


def peak(read: Reader) -> Decimal | None:
    """The most that all was ever worth when trading looked; None before the first look."""
    ((highest,),) = read.rows(tuple[int | None], "SELECT max(peak) FROM trading_days")
    return None if highest is None else from_units(highest)
