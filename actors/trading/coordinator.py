"""The trading coordinator: the only one to write ledger and orders."""

from functools import partial
from typing import Any, Final, assert_never

from actors.kernel.me import Me
from actors.trading.account import Account, Pursue, Resolve, Sent
from actors.trading.activities import UNASKED
from actors.trading.amending import Amending, ResolveAmendment
from actors.trading.books import Books, Kept, Returned, pass_on
from actors.trading.exits import Exits
from actors.trading.judging import Judge
from actors.trading.reconciling import Looked
from actors.trading.staging import Staging
from messages import broker, database, trading
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import Absent, ClientId, Executed, Found, LookDue, Viewed
from messages.database import Committed, WritesHeld, WritesResumed
from messages.tasks import Reconcile, Run, StageOrder
from messages.trading import (
    Amend,
    Approve,
    Close,
    GiveMandate,
    Import,
    Imported,
    Order,
    OrderState,
    Reject,
    Said,
    SetState,
    TradingState,
    Withdraw,
)
from messages.values import OutOfRange
from storage import balance, ledger, mandates, orders, states
from storage.connections import Reader, typed

GLANCE: Final = 5.0
"""Seconds between two looks for the file HALT, which keeps orders from being sent at once."""


class _Tick:
    """Time to reconcile, and to let approvals expire."""


class _Glance:
    """Time to see whether the file HALT has come or gone."""


Message = trading.Message | Resolve | ResolveAmendment | Pursue | _Tick | _Glance


