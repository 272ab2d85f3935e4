"""What orders are judged on: read once, for as many of them as are judged together."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from actors.domain.exposure import Exposure
from actors.domain.orders import Quote, Stake, Working
from actors.trading.pace import Sent
from messages.broker import ClientId
from messages.trading import Order, OrderState, TradingState
from messages.values import Symbol
from storage import orders
from storage.mandates import KeptMandate
from storage.orders import Outstanding

ENTRY: Final = "entry"
"""The leg that opens or closes a position, as a decision wants it."""


@dataclass(frozen=True, slots=True)
class Market:
    """The last close of everything there is, and the market's day, which is the newest session among them."""

    quotes: dict[Symbol, Quote]
    today: dt.date | None


@dataclass(slots=True)
class Sight:
    """How things stood when it was read, and what was decided on it since; several orders are judged on one."""

    market: Market
    positions: dict[Symbol, Stake]
    cash: Decimal
    equity: Decimal
    day_start: Decimal
    peak: Decimal
    state: TradingState
    mandate: KeptMandate | None
    sent: Sent
    sectors: dict[Symbol, str]
    exposure: Exposure | None = None
    reserved: Decimal = Decimal(0)
    working: dict[ClientId, Working] = field(default_factory=dict[ClientId, Working])
    by_symbol: dict[Symbol, list[Outstanding]] = field(default_factory=dict[Symbol, list[Outstanding]])
    waiting: set[ClientId] = field(default_factory=set[ClientId])

    def put(self, order: Outstanding) -> None:
        """It is open."""
        self.reserved += order.cash
        self.working[order.id] = Working(order.symbol, order.side, order.left, order.price, ENTRY, order.leg_of or "")
        self.by_symbol.setdefault(order.symbol, []).append(order)
        if self.mandate is not None and order.waits_under == self.mandate.hash:
            self.waiting.add(order.id)

    def under_mandate(self, order: Order) -> int:
        """How many others were approved by the mandate within a day, or wait for the market under it."""
        return self.sent.mandate + len(self.waiting - {order.id})

    def beside(self, order: Order) -> tuple[tuple[Working, ...], Decimal]:
        """The open orders that count beside this one, and the cash reserved for them.

        It itself does not, nor does what protects what it sells.
        """
        same = self.by_symbol.get(order.ticket.symbol, ())
        gone = {each.id: each.cash for each in same if each.leg_of is not None or each.id == order.id}
        if not gone:
            return tuple(self.working.values()), self.reserved
        rest = tuple(working for id_, working in self.working.items() if id_ not in gone)
        return rest, self.reserved - sum(gone.values())

    def add(self, order: Order) -> None:
        """It was decided on, and is not on disk yet as it stands here."""
        if order.state not in orders.ENDED:
            self.put(orders.rest(order))
            if self.exposure is not None:
                self.exposure.add(self.working[order.id])
        if order.state is OrderState.APPROVED:
            by_mandate = self.mandate is not None and order.mandate == self.mandate.hash
            self.sent = Sent(self.sent.day + 1, self.sent.minute + 1, self.sent.mandate + by_mandate)
