"""The jobs: each loads what it needs, computes by a pure function, and returns the effect to be committed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from actors.domain import facts, returns, valuation
from actors.domain.bars import last_session
from actors.domain.rules import STALE_DAYS
from messages.database import Statement
from messages.errors import TroupeError
from messages.market import Bars
from messages.tasks import Backup, ComputeFacts, ValuePortfolio
from messages.trading import PortfolioReturns
from messages.values import CorrelationId, Symbol
from storage import backups, bars, fact_sheets, ledger, valuations
from storage.connections import DatabaseUnusable, Reader

YEARS = 3
"""Calendar years of bars that are read before the one asked about: what facts look at is 600 sessions."""


class Impossible(TroupeError):
    """What a job needs is not there, and trying again will not bring it."""


def compute_facts(read: Reader, work: ComputeFacts, correlation_id: CorrelationId, now: int) -> Statement:
    """The fact sheet of a symbol, against the round's valuation."""
    valued = valuations.weights(read, correlation_id)
    if valued is None:
        raise Impossible(f"facts of {work.symbol}: round {correlation_id} has no valuation")
    weights = {position.symbol: position.weight for position in valued.positions}
    earned = valued.returns or _returns(read, weights, work.as_of)
    own = _bars(read, work.symbol, work.as_of)
    [sheet] = facts.compute([facts.Inputs(work.symbol, work.as_of, own, earned, weights.get(work.symbol, 0.0))])
    return fact_sheets.insert(sheet, correlation_id, now)


def value_portfolio(
    read: Reader, work: ValuePortfolio, currency: str, correlation_id: CorrelationId, now: int
) -> Statement:
    """The portfolio at the last closes up to that session, none of them older than what the rules call stale.

    Its returns are kept with it, so that the facts of each symbol need no other symbol's bars.
    """
    with read.snapshot() as at:
        held, cash = ledger.held(at), ledger.cash(at)
        closes = {position.symbol: _close(at, position.symbol, work.as_of) for position in held}
        valued = valuation.value(work.as_of, currency, held, cash, closes)
        earned = _returns(at, {position.symbol: position.weight for position in valued.positions}, work.as_of)
    return valuations.insert(replace(valued, returns=earned), correlation_id, now)


def _returns(read: Reader, weights: Mapping[Symbol, float], as_of: dt.date) -> PortfolioReturns:
    portfolio = {symbol: _bars(read, symbol, as_of) for symbol in weights}
    return returns.portfolio_returns(portfolio, weights)


def back_up(read: Reader, work: Backup) -> None:
    """A verified copy of the database among the home's backups. Made again it is the same file, made anew."""
    try:
        backups.back_up(read.path, work.name, work.keep)
    except (DatabaseUnusable, backups.NotABackup) as error:
        raise Impossible(str(error)) from error


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
