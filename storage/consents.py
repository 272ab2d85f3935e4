"""What a person has agreed to: table `claude_consents`, append-only."""

from dataclasses import dataclass
from decimal import Decimal

from messages.database import Statement
from messages.values import from_units, to_units
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """This model may be asked, for up to so many dollars a round; `at` is UTC in microseconds."""

    model: str
    usd_per_round: Decimal
    at: int


def insert(model: str, usd_per_round: Decimal, now: int) -> Statement:
    """A person agrees."""
    return Statement(
        "INSERT INTO claude_consents (model, usd_per_round, at) VALUES (?, ?, ?)", (model, to_units(usd_per_round), now)
    )


def latest(read: Reader) -> ConsentRow | None:
    """What was agreed to last."""
    rows = read.rows(
        tuple[str, int, int], "SELECT model, usd_per_round, at FROM claude_consents ORDER BY number DESC LIMIT 1"
    )
    return next((ConsentRow(model, from_units(dollars), at) for model, dollars, at in rows), None)
