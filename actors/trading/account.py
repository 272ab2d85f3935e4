"""The account at a broker: what is sent there, what is known of it, and whether both sides agree."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from actors.domain.lots import matched
from actors.kernel.me import Me
from actors.trading.books import Books, pass_on
from actors.trading.judging import Judge
from messages import broker
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import ClientId, Execution, Look, LookUp, Seen, Send, Side, Stage, View
from messages.tasks import Finished, Run
from messages.trading import Order, OrderState, TradingState
from storage import ledger, orders
from storage.connections import Reader

ANSWER_WITHIN: Final = 90.0
"""Seconds a broker may take; then nobody knows, and it is looked up."""
RESOLVE_AFTER: Final = 2.0
"""Seconds between two tries to find out what became of an order."""
OVERLAP: Final = 86_400 * 10**6
"""Microseconds before the newest fill from which on executions are looked at again; what is booked is booked once."""
MEANS: Final = {
    Stage.WORKING: OrderState.WORKING, Stage.CANCELLED: OrderState.CANCELLED, Stage.EXPIRED: OrderState.LAPSED,
    Stage.REJECTED: OrderState.REFUSED,
}  # fmt: skip
"""What a broker says of an order, in the words of here. That it is filled, its fills say."""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """An order was sent, looked up or withdrawn; this is done with what the broker says of it."""

    order: Order
    then: Callable[[Seen], None]
    refused: Callable[[Refused], None] = lambda refused: None


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A look at the whole account, for this task if it is one; so many fills had been booked when it was asked for.

    Then this is done, knowing whether both sides agree; where that cannot be told, they do not.
    """

    run: Run | None
    booked: int
    then: Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find out what became of this order, if that is still not known."""

    order: ClientId


@dataclass(frozen=True, slots=True)
class Pursue:
    """See to it that what a halt asks for is done."""


class Account:
    """One account at one broker. An order is sent under one id, as often as it takes, and booked once.

    An answer that does not come means that nobody knows: then the order is looked up under its id.
    """

    def __init__(self, me: Me[Any], books: Books, to: Ref[broker.Request], judge: Judge, read: Reader) -> None:
        self._me, self._books, self._to, self._judge, self._read = me, books, to, judge, read
        self._booking, self._sold, self._bookings = set[str](), deque[Execution](), 0

    # One order

    def send(self, order: Order) -> None:
        """The intent is on disk; whatever happens from here on, it is sent as this and found as this.

        What protects a position is cancelled before the position is sold, or the broker would sell it twice. An exit
        sells what nothing else is about to.
        """
        guard = None if order.is_exit else next(self._guards(order), None)
        if guard is None:
            self._ask(order, _sending(order), partial(self.see, order.id))
        else:
            self._books.busy[order.id] = order
            self.withdraw(guard, lambda seen: self._recheck(order), lambda refused: self._later(order))

    def _guards(self, order: Order) -> Iterator[Order]:
        for each in orders.open_orders(self._read):
            same = (each.ticket.symbol, each.ticket.side) == (order.ticket.symbol, order.ticket.side)
            if same and each.is_leg and each.decision != order.decision and each.id not in self._books.busy:
                yield each

    def _later(self, order: Order) -> None:
        self._books.busy.pop(order.id, None)
        self._me.after(RESOLVE_AFTER, Resolve(order.id))

    def withdraw(
        self,
        order: Order,
        then: Callable[[Seen], None] = lambda seen: None,
        refused: Callable[[Refused], None] = lambda refused: None,
    ) -> None:
        """Cancel what is not filled of it."""
        if order.is_here:
            seen = Seen(order.id, Stage.CANCELLED, order.filled)
            why = "it was watched here, and is not any more"
            self._books.move(order, OrderState.CANCELLED, why, partial(then, seen))
            return

        def withdrawn(seen: Seen) -> None:
            self.see(order.id, seen)
            then(seen)

        self._ask(order, partial(broker.Withdraw, order.id), withdrawn, refused)

    def resolve(self, id_: ClientId) -> None:
        """Look it up, if it is not known yet whether the broker has it."""
        order = orders.by_id(self._read, id_)
        if order is not None and order.state is OrderState.APPROVED and id_ not in self._books.busy:
            self._ask(order, partial(LookUp, id_), partial(self.see, id_))

    def found(self, sent: Sent, seen: Seen) -> None:
        """The broker has it."""
        self._books.busy.pop(sent.order.id, None)
        sent.then(seen)

    def absent(self, order: Order) -> None:
        """The broker does not have it: what held when it was approved must hold now, or it is not sent any more."""
        self._books.busy.pop(order.id, None)
        if order.state is not OrderState.APPROVED:
            self.halt(
                f"reconciliation: order {order.id} was {order.state} at {order.broker}, which does not know it now"
            )
            return
        self._recheck(order)

    def _recheck(self, order: Order) -> None:
        why = self._judge.still(order, self._books.busy.values(), self._me.clock.utc())
        if why is None:
            self.send(order)
        else:
            self._books.move(order, OrderState.DENIED, why, lambda: None)

    def unknown(self, sent: Sent, refused: Refused) -> None:
        """Halted, it was not sent; otherwise nobody knows."""
        order = sent.order
        self._books.busy.pop(order.id, None)
        sent.refused(refused)
        if refused.code == "halted":
            self._books.move(order, OrderState.CANCELLED, f"not sent: {refused.sentence}", lambda: None)
        elif order.state is OrderState.APPROVED:
            self._later(order)

    def see(self, id_: ClientId, seen: Seen) -> None:
        """The broker says how an order stands."""
        order, to = orders.by_id(self._read, id_), MEANS.get(seen.stage)
        if order is None or order.is_here or order.state in orders.ENDED:  # of what is watched here it knows nothing
            return
        if to is not None and to is not order.state:
            why, now = seen.why or f"{seen.stage} at {order.broker}", self._me.clock.utc()
            if order.is_leg and (to is OrderState.LAPSED or (to is OrderState.CANCELLED and self._judge.is_halted)):
                self._books.write(orders.watch(order, f"{order.broker} holds it no longer ({why}): watched here", now))
            else:
                self._books.write(orders.move(id_, to, why, now))

    def _ask(
        self,
        order: Order,
        make: Callable[[ReplyTo[Any]], broker.Request],
        then: Callable[[Seen], None],
        refused: Callable[[Refused], None] = lambda refused: None,
    ) -> None:
        self._books.busy[order.id] = order
        self._to.tell(make(self._me.reply_to(Sent(order, then, refused), of=self._to, within=ANSWER_WITHIN)))

    # Fills

    def book(self, execution: Execution) -> None:
        """A fill with its ledger lines is one write, and there is one of each."""
        id_, name = execution.execution_id, self._judge.broker
        if id_ in self._booking or orders.is_booked(self._read, name, id_):
            return
        if execution.side is Side.SELL and self._booking:  # its lots are known when what comes before is on disk
            self._sold.append(execution)
            return
        order = orders.by_id(self._read, execution.client_id)
        if order is None:
            self.halt(f"execution {id_}: its order is none of this desk")
            return
        if (wrong := self._judge.wrong(order, execution)) is not None:
            self.halt(f"execution {id_}: {wrong}")
            return
        self._booking.add(id_)
        self._bookings += 1

        def refused(why: Refused) -> None:
            self._booked(id_)
            if why.code == "statement":
                self.halt(f"execution {id_} of order {execution.client_id} cannot be booked: {why.sentence}")

        now = self._me.clock.utc()
        lots = matched(ledger.lots(self._read, name, execution.symbol), execution)
        lines = ledger.fill(execution, name, order.correlation_id, now, lots)
        self._books.write((*orders.fill(order, execution, now), *lines), lambda rows: self._booked(id_), refused)

    def _booked(self, id_: str) -> None:
        self._booking.discard(id_)
        waiting, self._sold = self._sold, deque[Execution]()
        for execution in waiting:
            self.book(execution)

    # The broker's view and ours

    def look(self, run: Run | None, then: Callable[[bool], None]) -> None:
        """Have the broker say all there is."""
        since = max(0, orders.last_fill(self._read, self._judge.broker) - OVERLAP)
        looked = Looked(run, self._bookings, then)
        self._to.tell(Look(since, self._me.reply_to(looked, of=self._to, within=ANSWER_WITHIN)))

    def viewed(self, looked: Looked, view: View) -> None:
        """Adopt what is ours and was not known, look up what the broker does not mention, then compare."""
        quiet = self._bookings == looked.booked
        for execution in view.executions:
            self.book(execution)
        booked = self._bookings if quiet else -1
        for seen in view.orders:
            self.see(seen.client_id, seen)
        mentioned = {seen.client_id for seen in view.orders}
        for order in orders.open_orders(self._read):
            known = order.id in mentioned or order.id in self._books.busy or order.is_here
            if order.state is OrderState.WORKING and not known:
                self._ask(order, partial(LookUp, order.id), partial(self.see, order.id))
        self._books.write((), lambda rows: self._compare(looked, view, booked), partial(self.not_viewed, looked))

    def _compare(self, looked: Looked, view: View, booked: int) -> None:
        """If nothing else was booked since it was asked for, both agree to the last share and cent."""
        quiet = self._bookings == booked and not self._sold
        difference = self._judge.difference(view) if quiet else None
        if difference is not None:
            self.halt(difference)
        looked.then(quiet and difference is None)
        if looked.run is not None:
            looked.run.reply_to.tell(Finished(looked.run.lease, ()))

    def not_viewed(self, looked: Looked, refused: Refused) -> None:
        """It is looked again later."""
        looked.then(False)
        if looked.run is not None:
            pass_on(looked.run.reply_to, refused)

    # Whether trading goes on

    def halt(self, why: str, cause: orders.HaltedFor = "books") -> None:
        """By itself, until a person resumes. The first reason stays, unless now the books may be wrong as well."""
        name = self._judge.broker
        own = next((halt for halt in orders.halts(self._read, name) if halt.scope == name), None)
        if own is None or (cause == "books" and own.cause != "books"):
            flatten = cause == "loss" and self._judge.flattens
            now = self._me.clock.utc()
            statements = orders.set_state(name, TradingState.HALTED, why, now, cause, flatten=flatten)
            self._books.write(statements, lambda rows: self._me.after(0.0, Pursue()))


def _sending(order: Order) -> Callable[[ReplyTo[Any]], broker.Request]:
    """The one place that decides what may go out although the file HALT is there: what a halt has brought about."""
    ticket = order.for_broker
    if order.flattens:
        return partial(broker.Flatten, ticket.client_id, ticket.symbol, ticket.side, ticket.quantity)
    return partial(Send, ticket)
