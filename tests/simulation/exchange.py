"""An exchange, and the line to it: what it knows outlives every desk, and what is on the line arrives without one."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, assert_never

from messages import broker
from messages.addresses import ReplyTo
from messages.broker import (
    Absent,
    ClientId,
    Executed,
    Execution,
    Found,
    Seen,
    Shares,
    Side,
    Stage,
    Ticket,
    View,
    Viewed,
)
from messages.values import Symbol
from tests.simulation.storm import Storm

FEE: Final = Decimal("0.1")
LEGS: Final = ("tp", "sl")
LONG: Final = 200.0
"""Seconds that a request is on the line at worst: by then whoever sent it has given up and asked again."""


@dataclass(slots=True)
class Kept:
    """An order; a leg's `parent` is whose position it protects, and its quantity what is left for it to do."""

    ticket: Ticket
    quantity: Decimal
    parent: "Kept | None" = None
    stage: Stage = Stage.WORKING
    filled: Decimal = Decimal(0)
    why: str = ""

    @property
    def seen(self) -> Seen:
        return Seen(self.ticket.client_id, self.stage, self.filled, self.why)

    def end(self, stage: Stage, why: str) -> None:
        if self.stage is Stage.WORKING:
            self.stage, self.why = stage, why


@dataclass
class Exchange:
    """Takes each id once. `sent` are the ids as they came, `line` what is on its way there and when it arrives.

    `missed` are those that it was asked for and did not have.
    """

    cash: Decimal
    held: dict[Symbol, Decimal]
    orders: dict[ClientId, Kept] = field(default_factory=dict[ClientId, Kept])
    executions: list[Execution] = field(default_factory=list[Execution])
    sent: list[ClientId] = field(default_factory=list[ClientId])
    missed: set[ClientId] = field(default_factory=set[ClientId])
    line: list[tuple[float, Callable[[], None]]] = field(default_factory=list[tuple[float, Callable[[], None]]])

    def take(self, ticket: Ticket, *, rejects: bool) -> Seen:
        """Another of the same id is the same order, and so has to be the same in all else."""
        looked = ticket.client_id not in self.orders or ticket.client_id in self.missed
        assert looked, f"sent again, and not looked up: {ticket}"
        self.sent.append(ticket.client_id)
        kept = self.orders.setdefault(ticket.client_id, Kept(ticket, ticket.quantity))
        assert kept.ticket == ticket, f"two orders of one id: {kept.ticket} and {ticket}"
        if rejects and not kept.filled:
            kept.end(Stage.REJECTED, "not today")
        return kept.seen

    def withdraw(self, id_: ClientId) -> Seen | None:
        """Cancel the rest of it."""
        if id_ in self.orders:
            self.orders[id_].end(Stage.CANCELLED, "it was withdrawn")
        return self.look_up(id_)

    def look_up(self, id_: ClientId) -> Seen | None:
        """How it stands; who is told that there is none may send it again."""
        if id_ not in self.orders:
            self.missed.add(id_)
        return self.orders[id_].seen if id_ in self.orders else None

    def view(self) -> View:
        """All there is."""
        held = tuple(Shares(symbol, quantity) for symbol, quantity in sorted(self.held.items()) if quantity)
        return View(tuple(kept.seen for kept in self.orders.values()), tuple(self.executions), held, self.cash)

    @property
    def working(self) -> list[ClientId]:
        """What may be filled."""
        return [id_ for id_, kept in self.orders.items() if kept.stage is Stage.WORKING]

    def left(self, id_: ClientId) -> Decimal:
        """How much of it is not filled."""
        return self.orders[id_].quantity - self.orders[id_].filled

    def fill(self, id_: ClientId, quantity: Decimal, price: Decimal, session: dt.date, at: int) -> Executed:
        """Fill so much of it; what it says of that nobody has been told yet."""
        kept, number = self.orders[id_], len(self.executions) + 1
        ticket, sign = kept.ticket, 1 if kept.ticket.side is Side.BUY else -1
        execution = Execution(id_, f"e{number}", ticket.symbol, ticket.side, quantity, price, FEE, session, at)
        self.executions.append(execution)
        kept.filled += quantity
        if kept.filled == kept.quantity:
            kept.stage = Stage.FILLED
        self.held[ticket.symbol] = self.held.get(ticket.symbol, Decimal(0)) + sign * quantity
        self.cash -= sign * quantity * price + FEE
        if kept.parent is None:
            self._grow(kept, quantity)
        else:
            self._after(kept, kept.parent, quantity)
        return Executed(execution, kept.seen)

    def _grow(self, parent: Kept, quantity: Decimal) -> None:
        """As much is protected as was filled; what was withdrawn of it does not come again."""
        ticket = parent.ticket
        for leg, price in zip(LEGS, (ticket.take_profit, ticket.stop_loss), strict=True):
            if price is None:
                continue
            id_ = ClientId(f"{ticket.client_id}-{leg}")
            limit, stop = (price, None) if leg == "tp" else (None, price)
            part = Ticket(id_, ticket.symbol, Side.SELL, Decimal(0), limit=limit, stop=stop)
            kept = self.orders.setdefault(id_, Kept(part, Decimal(0), parent))
            if kept.stage is Stage.WORKING:
                kept.quantity += quantity

    def _after(self, leg: Kept, parent: Kept, quantity: Decimal) -> None:
        """What one leg has done the other need not do, and nothing more is entered."""
        parent.end(Stage.CANCELLED, "its exit has begun")
        for each in LEGS:
            other = self.orders.get(ClientId(f"{parent.ticket.client_id}-{each}"))
            if other is not None and other is not leg and other.stage is Stage.WORKING:
                if other.quantity - quantity == other.filled:
                    other.end(Stage.CANCELLED, "the other leg was filled")
                else:
                    other.quantity -= quantity


