"""The trading coordinator: the only one to write ledger and orders."""

from functools import partial
from typing import Any, assert_never

from actors.kernel.me import Me
from actors.trading.account import Account, Looked, Resolve, Sent
from actors.trading.activities import UNASKED
from actors.trading.amending import Amending, ResolveAmendment
from actors.trading.books import Books, Kept, Returned, pass_on
from actors.trading.judging import Judge
from messages import broker, database, trading
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import Absent, ClientId, Executed, Found, LookDue, Viewed
from messages.database import Committed, WritesHeld, WritesResumed
from messages.tasks import Finished, Reconcile, Run, StageOrder
from messages.trading import (
    Amend,
    Approve,
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
from storage import ledger, mandates, orders
from storage.connections import Reader, typed


class _Tick:
    """Time to reconcile, and to let approvals expire."""


Message = trading.Message | Resolve | ResolveAmendment | _Tick


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
        self._amending = Amending(me, self._books, self._account, judge, read)
        self._held: str | None = None

    def on_start(self) -> None:
        """What was approved when the last run ended may be at its broker or not; the books must be in order."""
        if (damage := ledger.damage(self._read)) is not None:
            self._account.halt(f"ledger: {damage}; see `run.py doctor --audit`")
        for order in orders.open_orders(self._read):
            if order.state is OrderState.APPROVED:
                self._me.after(0.0, Resolve(order.id))
        self._amending.begin()
        self._me.after(0.0, _Tick())

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Import() | Approve() | Reject() | Withdraw() | Amend() | SetState() | GiveMandate() if (
                self._held is not None
            ):
                self._refuse_held(message.reply_to, self._held)
            case Import():
                self._import(message)
            case Run(work=StageOrder(decision)):
                self._stage(message, decision)
            case Run(work=Reconcile()):
                self._account.look(message)
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
            case GiveMandate():
                self._give_mandate(message)
            case Executed(execution, seen):
                self._account.book(execution)
                self._account.see(execution.client_id, seen)
            case LookDue():
                self._account.look(None)
            case Found(Sent() as sent, seen):
                self._account.found(sent, seen)
            case Absent(Sent() as sent):
                self._account.absent(sent)
            case Refused(Sent() as sent):
                self._account.unknown(sent, message)
            case Viewed(Looked() as looked, view):
                self._account.viewed(looked, view)
            case Refused(Looked() as looked):
                self._account.not_viewed(looked, message)
            case Resolve(order):
                self._account.resolve(order)
            case ResolveAmendment(amendment):
                self._amending.resolve(amendment)
            case _Tick():
                self._tick()
            case WritesHeld(why):
                self._held = why
            case WritesResumed():
                self._held = None
            case Committed(Kept() as kept, rows):
                self._held = None
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
        self._held = refused.sentence if self._held else None  # writes may have been resumed meanwhile

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

        def opened(rows: Returned) -> None:
            asked.reply_to.tell(Imported(typed(tuple[int], rows[-2])[0][0]))

        self._books.write((*statements, orders.forget_days()), opened, partial(pass_on, asked.reply_to))

    # From a decision to an order

    def _stage(self, run: Run, decision: str) -> None:
        if run.reply_to.told:
            return
        done = Finished(run.lease, ())
        if orders.of_decision(self._read, decision):
            run.reply_to.tell(done)
            return
        order = self._judge.draft(decision, self._books.busy.values(), self._me.clock.utc())
        if order is None:
            run.reply_to.refuse("invalid", f"there is no decision {decision}")
            return

        def staged() -> None:
            run.reply_to.tell(done)
            if order.state is OrderState.APPROVED:
                self._account.send(order)

        self._books.keep(order, orders.insert(order), staged, run.reply_to)

    def _approve(self, asked: Approve) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.STAGED)) is None:
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
            self._account.withdraw(
                order,
                lambda seen: asked.reply_to.tell(Said(f"order {order.id} is {seen.stage} at {order.broker}")),
                partial(pass_on, asked.reply_to),
            )

    def _amend(self, asked: Amend) -> None:
        if (order := self._find(asked.order, asked.reply_to, OrderState.WORKING)) is not None:
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
        today, equity = self._judge.today, self._judge.equity()
        if today is not None and equity > 0:  # before anything is imported there is nothing to lose
            settle = ledger.settle(self._judge.broker, today, UNASKED, now)
            self._books.write((settle, orders.note_day(today, equity)), lambda rows: self._watch())
        self._account.look(None)

    def _watch(self) -> None:
        if (why := self._judge.lost()) is not None:
            self._account.halt(why)

    def _give_mandate(self, asked: GiveMandate) -> None:
        now = self._me.clock.utc()
        given = asked.text is not None
        what = f"mandate {asked.hash[:12]} is given" if given else "no mandate is given any more"
        keep = (mandates.insert(asked.text, asked.hash, now),) if asked.text is not None else ()
        statements = (mandates.withdraw(), *keep, orders.note("", "mandate", what, now))
        self._books.write(statements, lambda rows: asked.reply_to.tell(Said(what)), partial(pass_on, asked.reply_to))

    def _set_state(self, asked: SetState) -> None:
        if asked.scope not in (scopes := (orders.ALL, self._judge.broker)):
            asked.reply_to.refuse("invalid", f"{asked.scope}: is none of {', '.join(scopes)}")
            return

        def said(_: Returned) -> None:
            asked.reply_to.tell(Said(f"trading is {asked.state} for {asked.scope}"))
            if asked.state is TradingState.HALTED:
                self._account.cancel_working()

        statements = orders.set_state(asked.scope, asked.state, asked.why, self._me.clock.utc())
        self._books.write(statements, said, partial(pass_on, asked.reply_to))
