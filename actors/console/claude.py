"""How it stands with Claude at this desk: whether it may and can be asked, what it may cost and has cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from actors.console.access import Access, DeskRefused
from messages.claude import Asking, Look, Program, Programs
from messages.prices import ModelPrice
from storage import breaker, consents, model_prices, questions
from storage.connections import Reader
from storage.questions import Breakdown

SHOWN: Final = 5
"""How many failures, newest first."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker's state, and why it is in it; times are UTC in microseconds, None where it was always closed."""

    state: str
    cause: str
    sentence: str
    retry_at: int | None
    since: int | None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person has agreed to last, and when; `holds` if it covers what the settings say now."""

    model: str
    usd_per_round: Decimal
    at: int
    holds: bool


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Dollars that may be spent at most."""

    question: Decimal
    round: Decimal
    day: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True)
class Spending:
    """Dollars that are spent or reserved, of this day and this month (UTC), and what for since the month began."""

    day: Decimal
    month: Decimal
    of_month: Breakdown


@dataclass(frozen=True, slots=True)
class Failure:
    """A question without an answer: when it ended (UTC, microseconds), what for, why, and what it cost all the same."""

    at: int
    purpose: str
    symbol: str | None
    cause: str
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Live:
    """Of a running desk: its Claude programs, and how many questions wait or are under way."""

    programs: tuple[Program, ...]
    questions: int


@dataclass(frozen=True, slots=True)
class State:
    """How it stands with Claude. `price` is None where the model's is not known, `live` where no desk runs."""

    model: str
    price: ModelPrice | None
    consent: Consent | None
    breaker: Breaker
    ceilings: Ceilings
    spent: Spending
    failures: tuple[Failure, ...]
    live: Live | None


def state(read: Reader, asking: Asking, now: int, live: Live | None = None) -> State:
    """What the database says, and what a running desk adds; `now` is UTC in microseconds."""
    with read.snapshot() as at:
        return _state(at, asking, now, live)


def _state(read: Reader, asking: Asking, now: int, live: Live | None) -> State:
    spent, (_, month) = questions.spent(read, now), questions.starts(now)
    return State(
        asking.model,
        _price(asking.model),
        consent(read, asking),
        _breaker(read),
        Ceilings(
            asking.max_usd_per_question, asking.max_usd_per_round, asking.max_usd_per_day, asking.max_usd_per_month
        ),
        Spending(spent.day, spent.month, questions.breakdown(read, month)),
        tuple(
            Failure(row.ended_at or 0, row.purpose, row.symbol, row.outcome or "", row.cost or Decimal(0))
            for row in questions.failures(read, SHOWN)
        ),
        live,
    )


def look(access: Access) -> Live | None:
    """The programs of a running desk; None where its gateway does not say."""
    try:
        found = access.ask(Programs, access.claude, Look)
    except DeskRefused:
        return None
    return Live(found.programs, found.questions)


def _price(model: str) -> ModelPrice | None:
    try:
        return model_prices.price(model)
    except model_prices.UnknownPrice:
        return None


def consent(read: Reader, asking: Asking) -> Consent | None:
    """What a person has agreed to last, measured by the settings."""
    given = consents.latest(read)
    if given is None:
        return None
    holds = given.model == asking.model and given.usd_per_round >= asking.max_usd_per_round
    return Consent(given.model, given.usd_per_round, given.at, holds)


def _breaker(read: Reader) -> Breaker:
    row = breaker.latest(read)
    if row is None:
        return Breaker("closed", "", "", None, None)
    return Breaker(row.state, row.cause, row.sentence, row.retry_at, row.at)
