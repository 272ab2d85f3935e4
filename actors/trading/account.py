"""The account at a broker: what is sent there, what is known of it, and whether both sides agree."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from actors.domain.lots import matched
from actors.kernel.me import Me
from actors.trading import activities
from actors.trading.activities import CannotBe, Due, Statements
from actors.trading.books import Books, pass_on
from actors.trading.judging import Judge
from messages import broker
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import ClientId, Execution, Look, LookUp, Seen, Send, Side, Stage, View
from messages.tasks import Finished, Run
from messages.trading import Order, OrderState, TradingState
from messages.values import OutOfRange
from storage import amendments, ledger, orders
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
    """A look at the whole account, for this task if it is one.

    So many fills had been booked when it was asked for, and the books had been opened then; 0 if they were not.
    """

    run: Run | None
    booked: int
    opened: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find out what became of this order, if that is still not known."""

    order: ClientId


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

        What protects a position is cancelled before the position is sold, or the broker would sell it twice.
        """
        guard = next(self._guards(order), None)
        if guard is None:
            self.ask(order, partial(Send, order.ticket), partial(self.see, order.id))
        else:
            self._books.busy[order.id] = order
            self.withdraw(guard, lambda seen: self._recheck(order), lambda refused: self._later(order))

    def _guards(self, order: Order) -> Iterator[Order]:
        for each in orders.open_orders(self._read):
            same = (each.ticket.symbol, each.ticket.side) == (order.ticket.symbol, order.ticket.side)
            if same and each.is_leg and each.decision != order.decision:
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

        def withdrawn(seen: Seen) -> None:
            self.see(order.id, seen)
            then(seen)

        self.ask(order, partial(broker.Withdraw, order.id), withdrawn, refused)

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
        """The broker does not have it: what held when it was approved must hold now, or it is not sent any more."""
        order = sent.order
        self._books.busy.pop(order.id, None)
        if order.state is not OrderState.APPROVED:
            self.halt(
                f"reconciliation: order {order.id} was {order.state} at {order.broker}, which does not know it now"
            )
            sent.refused(Refused(order.id, "absent", f"order {order.id} is not at {order.broker} any more"))
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
        if order.state is not OrderState.APPROVED:
            return  # it was withdrawn, looked up or changed, and works as before
        if refused.code == "halted":
            self._books.move(order, OrderState.CANCELLED, f"not sent: {refused.sentence}", lambda: None)
        else:
            self._later(order)

    def see(self, id_: ClientId, seen: Seen) -> None:
        """The broker says how an order stands."""
        order, to = orders.by_id(self._read, id_), MEANS.get(seen.stage)
        if order is not None and order.state not in orders.ENDED and to is not None and to is not order.state:
            why = seen.why or f"{seen.stage} at {order.broker}"
            self._books.write(orders.move(id_, to, why, self._me.clock.utc()))
        if order is not None and seen.change:
            self._see_prices(order, seen.change)

    def _see_prices(self, order: Order, change: int) -> None:
        """A change that nobody has heard of, or that was given up, was made after all."""
        ticket, made = order.ticket, amendments.by_number(self._read, order.id, change)
        if made is not None and (made.limit, made.stop) != (ticket.limit, ticket.stop):
            why = f"change {change} was made at {order.broker}"
            changed = replace(ticket, limit=made.limit, stop=made.stop)
            self._books.write(orders.amend(order, changed, why, self._me.clock.utc()))

    def ask(
        self,
        order: Order,
        make: Callable[[ReplyTo[Any]], broker.Request],
        then: Callable[[Seen], None],
        refused: Callable[[Refused], None] = lambda refused: None,
    ) -> None:
        """About one order, which is busy until there is an answer."""
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

    def look(self, run: Run | None) -> None:
        """Have the broker say all there is; what was executed before the books were opened is in the opening."""
        name = self._judge.broker
        opened = ledger.opened_at(self._read, name)
        since = max(opened, orders.last_fill(self._read, name) - OVERLAP)
        looked = Looked(run, self._bookings, opened)
        self._to.tell(Look(since, self._me.reply_to(looked, of=self._to, within=ANSWER_WITHIN)))

    def viewed(self, looked: Looked, view: View) -> None:
        """Adopt what is ours and was not known, look up what the broker does not mention, then compare.

        What was executed from a split's session on is in other shares, and is booked after it.
        """
        if (opened := ledger.opened_at(self._read, self._judge.broker)) != looked.opened:
            self.look(looked.run)  # of what was said some is part of the opening, and nothing says what
            return
        if not opened:
            self._looked(looked)
            return
        quiet, due = self._bookings == looked.booked, activities.due(self._read, self._judge.broker, view)
        for execution in view.executions:
            if not due.splits or execution.session < due.splits[0].session:
                self.book(execution)
        looked = replace(looked, booked=self._bookings if quiet else -1)
        if due.splits:
            self._when_booked(looked, lambda: self._split(looked, view, due))
            return
        for seen in view.orders:
            self.see(seen.client_id, seen)
        mentioned = {seen.client_id for seen in view.orders}
        for order in orders.open_orders(self._read):
            if order.state is OrderState.WORKING and order.id not in mentioned and order.id not in self._books.busy:
                self.ask(order, partial(LookUp, order.id), partial(self.see, order.id))
        made = partial(activities.book_cash, due.cash, self._judge.broker, self._me.clock.utc())
        self._adopt(looked, made, lambda looked: self._compare(looked, view, due))

    def _split(self, looked: Looked, view: View, due: Due) -> None:
        made = partial(activities.book_splits, self._read, due.splits, self._judge.broker, self._me.clock.utc())
        self._adopt(looked, made, lambda looked: self.viewed(looked, view))

    def _when_booked(self, looked: Looked, then: Callable[[], None]) -> None:
        """When all executions that are known are on disk, and so how the lots stand."""
        if self._booking or self._sold:
            again = partial(self._when_booked, looked, then)
            self._books.write((), lambda rows: again(), partial(self.not_viewed, looked))
        else:
            then()

    def _adopt(self, looked: Looked, make: Callable[[], Statements], then: Callable[[Looked], None]) -> None:
        """Book what the broker has moved by itself; what cannot be booked halts trading."""
        try:
            statements = make()
        except (CannotBe, OutOfRange) as no:
            self.halt(f"reconciliation: {no}")
            self._looked(looked)
            return
        if statements:  # a look that was asked for before has not seen it
            quiet = self._bookings == looked.booked
            self._bookings += 1
            looked = replace(looked, booked=self._bookings if quiet else -1)

        def refused(why: Refused) -> None:
            if why.code == "statement":
                self.halt(f"reconciliation: what {self._judge.broker} has moved cannot be booked: {why.sentence}")
            self.not_viewed(looked, why)

        self._books.write(statements, lambda rows: then(looked), refused)

    def _compare(self, looked: Looked, view: View, due: Due) -> None:
        """If nothing else was booked since it was asked for, both agree to the last share and cent."""
        quiet = self._bookings == looked.booked and not self._sold
        if quiet and (difference := self._judge.difference(view)) is not None:
            self.halt("; ".join((difference, *map(activities.not_understood, due.unknown[-3:]))))
        self._looked(looked)

    def _looked(self, looked: Looked) -> None:
        if looked.run is not None:
            looked.run.reply_to.tell(Finished(looked.run.lease, ()))

    def not_viewed(self, looked: Looked, refused: Refused) -> None:
        """It is looked again later."""
        if looked.run is not None:
            pass_on(looked.run.reply_to, refused)

    # Whether trading goes on

    def halt(self, why: str) -> None:
        """By itself, until a person resumes."""
        name = self._judge.broker
        if orders.state(self._read, name) != (TradingState.HALTED, why):
            statements = orders.set_state(name, TradingState.HALTED, why, self._me.clock.utc())
            self._books.write(statements, lambda rows: self.cancel_working())

    def cancel_working(self) -> None:
        """HALTED: nothing is left at the broker that might still be filled."""
        for order in orders.open_orders(self._read):
            if order.state is OrderState.WORKING and order.id not in self._books.busy:
                self.withdraw(order)
