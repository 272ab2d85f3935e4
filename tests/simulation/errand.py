"""One purchase from the question to the take-profit, seen through however often the desk is killed."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

from actors.console.access import Access, DeskRefused
from messages.broker import ClientId
from messages.research import Action, Decision
from messages.tasks import NewTask, Recommend, Submit, Submitted
from messages.trading import Approve, Order, OrderState, Said
from messages.values import CorrelationId, Symbol
from storage import decisions, ledger, orders
from storage.connections import Reader
from tests.simulation.venture import TICK, Venture

IBM: Final = Symbol("IBM")
ROUND: Final = CorrelationId("e" * 32)
Told = tuple[
    list[tuple[ClientId, OrderState, Decimal]],
    list[tuple[ClientId, Decimal, Decimal]],
    Decimal,
    list[tuple[Symbol, Decimal]],
]
"""Orders with state and what is filled, executions with quantity and price, cash, and what is held."""


class Errand(Venture):
    """Buys IBM, has it filled in two parts, and the take-profit with it; the same whatever befalls the desk."""

    def view(self, symbol: Symbol, round_: CorrelationId) -> Decision:
        """A purchase, with both legs."""
        target, stop, action = Decimal(55), Decimal(45), Action.BUY
        return Decision(symbol, dt.date(2013, 3, 1), "rules", action, 0.8, 21, target, stop, "so", (), None, Decimal(0))

    turns = 0
    """How many it took."""

    def run(self) -> Told:
        """To its end; how everything stands then."""
        for step in (self._decide, self._say_yes, self._half, self._whole, self._profit):
            self._through(step)
        self.turns = self.storm.turn
        self._finish(halted=False)
        return self.told

    def _decide(self, access: Access) -> None:
        new = NewTask("recommendation/IBM/errand", "analysis", Recommend(IBM, dt.date(2013, 3, 1), use_claude=False))
        access.ask(Submitted, access.tasks, partial(Submit, (new,), ROUND))
        self._until(access, lambda: bool(self._legs(access.read)))

    def _say_yes(self, access: Access) -> None:
        while (order := self._legs(access.read)[0]).state is OrderState.STAGED:
            try:
                access.ask(Said, access.trading, partial(Approve, order.id))
            except DeskRefused as refused:
                if refused.code != "invalid":  # it is approved already, and nobody has heard of it
                    raise
            access.pause(1.0)
        self._until(access, lambda: self._legs(access.read)[0].state in {OrderState.WORKING, OrderState.FILLED})

    def _half(self, access: Access) -> None:
        self._fill_up(access, "", Decimal(100))

    def _whole(self, access: Access) -> None:
        self._fill_up(access, "", self._legs(access.read)[0].ticket.quantity)

    def _profit(self, access: Access) -> None:
        """On paper a bar goes above the target."""
        if self.on_paper and len(self.rows[IBM]) == 5:
            self._move(lambda: 0.1, access, (1e5,))
        self._refresh(access)
        self._fill_up(access, "-tp", self._legs(access.read)[0].ticket.quantity)
        self._until(access, lambda: all(leg.state in orders.ENDED for leg in self._legs(access.read)))

    def _fill_up(self, access: Access, leg: str, quantity: Decimal) -> None:
        """At the exchange once, however often it is wanted here; paper does so by itself."""
        id_ = ClientId(self._legs(access.read)[0].id + leg)

        def filled() -> bool:
            order = orders.by_id(access.read, id_)
            return order is not None and order.filled >= quantity

        if not self.on_paper and (part := quantity - self.exchange.orders[id_].filled) > 0:
            self._hear(self._execute(id_, part))
        self._until(access, filled)

    def _until(self, access: Access, so: Callable[[], bool]) -> None:
        until = self._clock() + 6 * TICK  # what finds the writer's small mailbox full is found again by the next tick
        while not so():
            assert self._clock() < until, "it does not come to be"
            access.pause(2.0)

    def _legs(self, read: Reader) -> list[Order]:
        """The order first."""
        record = decisions.together(read, ROUND)
        return orders.of_decision(read, record[0].id) if record else []

    @property
    def told(self) -> Told:
        """How everything stands."""
        read = self._final
        kept = orders.newest(read, 100)
        fills = sorted((f.client_id, f.quantity, f.price) for order in kept for f in orders.fills(read, order.id))
        held = [(each.symbol, each.quantity) for each in ledger.held(read)]
        return sorted((o.id, o.state, o.filled) for o in kept), fills, ledger.cash(read), held
