"""A desk of writer and trading on the deterministic kernel, with a broker that behaves badly on request."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, assert_never

from actors.database import DatabaseWriter
from actors.domain.orders import Limits
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from actors.trading.coordinator import Message, TradingCoordinator
from actors.trading.judging import Judge
from messages import broker, database
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import (
    Absent,
    Activity,
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
from messages.database import Write
from messages.research import Action, Decision
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder, Work
from messages.trading import Approve, Holding, Import, Imported, Order, Said, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import balance, bars, decisions, ledger, orders
from storage.connections import Operations, Reader
from storage.home import Home
from tests.actors.domain import making

AAPL: Final = Symbol("AAPL")
ROUND: Final = CorrelationId("c" * 32)
CASH: Final = Decimal(100_000)
SOON: Final = int(dt.datetime(2013, 4, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
"""After whatever a test's clock shows, in microseconds: when executions are."""


@dataclass
class Exchange:
    """What the broker knows, whatever becomes of the desk; `mood` says what it does with the next request.

    kind: answers. deaf: does not get it. mute: gets it and does not answer. slow: does not cancel it yet. hold: its
    answer is put into `answers`.
    `faults` is used up first to last.
    """

    orders: dict[ClientId, Seen] = field(default_factory=dict[ClientId, Seen])
    tickets: dict[ClientId, Ticket] = field(default_factory=dict[ClientId, Ticket])
    executions: list[Execution] = field(default_factory=list[Execution])
    sent: list[ClientId] = field(default_factory=list[ClientId])
    faults: list[str] = field(default_factory=list[str])
    answers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    cash: Decimal = CASH
    held: dict[Symbol, Decimal] = field(default_factory=dict[Symbol, Decimal])
    unfit: Callable[[Ticket], str | None] = lambda ticket: None
    looks: int = 0
    activities: list[Activity] = field(default_factory=list[Activity])
    changed: list[tuple[ClientId, Decimal | None, Decimal | None]] = field(default_factory=list[Any])
    looking: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """What happens right before the next looks."""

    def move(self, activity: Activity) -> None:
        """Cash or shares move without an order."""
        self.activities.append(activity)
        self.cash += activity.amount
        if activity.symbol is not None:
            self.held[activity.symbol] = self.held.get(activity.symbol, Decimal(0)) + activity.shares

    def fill(self, id_: ClientId, quantity: Decimal | None = None, price: Decimal = Decimal(100)) -> Executed:
        """Fill an order, whole if nothing is said, and say so; nobody is told yet."""
        ticket, seen = self.tickets[id_], self.orders[id_]
        part = ticket.quantity - seen.filled if quantity is None else quantity
        number, session = len(self.executions) + 1, dt.date(2013, 3, 1)
        execution = Execution(
            id_, f"e{number}", ticket.symbol, ticket.side, part, price, Decimal(1), session, SOON + number
        )
        self.executions.append(execution)
        whole = seen.filled + part >= ticket.quantity
        self.orders[id_] = Seen(id_, Stage.FILLED if whole else Stage.WORKING, seen.filled + part)
        sign = 1 if ticket.side is Side.BUY else -1
        self.held[ticket.symbol] = self.held.get(ticket.symbol, Decimal(0)) + sign * part
        self.cash -= sign * part * price + execution.fee
        for leg in ("tp", "sl") if ticket.take_profit is not None else ():
            of = ClientId(f"{id_}-{leg}")
            self.orders.setdefault(of, Seen(of, Stage.WORKING, Decimal(0)))
        return Executed(execution, self.orders[id_])

    def end(self, id_: ClientId, stage: Stage) -> None:
        """What is not filled of an order will not be."""
        self.orders[id_] = replace(self.orders[id_], stage=stage)

    def fill_leg(self, id_: ClientId) -> Executed:
        """Fill what protects a whole position, and say so; nobody is told yet."""
        parent = self.tickets[ClientId(id_[:24])]
        self.tickets[id_] = Ticket(id_, parent.symbol, Side.SELL, parent.quantity)
        return self.fill(id_)


class StagedBroker:
    """Speaks for the exchange."""

    def __init__(self, exchange: Exchange, halted: Callable[[], str | None], *, flattens: bool) -> None:
        self._exchange, self._halted, self._flattens = exchange, halted, flattens

    def on_receive(self, message: broker.Request) -> None:
        exchange = self._exchange
        mood = exchange.faults.pop(0) if exchange.faults and not isinstance(message, broker.Look) else "kind"
        if mood == "deaf":
            return
        answer: Callable[[], None]
        match message:
            case broker.Send() | broker.Flatten():
                ticket, passes = message.ticket, self._flattens and isinstance(message, broker.Flatten)
                if not passes and (why := self._halted()) is not None:
                    message.reply_to.refuse("halted", why)
                    return
                exchange.sent.append(ticket.client_id)
                exchange.tickets.setdefault(ticket.client_id, ticket)
                seen = exchange.orders.setdefault(ticket.client_id, Seen(ticket.client_id, Stage.WORKING, Decimal(0)))
                if mood == "reject":
                    seen = exchange.orders[ticket.client_id] = replace(seen, stage=Stage.REJECTED, why="not today")
                answer = partial(message.reply_to.tell, Found(message.reply_to.about, seen))
            case broker.LookUp(client_id):
                answer = partial(self._say, client_id, message.reply_to)
            case broker.Withdraw(client_id):
                working = client_id in exchange.orders and exchange.orders[client_id].stage is Stage.WORKING
                if working and mood != "slow":
                    exchange.orders[client_id] = replace(exchange.orders[client_id], stage=Stage.CANCELLED)
                answer = partial(self._say, client_id, message.reply_to)
            case broker.Replace(client_id, number, limit, stop):
                if (why := self._halted()) is not None:
                    message.reply_to.refuse("halted", why)
                    return
                if mood == "reject":
                    message.reply_to.refuse("declined", "not today")
                    return
                known = exchange.orders.get(client_id)
                if known is not None and known.stage is Stage.WORKING and known.change < number:
                    exchange.orders[client_id] = replace(known, change=number)
                    exchange.changed.append((client_id, limit, stop))
                answer = partial(self._say, client_id, message.reply_to)
            case broker.Look(since):
                exchange.looks += 1
                if exchange.looking:
                    exchange.looking.pop(0)()
                held = tuple(Shares(symbol, quantity) for symbol, quantity in exchange.held.items())
                executions = tuple(each for each in exchange.executions if each.at >= since)
                seen_orders, moved = tuple(exchange.orders.values()), tuple(exchange.activities)
                view = View(seen_orders, executions, held, exchange.cash, activities=moved)
                answer = partial(message.reply_to.tell, Viewed(message.reply_to.about, view))
            case _:
                assert_never(message)
        if mood == "hold":
            exchange.answers.append(answer)
        elif mood != "mute":
            answer()

    def _say(self, id_: ClientId, reply_to: ReplyTo[Found | Absent | Refused]) -> None:
        seen = self._exchange.orders.get(id_)
        reply_to.tell(Absent(reply_to.about) if seen is None else Found(reply_to.about, seen))


