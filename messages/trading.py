"""What the trading coordinator is asked, and what it answers: holdings, and what they are worth."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from messages.addresses import Refused, ReplyTo
from messages.database import Committed
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
class Valuation:
    """What the portfolio is worth at the closes of a session; positions in order of symbol."""

    as_of: dt.date
    currency: str
    value: Decimal
    cash: Decimal
    positions: tuple[Position, ...]


Message = Import | Committed | Refused
