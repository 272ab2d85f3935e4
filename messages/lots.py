"""Shares by what they were bought for: lots, and what an execution takes from them.

Quantities are in shares, money in the desk's currency. Below zero a lot is short: shares owed, and what came for them.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Method(StrEnum):
    """Which lot is sold first: the oldest, the one whose shares have cost most, or those that are named."""

    FIFO = "fifo"
    HIGHEST_COST = "highest_cost"
    SPECIFIC = "specific"


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares of one symbol that came together; `cost` is that of all of them, `acquired` None where nobody knows."""

    id: str
    acquired: dt.date | None
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Closing:
    """What is taken from a lot, with the sign of the lot, and what came for it; below zero it was paid."""

    lot: str
    acquired: dt.date | None
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal

    @property
    def gain(self) -> Decimal:
        """What is realised by it, before fees."""
        return self.proceeds - self.cost


@dataclass(frozen=True, slots=True)
class Matched:
    """An execution against lots: what it closes, and the lot that it opens with the rest."""

    closed: tuple[Closing, ...]
    opened: Lot | None


@dataclass(frozen=True, slots=True)
class Realised:
    """Shares of a lot that were sold, or, below zero, a short sale that was covered.

    `sold` is the session; `fee` is this lot's share of what the broker took, and no part of `gain`; `days` are
    calendar days held, None where nobody knows since when.
    """

    transaction: int
    broker: str
    symbol: str
    lot: str
    acquired: dt.date | None
    sold: dt.date
    days: int | None
    quantity: Decimal
    proceeds: Decimal
    cost: Decimal
    gain: Decimal
    fee: Decimal
