"""Orders that nobody decided: positions are closed when a halt says so, or when a price was reached that is watched."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

from actors.kernel.me import Me
from actors.trading.account import Account, Pursue
from actors.trading.books import Books, Returned, WriteLost, pass_on
from actors.trading.judging import Judge
from messages.addresses import Refused, ReplyTo
from messages.broker import ClientId, Kind, Seen, Side, Stage, Ticket
from messages.correlation import TRACE, Trace, within
from messages.database import Statement
from messages.tasks import Run
from messages.trading import HALT, Close, Held, Order, OrderState, Said, TradingChanged, TradingState
from messages.values import CorrelationId, Symbol
from storage import ledger, orders, states
from storage.connections import Reader

PURSUE: Final = 1.0
"""Seconds between two looks at what a halt has asked for, until it is done."""
WITHDRAW_AGAIN: Final = 10.0
"""Seconds between two requests to cancel the same order."""
LONGEST: Final = 12
"""Times `reconcile_minutes` after which what ended unfilled is tried again at the latest."""
AT_BROKER: Final = frozenset({OrderState.APPROVED, OrderState.WORKING})
STOPPING: Final = "the desk stops, and trades again when it has started again"
WHY: Final = {HALT: "trading is HALTED", "stop": "the stop was reached", "target": "the target was reached"}


class Exits:
    """Cancels what works while trading is HALTED, and closes positions. All of it follows from rows, so it goes on.

    A position is closed by an order for what the books say is held of it. That is made only when the broker has just
    said the same, and no order of the symbol was under way since before it was asked; so nothing is sold twice. What
    ended without being filled is tried again under the next number, after `reconcile_minutes`, then after twice that.
    """

    def __init__(self, me: Me[Any], books: Books, account: Account, judge: Judge, read: Reader) -> None:
        self._me, self._books, self._account, self._judge, self._read = me, books, account, judge, read
        self._pursuing = self._looking = self._file = self._stopping = False
        self._asked: ReplyTo[Said] | None = None
        self._withdrawn, self._published = dict[ClientId, float](), (TradingState.ACTIVE, "")
        self._held: str | None = None

    def begin(self, then: Callable[[], None]) -> None:
        """At start: what was to be done before the desk stopped is over, done or not."""
        scopes = {halt.scope for halt in states.halts(self._read, self._judge.broker)}
        self._file, self._stopping = states.FILE in scopes, states.STOP in scopes
        if not self._stopping:
            then()
            return

        def begun(_: Returned) -> None:
            self._stopping = False
            then()

        def lost(refused: Refused) -> None:
            raise WriteLost(f"that the desk has started again is not noted: {refused.sentence}")

        self._books.write(self._state(states.STOP, None), begun, lost)

    @property
    def stopping(self) -> str | None:
        """Why nothing new is ordered: the desk is about to stop, or has not noted yet that it has started again."""
        return STOPPING if self._stopping else None

    @property
    def _is_over(self) -> bool:
        """Whether what is to be done before the desk stops was done, or the desk has started again since."""
        return self._stopping and self._asked is None

    # HALTED

    def close(self, asked: Close) -> None:
        """Before the desk stops."""
        if self._stopping:
            asked.reply_to.refuse("invalid", STOPPING)
            return
        self._stopping, self._asked = True, asked.reply_to

        def refused(why: Refused) -> None:
            self._stopping, self._asked = False, None
            pass_on(asked.reply_to, why)

        self._books.write(
            self._state(states.STOP, STOPPING, flatten=asked.flatten), lambda rows: self.enforce(), refused
        )

    def glance(self) -> None:
        """The file HALT has come or gone: what works is cancelled, and it is noted, since positions may hang on it."""
        there = self._judge.file
        if (there is not None) is self._file:
            return
        self._file = there is not None

        def refused(_: Refused) -> None:
            self._file = not self._file  # it is looked again

        statements = self._state(states.FILE, there, flatten=self._judge.flattens)
        self._books.write(statements, lambda rows: self.enforce(), refused)
        self.enforce()

    def pursue(self, *, in_time: bool) -> None:
        """See to it again; `in_time` if that was the one timer there is."""
        self._pursuing = self._pursuing and not in_time
        self.enforce()

    def enforce(self) -> None:
        """Nothing works while trading is HALTED, nor an exit whose reason has gone; then positions, if so set."""
        self._publish()
        if self._is_over:
            return
        halted, halt = self._judge.is_halted, self._judge.closing()
        if not halted:
            self._withdrawn.clear()
        pending = selling = False
        for order in orders.open_orders(self._read):
            if order.state not in AT_BROKER or order.is_here or not (halted or order.flattens):
                continue
            if order.flattens and order.decision == halt:
                selling = True
                continue
            pending = True
            if order.state is OrderState.WORKING and order.id not in self._books.busy and self._is_time(order):
                self._withdraw(order)
        if halt is not None and any(self._due(halt, self._taken())):
            pending = True
            if not self._looking:
                self._looking = True
                self.look(None)
        if self._asked is not None and not (pending or selling):
            self._asked.tell(Said(self._told()))
            self._asked = None
        elif (pending or self._asked is not None) and not self._pursuing:
            self._pursuing = True
            self._me.after(PURSUE, Pursue(in_time=True))

    def _publish(self) -> None:
        """In what state trading is now, and why; that a desk which stops trades no more is not worth saying."""
        now = (TradingState.HALTED, self._held) if self._held else self._judge.state()
        if now != self._published and not self._stopping:
            self._published = now
            self._me.publish(TradingChanged(*now))

    @property
    def held(self) -> str | None:
        """Why nothing can be committed, and so nothing sent."""
        return self._held

    @held.setter
    def held(self, why: str | None) -> None:
        if why != self._held:
            self._held = why
            self._publish()

    def _withdraw(self, order: Order) -> None:
        """Of a leg it is noted first, since its broker may say only after the halt that it holds it no longer."""
        withdraw = partial(self._account.withdraw, order)
        if order.is_leg and orders.withdrawn_by(self._read, order.id) is None:
            note = orders.note(
                order.id, orders.WITHDRAWING, "withdrawn because trading is HALTED", self._me.clock.utc()
            )
            self._books.keep(order, (note,), withdraw)
        else:
            withdraw()

    def _is_time(self, order: Order) -> bool:
        """Whether it was not asked a moment ago to have it cancelled: some brokers take their time."""
        now = self._me.clock.monotonic()
        if now < self._withdrawn.get(order.id, -WITHDRAW_AGAIN) + WITHDRAW_AGAIN:
            return False
        self._withdrawn[order.id] = now
        return True

    def _told(self) -> str:
        halt, stays = self._judge.closing(), self._judge.untouched()
        tried = {} if halt is None else {each.ticket.symbol: each.why for each in self._tried(halt)}
        why = {held: tried.get(held.symbol, stays) for held in ledger.held(self._read)}
        left = (f"{held.quantity:f} {held.symbol}{f' ({no})' if no else ''}" for held, no in why.items())
        return f"no order works at {self._judge.broker} any more; held: {', '.join(left) or 'nothing'}"

    def _state(self, scope: str, why: str | None, *, flatten: bool = False) -> tuple[Statement, ...]:
        now = self._me.clock.utc()
        if why is None:
            return states.set_state(scope, TradingState.ACTIVE, "it is over", now)
        return states.set_state(scope, TradingState.HALTED, why, now, flatten=flatten)

    # When books and broker agree

    def look(self, run: Run | None) -> None:
        """Compare the accounts; where they agree, positions are closed that are to be."""
        self._account.view.look(run, partial(self._looked, self._taken(), self._taken(legs=False), run is None))

    def _looked(self, taken: Collection[Symbol], ordered: Collection[Symbol], by_itself: bool, agree: bool) -> None:
        self._looking = False
        if not agree or self._is_over:
            return
        under_way, ordered = {*taken, *self._taken()}, {*ordered, *self._taken(legs=False)}
        if (halt := self._judge.closing()) is not None:
            trace = self._trace(halt, by_itself=by_itself)
            for held, tried in tuple(self._due(halt, under_way)):
                side = Side.SELL if held.quantity > 0 else Side.BUY
                with within(trace):
                    self._exit((halt, trace.correlation_id), held.symbol, side, abs(held.quantity), HALT, tried)
                under_way.add(held.symbol)
                ordered.add(held.symbol)
        self._watch(ordered)

    def _taken(self, *, legs: bool = True) -> set[Symbol]:
        """The symbols of which an order may be at the broker, or is on its way to the disk.

        Without `legs`, what only protects another part of the position does not count.
        """
        at_broker = (
            each
            for each in orders.open_orders(self._read)
            if each.state in AT_BROKER and not each.is_here and (legs or not each.is_leg)
        )
        return {each.ticket.symbol for each in (*at_broker, *self._books.busy.values())}

    def _due(self, halt: str, taken: Collection[Symbol]) -> Iterator[tuple[Held, list[Order]]]:
        """What is held and to be sold now, each with the exits by this halt that have ended."""
        tried = defaultdict[Symbol, list[Order]](list)
        for order in self._tried(halt):
            tried[order.ticket.symbol].append(order)
        for held in ledger.held(self._read):
            if held.quantity and held.symbol not in taken and self._again(tried[held.symbol]):
                yield held, tried[held.symbol]

    def _tried(self, halt: str) -> list[Order]:
        """The exits by a halt, oldest first."""
        return sorted(orders.of_decision(self._read, halt), key=lambda each: each.staged_at)

    def _trace(self, halt: str, *, by_itself: bool) -> Trace:
        """That of the exits that were made before, or of the click that the look is due to, or one that begins here."""
        if tried := self._tried(halt):
            return Trace(tried[0].correlation_id)
        if by_itself and (click := TRACE.get()) is not None and click.correlation_id:
            return click
        return Trace(CorrelationId(hashlib.sha256(halt.encode()).hexdigest()[:32]), begins=True)

    def _again(self, tried: Collection[Order]) -> bool:
        """Whether it is time to try once more what these have not done."""
        wait = round(min(len(tried), LONGEST) * self._judge.reconcile_every * 1e6)
        return self._me.clock.utc() >= max((each.staged_at for each in tried), default=-wait) + wait

    def _exit(
        self, cause: tuple[str, CorrelationId], symbol: Symbol, side: Side, quantity: Decimal, by: str,
        tried: Collection[Order],
    ) -> None:  # fmt: skip
        """Commit an order, or that there can be none and why; then send it."""
        now, price = self._me.clock.utc(), self._judge.price(symbol)
        id_ = orders.client_id(f"{cause[0]} {symbol}", f"exit {len(tried) + 1}")
        order = Order(
            Ticket(id_, symbol, side, quantity), *cause, self._judge.broker, OrderState.APPROVED, Decimal(0),
            price or Decimal(0), f"closes the position: {WHY[by]}", now, now, by,
        )  # fmt: skip
        if (fault := self._judge.exit(order, self._books.busy.values(), now)) is None:
            self._books.keep(order, orders.insert(order), partial(self._account.send, order))
        else:
            denied = replace(order, state=OrderState.DENIED, why=fault)
            self._books.keep(denied, orders.insert(denied), lambda: None)

    # Legs that are watched here

    def _watch(self, taken: set[Symbol]) -> None:
        """Look whether a last price is at a stop or a target that the broker does not hold."""
        legs, there = defaultdict[str, list[Order]](list), defaultdict[str, list[Order]](list)
        for order in orders.open_orders(self._read):
            if order.is_here and order.id not in self._books.busy:
                legs[order.decision].append(order)
            elif order.is_leg and not order.is_here:
                there[order.decision].append(order)
        held = {each.symbol: each.quantity for each in ledger.held(self._read)} if legs else {}
        others = defaultdict[Symbol, Decimal](Decimal)
        for pair in there.values() if legs else ():
            others[pair[0].ticket.symbol] += max(Decimal(0), _left(pair, self._family(pair)))
        for pair in legs.values():
            symbol = pair[0].ticket.symbol
            if self._protect(pair, held.get(symbol, Decimal(0)), others[symbol], taken):
                taken.add(symbol)

    def _family(self, legs: list[Order]) -> list[Order]:
        return orders.of_decision(self._read, legs[0].decision)

    def _ended(self, seen: Seen) -> None:
        if seen.stage is not Stage.WORKING:
            self.look(None)

    def _protect(self, legs: list[Order], held: Decimal, others: Decimal, taken: set[Symbol]) -> bool:
        """Of one position; whether there is an order now. What was reached once stays so until nothing is left.

        Of what is held, `others` is what legs at the broker sell.
        """
        leg = legs[0]
        symbol, side = leg.ticket.symbol, leg.ticket.side
        family = self._family(legs)
        tried = [each for each in family if each.is_exit]
        price = self._judge.price(symbol)
        reached = () if price is None else _reached(legs, price)
        by = next((each.approved_by for each in tried), None) or next(iter(reached), None)
        if symbol in taken:
            entry = next((each for each in family if each.state is OrderState.WORKING and not each.is_leg), None)
            if by is not None and entry is not None and not entry.is_exit and entry.id not in self._books.busy:
                self._account.withdraw(entry, self._ended)  # no more of it is bought
            return False
        held = held if side is Side.SELL else -held
        if (left := min(_left(legs, family), held)) <= 0:
            for each in legs:
                self._books.move(each, OrderState.CANCELLED, "nothing of the position is held any more", lambda: None)
        elif by is not None and self._again(tried) and not self._judge.is_halted and held > others:
            self._exit((leg.decision, leg.correlation_id), symbol, side, min(left, held - others), by, tried)
            return True
        return False


def _left(legs: Collection[Order], family: Collection[Order]) -> Decimal:
    """What these legs have still to sell; what one of a family has done, no other does."""
    done = sum((each.filled for each in family if each.is_exit or each.is_leg), Decimal(0))
    return max(each.ticket.quantity for each in legs) - done


def _reached(legs: Collection[Order], price: Decimal) -> Iterator[str]:
    """What has been reached at this price, `stop` or `target`."""
    for leg in legs:
        stops, sells = leg.ticket.kind is Kind.STOP, leg.ticket.side is Side.SELL
        at = leg.ticket.stop if stops else leg.ticket.limit
        assert at is not None, leg.id  # each kind of leg has its price
        if price <= at if stops is sells else price >= at:
            yield "stop" if stops else "target"
