"""Orders and bars, played one session after the other as the paper broker does."""

import csv
import datetime as dt
import gzip
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

from actors.domain.costs import PRESETS, Costs
from actors.domain.matching import Bar, quote, work
from messages.broker import ClientId, Execution, InForce, Kind, Side, Stage, Ticket
from messages.paper import Order
from messages.values import Symbol

SAMPLE = Path(__file__).parents[3] / "storage" / "sample" / "prices.csv.gz"
FREE = PRESETS["none"]
ID = ClientId("a" * 24)


@cache
def recorded(symbol: str) -> tuple[Bar, ...]:
    """The sample's bars of a symbol, figure by figure as they stand in the file."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        return tuple(
            Bar(
                dt.date.fromisoformat(row["date"]),
                *(Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")),
            )
            for row in csv.DictReader(file)
            if row["symbol"] == symbol
        )


def sessions(symbol: str, first: str, last: str) -> list[Bar]:
    """Those from one session to another."""
    return [bar for bar in recorded(symbol) if first <= bar.session.isoformat() <= last]


def ticket(
    side: Side,
    quantity: str,
    kind: Kind = Kind.MARKET,
    *,
    limit: str | None = None,
    stop: str | None = None,
    trail: str | None = None,
    take_profit: str | None = None,
    stop_loss: str | None = None,
    in_force: InForce = InForce.GTC,
    symbol: str = "ACME",
    client_id: str = ID,
) -> Ticket:
    """An order; amounts as text."""
    amounts = (None if text is None else Decimal(text) for text in (limit, stop, trail, take_profit, stop_loss))
    return Ticket(ClientId(client_id), Symbol(symbol), side, Decimal(quantity), kind, in_force, *amounts)


class Book:
    """All orders of one symbol; those that work meet each bar."""

    def __init__(self, costs: Costs = FREE) -> None:
        self.costs, self.orders = costs, dict[ClientId, Order]()
        self.executions, self.used = list[Execution](), Decimal(0)

    def come(self, ticket: Ticket, bar: Bar) -> None:
        """It comes when that was the last session."""
        self.orders[ticket.client_id] = order = Order(ticket, bar.session)
        self._work([order], quote(bar))

    def meet(self, bar: Bar) -> None:
        """The next session."""
        self.used = Decimal(0)
        self._work([order for order in self.orders.values() if order.stage is Stage.WORKING], bar)

    def _work(self, orders: Sequence[Order], bar: Bar) -> None:
        worked = work(orders, bar, self.used, self.costs, 7)
        self.orders |= {order.ticket.client_id: order for order in worked.orders}
        self.executions += worked.executions
        self.used += sum((execution.quantity for execution in worked.executions), Decimal(0))

    def stages(self) -> dict[str, Stage]:
        """What became of each, by the end of its id."""
        return {id_.removeprefix(ID): order.stage for id_, order in self.orders.items()}

    def fills(self) -> list[str]:
        """Session, end of the id, quantity and price of each execution."""
        return [
            f"{each.session:%m-%d}{each.client_id.removeprefix(ID)} {each.quantity} {each.price}"
            for each in self.executions
        ]


def played(ticket: Ticket, bars: Sequence[Bar], costs: Costs = FREE) -> Book:
    """It comes with the first of these bars and meets the others."""
    book = Book(costs)
    book.come(ticket, bars[0])
    for bar in bars[1:]:
        book.meet(bar)
    return book
