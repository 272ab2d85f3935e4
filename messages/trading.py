"""What the trading coordinator is asked, and what it answers: holdings, and what they are worth."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from messages.addresses import Refused, ReplyTo
from messages.database import Committed, WritesHeld, WritesResumed
from messages.values import CorrelationId, Symbol


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of one symbol; `cost` is what one share cost, in the desk's currency."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal
    acquired: dt.date | None


@dataclass(frozen=True, slots=True)
class Held:
    """What the books say is held of one symbol; `cost` is what all of it cost, in the desk's currency."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Import:
    """Open the books with these holdings and this cash; a former import is reversed in the same write."""

    holdings: tuple[Holding, ...]
    cash: Decimal
    origin: str
    correlation_id: CorrelationId
    reply_to: ReplyTo["Imported | Refused"]


@dataclass(frozen=True, slots=True)
class Imported:
    """The books are open; `transaction` is the ledger's number of the opening."""

    transaction: int


@dataclass(frozen=True, slots=True)
class Position:
    """One symbol of a valuation: quantity in shares, money in the desk's currency, `weight` of the whole value."""

    symbol: Symbol
    quantity: Decimal
    price: Decimal
    value: Decimal
    weight: float
    unrealised: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioReturns:
    """What a portfolio would have earned each session at the weights of one day; see `actors.domain.returns`.

    `values` are daily log returns, little-endian float64, one for each calendar day from `first` on, NaN where there is
    none, as on the first and the last. As bytes nobody can write to them, they can be compared, and they stay small in
    a payload: 8 bytes a day.
    """

    first: dt.date
    values: bytes


@dataclass(frozen=True, slots=True)
class Valuation:
    """What the portfolio is worth at the closes of a session; positions in order of symbol.

    `returns` are those at the positions' weights; None only where a release that did not keep them has valued.
    """

    as_of: dt.date
    currency: str
    value: Decimal
    cash: Decimal
    positions: tuple[Position, ...]
    returns: PortfolioReturns | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """One symbol's share of the whole value."""

    symbol: Symbol
    weight: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a valuation what facts need: nothing that is exact, which takes most of the time to read."""

    positions: tuple[Weight, ...]
    returns: PortfolioReturns | None = None


Message = Import | Committed | Refused | WritesHeld | WritesResumed
