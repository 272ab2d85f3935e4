"""A round as a person or a program reads it, made from what is stored alone."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from actors.domain.thesis import fill
from messages.claude import Cause
from messages.errors import TroupeError
from messages.research import Decision, Fact, Missing
from messages.trading import Position
from messages.values import CorrelationId
from storage import decisions, fact_sheets, valuations
from storage.connections import Reader
from storage.decisions import DecisionRecord

FAILED: Final = frozenset({"signed_out", "unavailable"})
"""States in which Claude was wanted and has answered nothing."""
OFF: Final = "Claude is off; the rules have answered"
FAILURES: Final = frozenset(Cause)


class NoRound(TroupeError):
    """There is no whole round of this id."""


@dataclass(frozen=True, slots=True)
class Claude:
    """Whether Claude was asked: off, signed_out, unavailable, answered or partial."""

    state: str
    cause: str | None
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A decision with the facts it rests on; `hindsight` is true where the prices are old."""

    id: str
    symbol: str
    action: str
    analyst: str
    conviction: float | None
    horizon_days: int | None
    target: Decimal | None
    stop: Decimal | None
    thesis: str | None
    cause: str | None
    cited: tuple[str, ...]
    cost_usd: Decimal
    hindsight: bool
    facts: tuple[Fact, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What `once --json` prints. Dates are sessions; money, prices outside facts and quantities are exact."""

    schema: int
    source: str
    as_of: dt.date
    currency: str
    value: Decimal
    cash: Decimal
    positions: tuple[Position, ...]
    claude: Claude
    recommendations: tuple[Recommendation, ...]


def report(read: Reader, correlation_id: CorrelationId, source: str) -> Report:
    """The report of a round. Raises NoRound where it has no valuation."""
    with read.snapshot() as at:
        valued = valuations.load(at, correlation_id)
        if valued is None:
            raise NoRound(f"round {correlation_id}: has no valuation")
        records = decisions.together(at, correlation_id)
        found = tuple(recommendation(at, record, source) for record in records)
    cost = sum((each.cost_usd for each in found), Decimal(0))
    return Report(
        1, source, valued.as_of, valued.currency, valued.value, valued.cash, valued.positions,
        Claude(*_claude([record.decision for record in records]), cost), found,
    )  # fmt: skip


def _claude(made: Sequence[Decision]) -> tuple[str, str | None]:
    """How it went with Claude, from what came of it, and the first thing that went wrong."""
    asked = [each for each in made if each.analyst == "claude"]
    failed = [each.cause for each in asked if each.cause is not None and each.cause.partition(":")[0] in FAILURES]
    missed = [each.stand_in for each in made if each.stand_in is not None]
    faults = missed + failed
    if not faults:
        return ("answered", None) if asked else ("off", OFF)
    if len(failed) < len(asked):
        return "partial", faults[0]
    signed_out = all(fault.partition(":")[0] == Cause.AUTHENTICATION for fault in faults)
    return "signed_out" if signed_out else "unavailable", faults[0]


def recommendation(read: Reader, record: DecisionRecord, source: str) -> Recommendation:
    """One decision with its facts."""
    made = record.decision
    sheet = fact_sheets.load(read, record.correlation_id, made.symbol)
    if sheet is None:
        raise NoRound(f"round {record.correlation_id}: has no facts of {made.symbol}")
    return Recommendation(
        record.id, made.symbol, made.action, made.analyst, made.conviction, made.horizon_days, made.target, made.stop,
        None if made.thesis is None else fill(made.thesis, sheet), made.cause, made.cited, made.cost_usd,
        source == "sample", sheet.facts, sheet.missing,
    )  # fmt: skip