class Speaker:
    """The desk's end of the line: looks at HALT last, and then it is out of its hands."""

    def __init__(
        self, exchange: Exchange, halted: Callable[[], str | None], storm: Storm, clock: Callable[[], float]
    ) -> None:
        self._exchange, self._halted, self._storm, self._clock = exchange, halted, storm, clock

    def on_receive(self, message: broker.Request) -> None:
        """See messages.broker."""
        if isinstance(message, broker.Send) and (why := self._halted()) is not None:
            message.reply_to.refuse("halted", why)
            return
        fault = self._storm.take("line")
        match fault and fault.kind:
            case "deaf":
                pass
            case "delay" if not isinstance(
                message, broker.Look
            ):  # a look is answered, or is not, but never of the past
                self._exchange.line.append((self._clock() + LONG, lambda: self._arrive(message)))
            case "late":
                message.reply_to.refuse("unknown", "the connection is broken")
                self._arrive(message)
            case _:
                self._arrive(message)

    def _arrive(self, message: broker.Request) -> None:
        exchange, reply_to = self._exchange, message.reply_to
        match message:
            case broker.Send() | broker.Flatten():
                ticket, rejects = message.ticket, self._storm.take("exchange") is not None
                _say(exchange.take(ticket, rejects=rejects), message.reply_to)
            case broker.LookUp(client_id):
                _say(exchange.look_up(client_id), message.reply_to)
            case broker.Withdraw(client_id):
                _say(exchange.withdraw(client_id), message.reply_to)
            case broker.Look():
                message.reply_to.tell(Viewed(reply_to.about, exchange.view()))
            case broker.Replace():
                raise TypeError("nobody amends in a storm")
            case _:
                assert_never(message)


def _say(seen: Seen | None, reply_to: ReplyTo[Found] | ReplyTo[Found | Absent]) -> None:
    reply_to.tell(Absent(reply_to.about) if seen is None else Found(reply_to.about, seen))  # type: ignore[arg-type]
