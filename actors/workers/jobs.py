"""The jobs, by type of work: each loads what it needs, computes by a pure function, and makes the effect to commit."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeVar

from actors.domain import facts, valuation
from actors.domain.bars import last_session
from actors.domain.rules import STALE_DAYS
from messages.database import Statement
from messages.errors import TroupeError
from messages.market import Bars
from messages.research import Sheet
from messages.tasks import ComputeFacts, Run, ValuePortfolio, Work
from messages.values import CorrelationId, Symbol
from storage import bars, fact_sheets, ledger, valuations
from storage.connections import Reader

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
Kind = Literal["waits", "numbers", "python"]
"""waits: blocks, each in a thread of its own. numbers: gives up the interpreter's lock while it works on large arrays;
several at once in few threads. python: holds that lock, which would slow the writer down; in processes."""
YEARS: Final = 3
"""Calendar years of bars that are read before the one asked about: what facts look at is 600 sessions."""


class Impossible(TroupeError):
    """What a job needs is not there, and trying again will not bring it."""


@dataclass(frozen=True, slots=True)
class Job(Generic[I, O]):
    """How work of one type is done.

    `load` reads, in the desk's process; `compute` makes of so many inputs as many values, anywhere; `effect` keeps one
    of them, at a time in UTC. A `pure` job does nothing else, so that it may run again, and on another machine.
    """

    kind: Kind
    pure: bool
    load: Callable[[Reader, Run, str], I]
    compute: Callable[[Sequence[I]], Sequence[O]]
    effect: Callable[[O, CorrelationId, int], Statement]


_Facts = tuple[Symbol, dt.date, Bars, dict[Symbol, Bars], dict[Symbol, float]]


def _load_facts(read: Reader, run: Run, _currency: str) -> _Facts:
    """The bars of the symbol and of what is held, with the weights of the round's valuation."""
    work = run.expect(ComputeFacts)
    valued = valuations.load(read, run.correlation_id)
    if valued is None:
        raise Impossible(f"facts of {work.symbol}: round {run.correlation_id} has no valuation")
    weights = {position.symbol: position.weight for position in valued.positions}
    portfolio = {symbol: _bars(read, symbol, work.as_of) for symbol in weights}
    own = portfolio.get(work.symbol) or _bars(read, work.symbol, work.as_of)
    return work.symbol, work.as_of, own, portfolio, weights


def _compute_facts(wanted: Sequence[_Facts]) -> list[Sheet]:
    return [facts.compute(*one) for one in wanted]


def _load_portfolio(read: Reader, run: Run, currency: str) -> valuation.Inputs:
    """What is held and the last closes up to that session, none of them older than what the rules call stale."""
    work, held = run.expect(ValuePortfolio), ledger.held(read)
    closes = {position.symbol: _close(read, position.symbol, work.as_of) for position in held}
    return valuation.Inputs(work.as_of, currency, tuple(held), ledger.cash(read), closes)


JOBS: Final[dict[type[Work], Job[Any, Any]]] = {
    ComputeFacts: Job("numbers", True, _load_facts, _compute_facts, fact_sheets.insert),
    ValuePortfolio: Job("python", True, _load_portfolio, valuation.compute, valuations.insert),
}


def _bars(read: Reader, symbol: Symbol, as_of: dt.date) -> Bars:
    found = bars.load(read, symbol, as_of, YEARS)
    if found is None:
        raise Impossible(f"{symbol}: there are no prices in the {YEARS} years before {as_of}")
    return found


def _close(read: Reader, symbol: Symbol, as_of: dt.date) -> Decimal:
    found = _bars(read, symbol, as_of)
    if (age := (as_of - last_session(found)).days) > STALE_DAYS:
        raise Impossible(
            f"{symbol}: its last close is of {last_session(found)}, {age} days before {as_of}; "
            "bring its prices up to date, or import holdings without it"
        )
    return Decimal(repr(float(found.close[-1])))
