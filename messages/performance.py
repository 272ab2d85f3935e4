"""What the figures of a portfolio are made of: what each booking of the ledger has moved."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from messages.values import Symbol


@dataclass(frozen=True, slots=True)
class Moved:
    """By how much a booking has changed what is held of a symbol, in shares, and what that has cost."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Movement:
    """A booking: by how much it has changed cash (settled or not) and shares, and the fees in it, above zero.

    `session` is there where the ledger keeps the day a booking counts for;
    `at` is when it was booked, UTC in microseconds. `symbol` is whom it is about, where that is one.
    """

    transaction: int
    kind: str
    session: dt.date | None
    at: int
    cash: Decimal
    fees: Decimal
    moved: tuple[Moved, ...]
    symbol: Symbol | None


@dataclass(frozen=True, slots=True)
class Spending:
    """Dollars that a question to Claude has cost, or has reserved as long as it is open; asked at, UTC microseconds."""

    at: int
    dollars: Decimal
