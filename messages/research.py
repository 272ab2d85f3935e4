"""Facts about a symbol, and the decisions drawn from them."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from messages.addresses import Refused
from messages.claude import Answered, Failed, Progress
from messages.tasks import GiveUp, Run
from messages.values import Symbol


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure, rounded once to six significant digits; the rounded value is the fact, everywhere.

    `as_of` is the session of the last bar it is made from; `source` is talib, numpy, bars or holdings.
    """

    id: str
    name: str
    value: float
    unit: str
    as_of: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure that could not be computed: how many sessions it needs, and how many there are."""

    name: str
    needs: int
    has: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is known about a symbol at the end of a session, numbered f1, f2, … in a fixed order."""

    symbol: Symbol
    as_of: dt.date
    facts: tuple[Fact, ...]
    missing: tuple[Missing, ...]

    def fact(self, name: str) -> Fact | None:
        """The fact of this name, if it could be computed."""
        return next((fact for fact in self.facts if fact.name == name), None)


class Action(StrEnum):
    """What is recommended. ABSTAIN means that there is no view, and is never a HOLD."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"
    ABSTAIN = "ABSTAIN"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What Claude was asked and what it said, word for word.

    `system` is the hash of the system prompt; `prompts`, raw `answers`, `checks` (sentences of the faults found in
    each) and `questions` (ids) are in order, the repair last.
    """

    model: str
    system: str
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    checks: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A recommendation, with what it rests on.

    `conviction` is the probability, 0 to 1, that it beats (SELL: trails) the untouched portfolio over
    `horizon_days` sessions. `thesis` has placeholders such as {f7}, which code fills in; `cited` names them.
    With ABSTAIN all of these are None and `cause` is "code: sentence". `inquiry` is there where Claude was asked,
    `stand_in` where the rules answered in Claude's place: why, as "code: sentence".
    """

    symbol: Symbol
    as_of: dt.date
    analyst: Literal["rules", "claude"]
    action: Action
    conviction: float | None
    horizon_days: int | None
    target: Decimal | None
    stop: Decimal | None
    thesis: str | None
    cited: tuple[str, ...]
    cause: str | None
    cost_usd: Decimal
    inquiry: Inquiry | None = None
    stand_in: str | None = None


Message = Run | GiveUp | Progress | Answered | Failed | Refused
