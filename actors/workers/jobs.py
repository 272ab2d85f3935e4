"""The jobs, by type of work: each loads what it needs, computes by a pure function, and makes the effect to commit."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from actors.domain import calendars, facts, returns, valuation
from actors.domain.bars import last_session
from actors.domain.rules import STALE_DAYS
from actors.workers.places import Impossible
from messages.database import Statement
from messages.market import Bars
from messages.research import Sheet
from messages.tasks import Backup, ComputeFacts, Progressed, RefreshCalendar, Run, ValuePortfolio, Work
from messages.trading import Valuation
from messages.values import CorrelationId, Symbol
from storage import backups, bars, fact_sheets, ledger, valuations
from storage import calendars as sessions
from storage.connections import DatabaseUnusable, NotNow, Reader

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
YEARS: Final = 3
"""Calendar years of bars that are read before the one asked about: what facts look at is 600 sessions."""


@dataclass(frozen=True, slots=True)
class Known:
    """What any job may use: the database, the desk's currency, and whom to tell how far it is."""

    read: Reader
    currency: str
    progress: Callable[[Progressed], None]


@dataclass(frozen=True, slots=True)
class Job(Generic[I, O]):
    """How work of one type is done.

    `load` reads, in the desk's process; `compute` makes of so many inputs as many values, anywhere; `effect` keeps one
    of them, at a time in UTC. A `pure` job does nothing else, so that it may run again, and on another machine.
    """

    pure: bool
    load: Callable[[Known, Run], I]
    compute: Callable[[Sequence[I]], Sequence[O]]
    effect: Callable[[O, CorrelationId, int], tuple[Statement, ...]] | None


def _load_facts(known: Known, run: Run) -> facts.Inputs:
    """The bars of the symbol, with its weight and the portfolio's returns from the round's valuation."""
    work, read = run.expect(ComputeFacts), known.read
    valued = valuations.weights(read, run.correlation_id)
    if valued is None:
        raise Impossible(f"facts of {work.symbol}: round {run.correlation_id} has no valuation")
    weights = {position.symbol: position.weight for position in valued.positions}
    earned = valued.returns
    if earned is None:  # it was valued by a release that kept no returns
        earned = returns.portfolio_returns({symbol: _bars(read, symbol, work.as_of) for symbol in weights}, weights)
    own = _bars(read, work.symbol, work.as_of)
    return facts.Inputs(work.symbol, work.as_of, own, earned, weights.get(work.symbol, 0.0))


def _load_portfolio(known: Known, run: Run) -> valuation.Inputs:
    """What is held and its bars up to that session, none of them older than what the rules call stale."""
    work = run.expect(ValuePortfolio)
    with known.read.snapshot() as at:
        held, cash = ledger.held(at), ledger.cash(at)
        portfolio = {position.symbol: _bars(at, position.symbol, work.as_of) for position in held}
    closes = {symbol: _close(symbol, found, work.as_of) for symbol, found in portfolio.items()}
    return valuation.Inputs(work.as_of, known.currency, tuple(held), cash, closes, portfolio)


def _load_calendar(known: Known, run: Run) -> calendars.Inputs:
    work = run.expect(RefreshCalendar)
    return calendars.Inputs(work.calendar, work.day)


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of the database to be made: of what, under which name, and how many are kept."""

    database: Path
    name: str
    keep: int
    progress: Callable[[float], None]
    given_up: Callable[[], bool]


def _load_backup(known: Known, run: Run) -> _Copy:
    work, lease, reply_to = run.expect(Backup), run.lease, run.reply_to

    def progress(share: float) -> None:
        if not reply_to.told:  # by now the lease of this number may be another attempt's
            known.progress(Progressed(lease, share))

    return _Copy(known.read.path, work.name, work.keep, progress, lambda: reply_to.told)


def _back_up(wanted: Sequence[_Copy]) -> list[None]:
    """A verified copy of the database among the home's backups. Made again it is the same file, made anew."""
    for each in wanted:
        try:
            backups.back_up(each.database, each.name, each.keep, each.progress, each.given_up)
        except NotNow:
            raise  # a full disk, another's lock: tried again
        except (DatabaseUnusable, backups.NotABackup) as error:
            raise Impossible(str(error)) from error
    return [None] * len(wanted)


def _keep_facts(sheet: Sheet, about: CorrelationId, now: int) -> tuple[Statement, ...]:
    return (fact_sheets.insert(sheet, about, now),)


def _keep_valuation(valued: Valuation, about: CorrelationId, now: int) -> tuple[Statement, ...]:
    return (valuations.insert(valued, about, now),)


def _keep_calendar(found: calendars.Sessions, about: CorrelationId, now: int) -> tuple[Statement, ...]:
    return sessions.replace(found.calendar, found.days)


JOBS: Final[dict[type[Work], Job[Any, Any]]] = {
    ComputeFacts: Job(True, _load_facts, facts.compute, _keep_facts),
    ValuePortfolio: Job(True, _load_portfolio, valuation.compute, _keep_valuation),
    RefreshCalendar: Job(True, _load_calendar, calendars.compute, _keep_calendar),
    Backup: Job(False, _load_backup, _back_up, None),
}


def _bars(read: Reader, symbol: Symbol, as_of: dt.date) -> Bars:
    found = bars.load(read, symbol, as_of, YEARS)
    if found is None:
        raise Impossible(f"{symbol}: there are no prices in the {YEARS} years before {as_of}")
    return found


def _close(symbol: Symbol, found: Bars, as_of: dt.date) -> Decimal:
    if (age := (as_of - last_session(found)).days) > STALE_DAYS:
        raise Impossible(
            f"{symbol}: its last close is of {last_session(found)}, {age} days before {as_of}; "
            "bring its prices up to date, or import holdings without it"
        )
    return Decimal(repr(float(found.close[-1])))
