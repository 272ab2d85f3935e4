"""What a bar makes of orders: who is filled, how much, at what price. Deterministic; nothing here is random.

Of a bar only four prices are known, not their order. Where a fill depends on it, the worse is taken: of the two legs of
a bracket that a bar touches the stop, and in the bar of its entry the take-profit is not looked at. A gap fills at the
open, never at the stop that it jumped over. All arithmetic is exact.
"""

import datetime as dt
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Final, assert_never

from actors.domain.costs import PRECISION, ZERO, Costs, cheaper, dearer, fee, paid
from messages.broker import ClientId, Execution, InForce, Kind, Side, Stage, Ticket
from messages.market import Bars
from messages.paper import Order
from messages.values import UNIT

STOP_LEG: Final = "-sl"
PROFIT_LEG: Final = "-tp"
LARGEST_FILL: Final = Decimal(10**9)
"""In currency and in shares: so much of an order is filled in one session at most, so that it can be stored."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A session of one symbol as traded; low and high enclose open and close. Volume in shares."""

    session: dt.date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Worked:
    """What has changed, in order of arrival, and what was executed."""

    orders: tuple[Order, ...]
    executions: tuple[Execution, ...]


def exact(bars: Bars, row: int) -> Bar:
    """One of the bars in Decimal, each price the shortest that is this float."""
    opened, high, low, close, volume = (
        Decimal(repr(column[row].item())) for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    session: dt.date = bars.sessions[row].item()
    return Bar(session, opened, max(high, opened, close), min(low, opened, close), close, volume)


def quote(bar: Bar) -> Bar:
    """The present, when that was the last session: its close, with its volume."""
    return replace(bar, open=bar.close, high=bar.close, low=bar.close)


def work(orders: Sequence[Order], bar: Bar, used: Decimal, costs: Costs, at: int) -> Worked:
    """Match the working orders of one symbol, in order of arrival, against one bar.

    `used` is how many shares of this session's volume earlier fills have had; `at` is the time of the executions.
    The same order and session give the same execution id, and an order meets each session once.
    """
    with localcontext(prec=PRECISION):
        session = _Session(orders, bar, used, costs, at)
        session.run()
    before = {order.ticket.client_id: order for order in orders}
    changed = (order for client_id, order in session.book.items() if order != before.get(client_id))
    return Worked(tuple(changed), tuple(session.executions))


def cancelled(order: Order, why: str) -> Order:
    """What is not filled of it will not be."""
    return replace(order, stage=Stage.CANCELLED, why=why)


class _Session:
    """One bar, and what is left of its volume."""

    def __init__(self, orders: Sequence[Order], bar: Bar, used: Decimal, costs: Costs, at: int) -> None:
        self.book = {order.ticket.client_id: order for order in orders}
        self.executions = list[Execution]()
        self._bar, self._costs, self._at = bar, costs, at
        self._left = min(costs.volume_share * bar.volume, LARGEST_FILL) - used
        self._entered, self._born = dict[ClientId, Decimal](), deque[ClientId]()

    def run(self) -> None:
        for client_id in tuple(self.book):
            self._meet(client_id, self._bar)
        while self._born:  # for a leg the bar begins when it came to be
            leg = self.book[client_id := self._born.popleft()]
            entry = self._entered[_parent(leg)]
            self._meet(client_id, replace(self._bar, open=entry))
        for client_id, order in self.book.items():
            self.book[client_id] = self._expired(order)

    def _meet(self, client_id: ClientId, bar: Bar) -> None:
        before = self.book[client_id]
        if before.stage is not Stage.WORKING or (before.ticket.kind is Kind.LIMIT and before.parent in self._entered):
            return
        order, price = _reached(before, bar)
        self.book[client_id] = order
        if order.triggered and order.parent is not None:
            self._end_others(order)
        if price is not None:
            self._fill(order, price)

    def _fill(self, order: Order, price: Decimal) -> None:
        ticket = order.ticket
        limit = None if ticket.limit is None else cheaper(ticket.side, ticket.limit)
        each = paid(self._costs, ticket.side, price, limit)
        quantity = self._room(ticket.quantity - order.filled, each)
        if quantity <= 0:
            return
        self._left -= quantity
        filled = order.filled + quantity
        stage = Stage.FILLED if filled == ticket.quantity else Stage.WORKING
        self.book[ticket.client_id] = replace(order, filled=filled, stage=stage)
        self.executions.append(
            Execution(
                ticket.client_id, f"{ticket.client_id}@{self._bar.session}", ticket.symbol, ticket.side, quantity, each,
                fee(self._costs, ticket.side, quantity, each), self._bar.session, self._at,
            )
        )  # fmt: skip
        if order.parent is not None:
            self._after_leg(order, quantity)
        elif ticket.take_profit is not None or ticket.stop_loss is not None:
            self._grow_legs(order, quantity, price)

    def _room(self, wanted: Decimal, price: Decimal) -> Decimal:
        """How much of it can be had; whole shares where whole ones are wanted."""
        room = min(wanted, self._left, LARGEST_FILL / price)
        whole = wanted == wanted.to_integral_value()
        return wanted if room == wanted else room.quantize(Decimal(1) if whole else UNIT, ROUND_FLOOR)

    # Brackets

    def _grow_legs(self, parent: Order, quantity: Decimal, price: Decimal) -> None:
        """A leg is as large as what was filled; one that a person withdrew does not come again."""
        self._entered[parent.ticket.client_id] = price
        for leg in _legs(parent):
            there = self.book.get(leg.ticket.client_id)
            if there is not None and there.stage is Stage.WORKING:
                self.book[leg.ticket.client_id] = _resized(there, quantity)
            elif there is None and not parent.filled:
                self.book[leg.ticket.client_id] = _resized(leg, quantity)
                self._born.append(leg.ticket.client_id)

    def _after_leg(self, leg: Order, quantity: Decimal) -> None:
        """What one leg has done the other need not do; and nothing more is entered."""
        self._end_parent(_parent(leg), "its exit has begun")
        other = self.book.get(_other(leg))
        if other is not None and other.stage is Stage.WORKING:
            done = other.ticket.quantity - quantity == other.filled
            self.book[other.ticket.client_id] = (
                cancelled(other, "the other leg was filled") if done else _resized(other, -quantity)
            )

    def _end_others(self, leg: Order) -> None:
        """Its stop was reached: it alone goes on, with all there is."""
        self._end_parent(_parent(leg), "its stop was reached")
        other = self.book.get(_other(leg))
        if other is not None and other.stage is Stage.WORKING:
            self.book[other.ticket.client_id] = cancelled(other, "the stop was reached")

    def _end_parent(self, client_id: ClientId, why: str) -> None:
        parent = self.book.get(client_id)
        if parent is not None and parent.stage is Stage.WORKING:
            self.book[client_id] = cancelled(parent, why)

    # Ends

    def _expired(self, order: Order) -> Order:
        """A DAY order sees the quote it came with and one session; an IOC order the quote alone."""
        if order.stage is not Stage.WORKING:
            return order
        match order.ticket.in_force:
            case InForce.GTC:
                return order
            case InForce.IOC:
                return replace(order, stage=Stage.EXPIRED, why="the rest could not be filled at once")
            case InForce.DAY:
                if order.came is not None and self._bar.session <= order.came:
                    return order
                return replace(order, stage=Stage.EXPIRED, why=f"the session of {self._bar.session} is over")
            case _:
                assert_never(order.ticket.in_force)


def _reached(order: Order, bar: Bar) -> tuple[Order, Decimal | None]:
    """The order after this bar, and the price at which the market takes it, None where it does not."""
    ticket = order.ticket
    match ticket.kind:
        case Kind.MARKET:
            return order, bar.open
        case Kind.LIMIT:
            return order, _at_limit(ticket, bar)
        case Kind.STOP:
            at = bar.open if order.triggered else _at_stop(ticket.side, _given(ticket.stop), bar)
            return replace(order, triggered=at is not None), at
        case Kind.STOP_LIMIT:
            return _stop_limit(order, bar)
        case Kind.TRAILING_STOP:
            return (order, bar.open) if order.triggered else _trailing(order, bar)
        case _:
            assert_never(ticket.kind)


def _at_limit(ticket: Ticket, bar: Bar) -> Decimal | None:
    """At the limit, or at the open where that is better."""
    limit = cheaper(ticket.side, _given(ticket.limit))
    if ticket.side is Side.BUY:
        return min(bar.open, limit) if bar.low <= limit else None
    return max(bar.open, limit) if bar.high >= limit else None


def _at_stop(side: Side, stop: Decimal, bar: Bar) -> Decimal | None:
    """At the stop, or at the open where that is worse."""
    if side is Side.BUY:
        stop = dearer(side, stop)
        return max(bar.open, stop) if bar.high >= stop else None
    if stop <= 0:
        return None
    stop = dearer(side, stop)
    return min(bar.open, stop) if bar.low <= stop else None


def _stop_limit(order: Order, bar: Bar) -> tuple[Order, Decimal | None]:
    """Once its stop is reached a limit order: for the whole bar after a gap, else from the stop's price on."""
    ticket = order.ticket
    if order.triggered:
        return order, _at_limit(ticket, bar)
    at = _at_stop(ticket.side, _given(ticket.stop), bar)
    if at is None:
        return order, None
    order, limit = replace(order, triggered=True), cheaper(ticket.side, _given(ticket.limit))
    if at == bar.open:
        return order, _at_limit(ticket, bar)
    return order, at if (at <= limit if ticket.side is Side.BUY else at >= limit) else None


def _trailing(order: Order, bar: Bar) -> tuple[Order, Decimal | None]:
    """The open moves the stop at once. The bar's best price does so only for its close: it may have come last."""
    side, trail = order.ticket.side, _given(order.ticket.trail)
    better, behind, reach = (min, trail, bar.low) if side is Side.BUY else (max, -trail, bar.high)
    best = bar.open if order.best is None else better(order.best, bar.open)
    at = _at_stop(side, best + behind, bar)
    if at is None:
        best = better(best, reach)
        end = replace(bar, open=bar.close, high=bar.close, low=bar.close)
        at = None if _at_stop(side, best + behind, end) is None else dearer(side, best + behind)
    return replace(order, best=best, triggered=at is not None), at


def _given(price: Decimal | None) -> Decimal:
    """A price that an order of this kind has; one without was rejected."""
    assert price is not None
    return price


def _legs(parent: Order) -> list[Order]:
    """Those it asks for, the stop first, still without shares."""
    ticket, legs = parent.ticket, list[Order]()
    side = Side.SELL if ticket.side is Side.BUY else Side.BUY
    for suffix, kind, price in (
        (STOP_LEG, Kind.STOP, ticket.stop_loss),
        (PROFIT_LEG, Kind.LIMIT, ticket.take_profit),
    ):
        if price is not None:
            limit, stop = (price, None) if kind is Kind.LIMIT else (None, price)
            leg = Ticket(ClientId(ticket.client_id + suffix), ticket.symbol, side, ZERO, kind, InForce.GTC, limit, stop)
            legs.append(Order(leg, parent.came, parent=ticket.client_id))
    return legs


def _resized(leg: Order, by: Decimal) -> Order:
    return replace(leg, ticket=replace(leg.ticket, quantity=leg.ticket.quantity + by))


def _parent(leg: Order) -> ClientId:
    assert leg.parent is not None
    return leg.parent


def _other(leg: Order) -> ClientId:
    suffix = PROFIT_LEG if leg.ticket.client_id.endswith(STOP_LEG) else STOP_LEG
    return ClientId(_parent(leg) + suffix)
