"""The account at a broker: what is sent there, what is known of it, and whether both sides agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from actors.kernel.me import Me
from actors.trading.booking import Booking
from actors.trading.books import Books, pass_on
from actors.trading.judging import Judge
from actors.trading.reconciling import Reconciling
from messages import broker
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import ClientId, Executed, LookUp, Seen, Send, Side, Stage
from messages.correlation import of
from messages.trading import Order, OrderState, Said, TradingState
from storage import amendments, ledger, orders, states
from storage.connections import Reader

ANSWER_WITHIN: Final = 90.0
"""Seconds a broker may take; then nobody knows, and it is looked up."""
RESOLVE_AFTER: Final = 2.0
"""Seconds between two tries to find out what became of an order."""
MEANS: Final = {
    Stage.WORKING: OrderState.WORKING, Stage.CANCELLED: OrderState.CANCELLED, Stage.EXPIRED: OrderState.LAPSED,
    Stage.REJECTED: OrderState.REFUSED,
}  # fmt: skip
"""What a broker says of an order, in the words of here. That it is filled, its fills say."""
ENDED_UNFILLED: Final = frozenset({Stage.CANCELLED, Stage.EXPIRED, Stage.REJECTED})


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """An order was sent, looked up or withdrawn; this is done with what the broker says of it.

    `absent` is done where the broker does not know it and a person has said that it is over.
    """

    order: Order
    then: Callable[[Seen], None]
    refused: Callable[[Refused], None] = lambda refused: None
    absent: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find out what became of this order, if that is still not known."""

    order: ClientId


@dataclass(frozen=True, slots=True)
class Pursue:
    """See to it that what a halt asks for is done; `in_time` where it is the one timer that says so again and again."""

    in_time: bool = False