class Desk:
    """One life of it, from `at` seconds after 2013-03-01 on; `exchange` and the home outlive it."""

    def __init__(
        self,
        home: Home,
        exchange: Exchange,
        terms: TradingTerms | None = None,
        seed: int | None = None,
        calendar: str | None = None,
        at: float = 0.0,
        limits: Limits | None = None,
        publish: Callable[[object], None] = lambda event: None,
    ) -> None:
        self.home, self.exchange = home, exchange
        self.system = TestSystem(0 if seed is None else seed, publish=publish)
        self.system.manual.manual.now = at
        self.writer, self.ref = Ref[database.Message]("database"), Ref[Message]("trading")
        self.broker = Ref[broker.Request]("broker")
        self.read = Reader(home.database, self.system.clock.monotonic)
        judge = Judge(self.read, terms or TradingTerms(), limits or Limits(), home.halted, calendar, exchange.unfit)
        self.system.add(self.writer, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        self.system.add(self.broker, lambda me: StagedBroker(exchange, home.halted, flattens=judge.flattens))
        self.system.add(
            self.ref, lambda me: TradingCoordinator(me, self.writer, self.broker, judge, self.read), STOP_DESK
        )
        self.system.start()

    def open(self, *holdings: Holding, cash: Decimal = CASH) -> None:
        """Prices of AAPL that end at 100, and the books with this in them."""
        self.prices(100.0)
        probe = Probe[Imported | Refused]()
        self.ref.tell(Import(holdings, cash, "mine.csv", ROUND, probe))
        self.system.settle()
        assert isinstance(probe.received[0], Imported)
        self.exchange.cash = cash
        self.exchange.held = {held.symbol: held.quantity for held in holdings}

    def prices(self, last: float, symbol: Symbol = AAPL) -> None:
        """300 bars that end at this."""
        walk = making.walk(300)
        self.keep(*bars.replace(self.read, symbol, making.bars(walk * (last / walk[-1]))))

    def keep(self, *statements: database.Statement) -> None:
        """Have them committed."""
        self.writer.tell(Write(statements, Probe()))
        self.system.settle()

    def decide(self, action: Action = Action.BUY, round_: CorrelationId = ROUND, symbol: Symbol = AAPL) -> str:
        """Keep a decision; its id."""
        stop, target = (Decimal(90), Decimal(120)) if action is Action.BUY else (None, Decimal(80))
        decision = Decision(
            symbol, making.LAST, "claude", action, 0.8, 21, target, stop, "so", (), None, Decimal("0.01")
        )
        self.keep(decisions.insert(decision, round_, 1))
        return decisions.id_of(decision, round_)

    def run(self, work: Work) -> Probe[Finished | Refused]:
        """Hand out a task."""
        probe = Probe[Finished | Refused]()
        self.ref.tell(Run(Lease(1, 1), work, ROUND, probe))
        self.system.settle()
        return probe

    def stage(self, action: Action = Action.BUY, round_: CorrelationId = ROUND) -> Order:
        """Have a decision staged."""
        id_ = self.decide(action, round_)
        [finished] = self.run(StageOrder(id_)).received
        assert isinstance(finished, Finished), finished
        [order] = orders.of_decision(self.read, id_)
        return order

    def approve(self, id_: ClientId) -> Probe[Said | Refused]:
        """Say yes."""
        probe = Probe[Said | Refused]()
        self.ref.tell(Approve(id_, probe))
        return probe

    def reconcile(self) -> None:
        """Compare the accounts."""
        [finished] = self.run(Reconcile()).received
        assert isinstance(finished, Finished), finished

    def order(self, id_: str) -> Order:
        """As it is kept."""
        found = orders.by_id(self.read, id_)
        assert found is not None
        return found

    def agree(self) -> None:
        """Books and broker agree, and the books add up."""
        assert balance.unbalanced(self.read) is None
        assert ledger.cash(self.read) == self.exchange.cash
        theirs = {symbol: quantity for symbol, quantity in self.exchange.held.items() if quantity}
        assert {held.symbol: held.quantity for held in ledger.held(self.read)} == theirs
