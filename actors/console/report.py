"""A round as a person or a program reads it, made from what is stored alone."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from actors.domain.thesis import fill
from messages.errors import TroupeError
from messages.research import Fact, Missing
from messages.trading import Position
from messages.values import CorrelationId
from storage import decisions, fact_sheets, valuations
from storage.connections import Reader
from storage.decisions import DecisionRecord

NO_CLAUDE = "this release cannot ask Claude yet; the rules have answered"


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
    valued = valuations.load(read, correlation_id)
    if valued is None:
        raise NoRound(f"round {correlation_id}: has no valuation")
    found = tuple(recommendation(read, record, source) for record in decisions.together(read, correlation_id))
    cost = sum((each.cost_usd for each in found), Decimal(0))
    return Report(
        1, source, valued.as_of, valued.currency, valued.value, valued.cash, valued.positions,
        Claude("off", NO_CLAUDE, cost), found,
    )  # fmt: skip


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