class Account:
    """One account at one broker. An order is sent under one id, as often as it takes, and booked once.

    An answer that does not come means that nobody knows: then the order is looked up under its id.
    """

    def __init__(self, me: Me[Any], books: Books, to: Ref[broker.Request], judge: Judge, read: Reader) -> None:
        self._me, self._books, self._to, self._judge, self._read = me, books, to, judge, read
        self.booking, self._due = Booking(me, books, judge, read, self.halt), set[ClientId]()
        self.view = Reconciling(me, books, self, to, judge, read)

    # One order

    def send(self, *those: Order) -> None:
        """Their intents are on disk; whatever happens from here on, each is sent as this and found as this.

        Whoever halted trading while it went to the disk was earlier, and so was what sold the position meanwhile.
        """
        allowed = self._judge.state()[0] is TradingState.ACTIVE
        sells = any(order.ticket.side is Side.SELL for order in those)
        held = {each.symbol: each.quantity for each in ledger.held(self._read)} if allowed and sells else {}
        surely, others = list[Order](), list[Order]()
        for order in those:
            is_there = order.ticket.side is Side.BUY or order.ticket.quantity <= held.get(order.ticket.symbol, 0)
            (surely if allowed and is_there and not order.is_exit else others).append(order)
        self._send(surely)
        if others:
            self._recheck(*others)

    def _send(self, those: Sequence[Order]) -> None:
        """What protects a position there is cancelled before the position is sold, or the broker would sell it twice.

        An exit sells what nothing else is about to.
        """
        legs = orders.legs(self._read, {order.ticket.symbol for order in those})
        for order in those:
            guards = [leg for leg in legs if _guards(leg, order)]
            if not guards:
                self.ask(order, _sending(order), partial(self.see, order.id))
            elif guards[0].id in self._books.busy:
                self._later(order)
            else:
                self._books.busy[order.id] = order
                self._withdraw_first(guards, order)

    def _withdraw_first(self, guards: Sequence[Order], order: Order) -> None:
        """It is noted first, of all, since a broker may cancel one with the other: what is left is watched here."""
        why, now, guard = f"withdrawn because order {order.id} is to sell", self._me.clock.utc(), guards[0]
        new = [leg.id for leg in guards if orders.withdrawn_by(self._read, leg.id) is None]
        notes = tuple(orders.note(id_, orders.WITHDRAWING, why, now) for id_ in new)
        withdraw = partial(
            self.withdraw,
            guard,
            lambda seen: self._unguarded(order, guard.id, seen),
            lambda refused: self._later(order),
        )
        self._books.end(guard, notes, withdraw, lambda refused: self._later(order))

    def _unguarded(self, order: Order, guard: ClientId, seen: Seen) -> None:
        """It is checked anew when all that the guard has done is on disk; what is not known yet is looked for."""
        kept = orders.by_id(self._read, guard)
        if MEANS.get(seen.stage) in orders.ENDED and kept is not None and kept.filled == seen.filled:
            self._books.write((), lambda rows: self._recheck(order), lambda refused: self._later(order))
        else:
            self.view.look(None)
            self._later(order)

    def _later(self, order: Order) -> None:
        self._books.busy.pop(order.id, None)
        if order.id not in self._due:
            self._due.add(order.id)
            self._me.after(RESOLVE_AFTER, Resolve(order.id))

    def withdraw(
        self,
        order: Order,
        then: Callable[[Seen], None] = lambda seen: None,
        refused: Callable[[Refused], None] = lambda refused: None,
        absent: Callable[[], None] | None = None,
    ) -> None:
        """Cancel what is not filled of it."""
        if order.is_here:
            seen = Seen(order.id, Stage.CANCELLED, order.filled)
            why, now = "it was watched here, and is not any more", self._me.clock.utc()
            self._books.end(order, orders.move(order.id, OrderState.CANCELLED, why, now), partial(then, seen), refused)
            return

        def withdrawn(seen: Seen) -> None:
            self.see(order.id, seen)
            then(seen)

        self.ask(order, partial(broker.Withdraw, order.id), withdrawn, refused, absent)

    def cancel(self, order: Order, reply_to: ReplyTo[Said | Refused]) -> None:
        """A person cancels it: noted first, so that a leg is over then. What the broker does not know is over, too."""

        def tell(seen: Seen) -> None:
            why = f": {seen.why}" if seen.why else ""
            reply_to.tell(Said(f"order {order.id} is {seen.stage} at {order.broker}{why}"))

        def absent() -> None:
            why = f"{order.broker} does not know it"
            seen = Seen(order.id, Stage.CANCELLED, order.filled, why)
            statements = orders.follow(order.id, OrderState.CANCELLED, why, self._me.clock.utc())
            self._books.end(order, statements, partial(tell, seen), refused)

        def noted() -> None:  # meanwhile it may have come to be watched here
            self.withdraw(orders.by_id(self._read, order.id) or order, tell, refused, absent)

        def refused(why: Refused) -> None:
            kept = orders.note(order.id, orders.KEPT, why.sentence, self._me.clock.utc())
            self._books.end(order, (kept,), partial(pass_on, reply_to, why), lambda _: pass_on(reply_to, why))

        note = orders.note(order.id, orders.CANCELLING, "a person cancels it", self._me.clock.utc())
        self._books.end(order, (note,), noted, partial(pass_on, reply_to))

    def resolve_due(self, id_: ClientId) -> None:
        """The time that was set for it has come; there is one for each order."""
        self._due.discard(id_)
        self.resolve(id_)

    def resolve(self, id_: ClientId) -> None:
        """Look it up, if it is not known yet whether the broker has it."""
        order = orders.by_id(self._read, id_)
        if order is not None and order.state is OrderState.APPROVED and id_ not in self._books.busy:
            self.ask(order, partial(LookUp, id_), partial(self.see, id_))

    def found(self, sent: Sent, seen: Seen) -> None:
        """The broker has it."""
        self._books.busy.pop(sent.order.id, None)
        sent.then(seen)

    def absent(self, sent: Sent) -> None:
        """The broker does not have it: what held when it was approved must hold now, or it is not sent any more.

        For the market it waits: that opens again.
        """
        order = sent.order
        self._books.busy.pop(order.id, None)
        if sent.absent is not None:
            sent.absent()
            return
        if order.state is OrderState.APPROVED:  # it goes out only where what comes of it can be committed
            self._books.end(order, (), partial(self._recheck, order), lambda refused: self._later(order))
            return
        why = f"order {order.id} was {order.state} at {order.broker}, which does not know it now"
        self.halt(f"reconciliation: {why}")
        sent.refused(Refused(sent, "absent", why))

    def _recheck(self, *those: Order) -> None:
        if self.view.awaited() is not None:
            for order in those:
                self._later(order)
            return
        now = self._me.clock.utc()
        denied = self._judge.stand(those, self._books.busy.values(), now)
        going = list[Order]()
        for order in those:
            if order.id in denied:
                self._not_sent(order, OrderState.DENIED, denied[order.id])
            elif self._judge.closed(order, now) is not None:
                self._books.busy.pop(order.id, None)  # it is looked at again with each tick
            else:
                going.append(order)
        self._send(going)

    def _not_sent(self, order: Order, to: OrderState, why: str) -> None:
        """Unless it was after all: then its fills say more, and may be on their way to the disk."""
        self._books.keep(order, orders.follow(order.id, to, why, self._me.clock.utc()), lambda: None)

    def unknown(self, sent: Sent, refused: Refused) -> None:
        """Halted, it was not sent; otherwise nobody knows."""
        order = sent.order
        self._books.busy.pop(order.id, None)
        sent.refused(refused)
        if order.state is not OrderState.APPROVED:
            return  # it was withdrawn, looked up or changed, and works as before
        if refused.code == "halted":
            self._not_sent(order, OrderState.CANCELLED, f"not sent: {refused.sentence}")
        else:
            self._later(order)

    def see(self, id_: ClientId, seen: Seen) -> None:
        """The broker says how an order stands. That it is filled its fills say, but for legs, which change in size."""
        if seen.stage is Stage.FILLED and "-" not in id_:
            return
        order, to = orders.by_id(self._read, id_), MEANS.get(seen.stage)
        if order is None or order.is_here or order.state in orders.ENDED:  # of what is watched here it knows nothing
            return
        if seen.stage is Stage.FILLED and order.filled == seen.filled:  # a leg is as large as the other has left it
            to = OrderState.FILLED
        with of(order.correlation_id):
            self._follow(order, seen, to)

    def _follow(self, order: Order, seen: Seen, to: OrderState | None) -> None:
        if to is not None and to is not order.state:
            why, now = seen.why or f"{seen.stage} at {order.broker}", self._me.clock.utc()
            if order.is_leg and self._stays(order, to):
                self._books.write(orders.watch(order, f"{order.broker} holds it no longer ({why}): watched here", now))
            else:
                self._books.write(orders.follow(order.id, to, why, now), lambda rows: self.pursue())
        if seen.change:
            self._see_prices(order, seen.change)

    def _stays(self, leg: Order, to: OrderState) -> bool:
        """Whether it is watched here though it works at its broker no longer; what a person has cancelled is over."""
        by = orders.withdrawn_by(self._read, leg.id)
        ended = to is OrderState.CANCELLED and (by == orders.WITHDRAWING or self._judge.is_halted)
        return by != orders.CANCELLING and (to is OrderState.LAPSED or ended)

    def _see_prices(self, order: Order, change: int) -> None:
        """A change that was given up was made after all. What holds already may have been adjusted by a split since."""
        if (made := amendments.given_up(self._read, order.id, change)) is not None:
            why, now = f"change {change} was made at {order.broker}", self._me.clock.utc()
            changed = replace(order.ticket, limit=made.limit, stop=made.stop)
            self._books.write((amendments.end(made, why, done=True), *orders.amend(order, changed, why, now)))

    def ask(
        self,
        order: Order,
        make: Callable[[ReplyTo[Any]], broker.Request],
        then: Callable[[Seen], None],
        refused: Callable[[Refused], None] = lambda refused: None,
        absent: Callable[[], None] | None = None,
    ) -> None:
        """About one order, which is busy until there is an answer."""
        self._books.busy[order.id] = order
        with of(order.correlation_id):
            sent = Sent(order, then, refused, absent)
            self._to.tell(make(self._me.reply_to(sent, of=self._to, within=ANSWER_WITHIN)))

    # Fills

    def told(self, executed: Executed) -> None:
        """A leg's may have overtaken those of its order, without which it fits nothing: then all are looked at.

        Of an order nothing is believed beside an execution that is none of it.
        """
        execution = executed.execution
        parent, has_ended = execution.client_id.rpartition("-")[0], executed.order.stage in ENDED_UNFILLED
        if not (parent or has_ended):
            self.booking.add([execution])
            return
        misfit = self.booking.misfit(execution)
        if misfit is not None and parent and orders.by_id(self._read, parent) is not None:
            self.view.look(None)
            return
        self.booking.add([execution])
        if misfit is None:
            self.see(execution.client_id, executed.order)

    # Whether trading goes on

    def halt(self, why: str, cause: states.HaltedFor = "books") -> None:
        """By itself, until a person resumes. The first reason stays, unless now the books may be wrong as well."""
        name = self._judge.broker
        own = next((halt for halt in states.halts(self._read, name) if halt.scope == name), None)
        if own is None or (cause == "books" and own.cause != "books"):
            flatten = cause == "loss" and self._judge.flattens
            now = self._me.clock.utc()
            statements = states.set_state(name, TradingState.HALTED, why, now, cause, flatten=flatten)
            self._books.write(statements, lambda rows: self.pursue())

    def pursue(self) -> None:
        """HALTED: nothing is left at the broker that might still be filled, also where that is heard of only now."""
        if self._judge.is_halted:
            self._me.after(0.0, Pursue())


def _guards(leg: Order, order: Order) -> bool:
    same = (leg.ticket.symbol, leg.ticket.side) == (order.ticket.symbol, order.ticket.side)
    return same and leg.decision != order.decision and not (order.is_exit or leg.is_here)


def _sending(order: Order) -> Callable[[ReplyTo[Any]], broker.Request]:
    """The one place that decides what may go out although the file HALT is there: what a halt has brought about."""
    ticket = order.for_broker
    if order.flattens:
        return partial(broker.Flatten, ticket.client_id, ticket.symbol, ticket.side, ticket.quantity)
    return partial(Send, ticket)