class TradingCoordinator:
    """Owns holdings, ledger, orders and whether trading goes on. Orders are in the database, which is their outbox.

    In memory is only what is in flight: what the disk or the broker has not answered yet.
    """

    def __init__(
        self, me: Me[Message], writer: Ref[database.Message], to: Ref[broker.Request], judge: Judge, read: Reader
    ) -> None:
        self._me, self._judge, self._read = me, judge, read
        self._books = Books(me, writer)
        self._account = Account(me, self._books, to, judge, read)
        self._staging = Staging(me, self._books, judge, read, self._account)
        self._exits = Exits(me, self._books, self._account, judge, read)
        self._amending = Amending(me, self._books, self._account, judge, read)

    def on_start(self) -> None:
        """What was approved when the last run ended may be at its broker or not; the books must be in order."""
        if (damage := balance.damage(self._read)) is not None:
            self._account.halt(f"ledger: {damage}; see `run.py doctor --audit`")
        self._exits.begin(self._go_on)

    def _go_on(self) -> None:
        for order in orders.open_orders(self._read):
            if order.state is OrderState.APPROVED:
                self._me.after(0.0, Resolve(order.id))
        self._amending.begin()
        self._me.after(0.0, _Tick())
        self._me.after(GLANCE, _Glance())

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Import() | Approve() | Reject() | Withdraw() | Amend() | SetState() | Close() | GiveMandate() if (
                self._exits.held
            ):
                self._refuse_held(message.reply_to, self._exits.held)
            case Approve() | Run(work=StageOrder()) if (why := self._exits.stopping) is not None:
                message.reply_to.refuse("halted", why, self._me.clock.utc())
            case Import():
                self._import(message)
            case Run(work=StageOrder()):
                self._staging.add(message)
            case Run(work=Reconcile()):
                self._reconcile(message)
            case Run():
                raise TypeError(f"task {message.lease.task}: {type(message.work).__name__} is not trading's")
            case Approve():
                self._approve(message)
            case Reject():
                self._reject(message)
            case Withdraw():
                self._withdraw(message)
            case Amend():
                self._amend(message)
            case SetState():
                self._set_state(message)
            case Close():
                self._exits.close(message)
            case GiveMandate():
                self._give_mandate(message)
            case Executed():
                self._account.told(message)
            case LookDue():
                self._exits.look(None)
            case Found(Sent() as sent, seen):
                self._account.found(sent, seen)
            case Absent(Sent() as sent):
                self._account.absent(sent)
            case Refused(Sent() as sent):
                self._account.unknown(sent, message)
            case Viewed(Looked() as looked, view):
                self._account.view.viewed(looked, view)
            case Refused(Looked() as looked):
                self._account.view.not_viewed(looked, message)
            case Resolve(order):
                self._account.resolve_due(order)
            case ResolveAmendment(amendment):
                self._amending.resolve(amendment)
            case Pursue(in_time):
                self._exits.pursue(in_time=in_time)
            case _Tick():
                self._tick()
            case _Glance():
                self._me.after(GLANCE, _Glance())
                self._exits.glance()
            case WritesHeld(why):
                self._exits.held = why
            case WritesResumed():
                self._exits.held = None
            case Committed(Kept() as kept, rows):
                self._exits.held = None
                kept.then(rows)
            case Refused(Kept() as kept):
                kept.refused(message)
            case Committed() | Refused() | Found() | Absent() | Viewed():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    def _refuse_held(self, reply_to: ReplyTo[Any], why: str) -> None:
        """Say why, and look whether it still holds: the event that says so may have been dropped."""
        reply_to.refuse("halted", f"trading is HALTED: {why}")
        self._books.write((), refused=self._still_held)

    def _still_held(self, refused: Refused) -> None:
        self._exits.held = refused.sentence if self._exits.held else None  # writes may have been resumed meanwhile

    def _import(self, asked: Import) -> None:
        if orders.last_fill(self._read, self._judge.broker):
            sentence = "orders have been filled here, so the books cannot be opened anew; import into a new home"
            asked.reply_to.refuse("invalid", f"{asked.origin}: {sentence}")
            return
        now = self._me.clock.utc()
        try:
            statements = ledger.opening(
                asked.holdings, asked.cash, asked.origin, asked.correlation_id, now, self._judge.broker
            )
        except OutOfRange as error:
            asked.reply_to.refuse("invalid", f"{asked.origin}: {error}")
            return

        self._account.booking.begun += 1  # a look at the broker from before it is of other books

        def opened(rows: Returned) -> None:
            self._account.booking.begun += 1
            asked.reply_to.tell(Imported(typed(tuple[int], rows[-2])[0][0]))

        self._books.write((*statements, states.forget_days()), opened, partial(pass_on, asked.reply_to))

    # What a person says of an order

    def _approve(self, asked: Approve) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.STAGED)) is None:
            return
        if (why := self._account.view.awaited()) is not None:
            self._account.view.look(None)
            asked.reply_to.refuse("gated", f"order {order.id}: {why}")
            return
        now = self._me.clock.utc()
        judged = self._judge.again(order, self._books.busy.values(), now)
        if judged.state is OrderState.APPROVED:

            def approved() -> None:
                asked.reply_to.tell(Said(f"order {order.id} is approved: {judged.why}"))
                self._account.send(judged)

            self._books.keep(judged, orders.approve(judged, now), approved, asked.reply_to)
            return
        refuse = partial(asked.reply_to.refuse, "denied", f"order {order.id} is {judged.state}: {judged.why}")
        if judged.state is OrderState.STAGED:  # what stands against it may pass
            refuse()
        else:
            self._books.move(order, judged.state, judged.why, refuse, asked.reply_to)

    def _reject(self, asked: Reject) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.STAGED)) is not None:
            tell = partial(asked.reply_to.tell, Said(f"order {order.id} is rejected"))
            self._books.move(order, OrderState.REJECTED, asked.reason, tell, asked.reply_to)

    def _withdraw(self, asked: Withdraw) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.WORKING)) is not None:
            self._account.cancel(order, asked.reply_to)

    def _amend(self, asked: Amend) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.WORKING)) is None:
            return
        if (why := self._account.view.awaited()) is not None:
            self._account.view.look(None)
            asked.reply_to.refuse("gated", f"order {order.id}: {why}")
        else:
            self._amending.intend(order, asked)

    def _find(self, id_: ClientId, reply_to: ReplyTo[Any], wanted: OrderState) -> Order | None:
        order = orders.by_id(self._read, id_)
        if order is None:
            reply_to.refuse("invalid", f"there is no order {id_}")
        elif id_ in self._books.busy:
            reply_to.refuse("invalid", f"order {id_} is being seen to already; look again with `run.py orders`")
        elif order.state is not wanted:
            reply_to.refuse("invalid", f"order {id_} is {order.state}, not {wanted}: {order.why}")
        else:
            return order
        return None

    # When, and whether at all

    def _tick(self) -> None:
        self._me.after(self._judge.reconcile_every, _Tick())
        now = self._me.clock.utc()
        for order in orders.open_orders(self._read):
            if order.state is OrderState.STAGED and order.expires_at <= now and order.id not in self._books.busy:
                self._books.move(order, OrderState.EXPIRED, "nobody has approved it in time", lambda: None)
            if order.state is OrderState.APPROVED:  # what was to be written of it may not have been
                self._account.resolve(order.id)
        self._staging.send_waiting()
        today, equity = self._judge.today, self._judge.equity()
        # Before anything is imported there is nothing to lose.
        if today is not None and equity > 0 and self._account.view.awaited() is None:
            settle = ledger.settle(self._judge.broker, today, UNASKED, now)
            self._books.write((settle, states.note_day(today, equity)), lambda rows: self._watch())
        self._exits.glance()
        self._exits.enforce()
        self._exits.look(None)

    def _reconcile(self, run: Run) -> None:
        """There may be new prices, too."""
        self._staging.send_waiting()
        self._exits.look(run)

    def _watch(self) -> None:
        if self._account.view.awaited() is None and (why := self._judge.lost()) is not None:
            self._account.halt(why, "loss")

    def _give_mandate(self, asked: GiveMandate) -> None:
        now = self._me.clock.utc()
        given = asked.text is not None
        what = f"mandate {asked.hash[:12]} is given" if given else "no mandate is given any more"
        keep = (mandates.insert(asked.text, asked.hash, now),) if asked.text is not None else ()
        statements = (mandates.withdraw(), *keep, orders.note("", "mandate", what, now))
        self._books.write(statements, lambda rows: asked.reply_to.tell(Said(what)), partial(pass_on, asked.reply_to))

    def _set_state(self, asked: SetState) -> None:
        if asked.scope not in (scopes := (states.ALL, self._judge.broker)):
            asked.reply_to.refuse("invalid", f"{asked.scope}: is none of {', '.join(scopes)}")
            return

        if asked.flatten and (why := self._judge.untouched()) is not None:
            asked.reply_to.refuse("denied", f"trading is HALTED already, and positions are not closed: {why}")
            return
        flatten = self._judge.flattens if asked.flatten is None else asked.flatten
        flatten = flatten and asked.state is TradingState.HALTED

        def said(_: Returned) -> None:
            closing = "; positions are being closed" if self._judge.closing() is not None else ""
            asked.reply_to.tell(Said(f"trading is {asked.state} for {asked.scope}{closing}"))
            self._exits.enforce()

        now = self._me.clock.utc()
        statements = states.set_state(asked.scope, asked.state, asked.why, now, flatten=flatten)
        name = self._judge.broker
        if asked.state is TradingState.ACTIVE and any(halt.scope == name for halt in states.halts(self._read, name)):
            statements += states.set_state(name, asked.state, asked.why, now)  # what the desk has halted by itself
        self._books.write(statements, said, partial(pass_on, asked.reply_to))
