"""Writer, trading and the paper broker on the deterministic kernel, over a real file, from one session to the next."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Final

import numpy as np

from actors.brokers.paper import Message as BrokerMessage
from actors.brokers.paper import PaperBroker
from actors.database import DatabaseWriter
from actors.domain.costs import PRESETS
from actors.domain.orders import Limits
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from actors.trading.account import Resolve
from actors.trading.coordinator import Message, TradingCoordinator
from actors.trading.judging import Judge
from messages import database
from messages.addresses import Ref, Refused
from messages.broker import ClientId, Send, Ticket
from messages.database import Statement, Write
from messages.market import Action, ActionKind, Bars, Listed
from messages.research import Action as Call
from messages.research import Decision
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder
from messages.trading import (
    Amend,
    Approve,
    Holding,
    Import,
    Imported,
    Order,
    OrderState,
    Said,
    SetState,
    TradingState,
    TradingTerms,
)
from messages.values import CorrelationId, Symbol
from storage import actions, audit, bars, decisions, ledger, orders, paper, states
from storage.connections import Operations, Reader
from storage.home import Home

ACME: Final = Symbol("ACME")
MONDAY: Final = dt.date(2013, 2, 25)
"""The first session; the books are opened on 2013-03-01, the fifth."""
CASH: Final = Decimal(100_000)
LOOSE: Final = Limits(
    max_position=Decimal(9), max_symbol=Decimal(9), max_gross=Decimal(9), max_net=Decimal(9), max_sector=Decimal(9),
    max_daily_loss=Decimal("0.2"), max_drawdown=Decimal("0.9"), max_orders_a_day=10_000, max_orders_a_minute=10_000,
    price_collar=Decimal(1), max_price_age=30, min_value=Decimal(0),
)  # fmt: skip
ROUNDS: Final = count()


class Desk:
    """One life of it; abandoned it was killed, and `died` makes the next one on its file."""

    def __init__(self, home: Home, seed: int = 0, at: float = 0.0) -> None:
        self.home, self.seed = home, seed
        self.system = TestSystem(seed, flush=lambda settled: self.writer.tell(Write((), settled)))
        self.system.manual.manual.now = at
        self.writer, self.ref = Ref[database.Message]("database"), Ref[Message]("trading")
        self.broker = Ref[BrokerMessage]("broker")
        self.read = read = Reader(home.database, self.system.clock.monotonic)
        judge = Judge(read, TradingTerms(), LOOSE, home.halted, None)
        began, free = partial(ledger.began_with, read), PRESETS["none"]
        self.system.add(self.writer, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        about = self.ref, read, began, home.halted, free
        self.system.add(self.broker, lambda me: PaperBroker(me, self.writer, *about, shut=home.halted))
        self.system.add(self.ref, lambda me: TradingCoordinator(me, self.writer, self.broker, judge, read), STOP_DESK)
        self.system.start()

    def died(self) -> "Desk":
        """Killed at this moment; another is started a second later."""
        return Desk(self.home, self.seed, self.system.clock.monotonic() + 1.0)

    # The market

    def closes(
        self, *prices: float, symbol: Symbol = ACME, listed: tuple[Action, ...] = (), volume: float = 1e6
    ) -> None:
        """A session for each, from the first on, which opens and closes there; so many shares change hands in it."""
        self.comes(*prices, symbol=symbol, listed=listed, volume=volume)
        self.system.settle()

    def comes(
        self, *prices: float, symbol: Symbol = ACME, listed: tuple[Action, ...] = (), volume: float = 1e6
    ) -> None:
        """The same, which is still on its way to the disk."""
        at = np.array(prices, np.float64)
        sessions = np.datetime64(MONDAY, "D") + np.arange(len(at)).astype("timedelta64[D]")
        found = Bars(sessions, at, at, at, at, np.full(len(at), volume), at)
        self.writer.tell(Write(self._handed_in(symbol, found, listed), Probe()))

    def keep(self, symbol: Symbol, found: Bars, *listed: Action) -> None:
        """As a source hands them in; nobody is told."""
        self.write(*self._handed_in(symbol, found, listed))

    def _handed_in(self, symbol: Symbol, found: Bars, listed: tuple[Action, ...]) -> tuple[Statement, ...]:
        known = actions.replace(self.read, symbol, [Listed(each, "actions.csv") for each in listed])
        return (*bars.replace(self.read, symbol, found), *known)

    def write(self, *statements: Statement) -> None:
        """Have them committed."""
        self.writer.tell(Write(statements, Probe()))
        self.system.settle()

    # A person

    def open(self, *holdings: Holding, cash: Decimal = CASH) -> None:
        """Import, and let trading look at what it has once."""
        probe = Probe[Imported | Refused]()
        self.ref.tell(Import(holdings, cash, "mine.csv", CorrelationId("c" * 32), probe))
        self.system.settle()
        assert isinstance(probe.received[0], Imported), probe.received
        self.tick()

    def order(self, ticket: Ticket) -> ClientId:
        """An order that was approved and sent, before whatever stands against another of the symbol; its id."""
        about = CorrelationId(f"{next(ROUNDS):032x}")
        decision = Decision(
            ticket.symbol, MONDAY, "claude", Call.BUY, 0.8, 21, Decimal(9), Decimal(1), "so", (), None, Decimal(0)
        )
        id_ = decisions.id_of(decision, about)
        ticket = replace(ticket, client_id=orders.client_id(id_, "entry"))
        order = Order(
            ticket, id_, about, "paper", OrderState.APPROVED, Decimal(0), Decimal(100), "", 1, 2, approved_by="person"
        )
        self.write(decisions.insert(decision, about, 1), *orders.insert(order))
        self.broker.tell(Send(ticket, Probe()))
        self.ref.tell(Resolve(order.id))
        self.system.settle()
        return order.id

    def decide(self) -> str:
        """Keep a decision to sell all there is; its id."""
        decision = Decision(ACME, MONDAY, "claude", Call.SELL, 0.8, 21, Decimal(1), None, "so", (), None, Decimal(0))
        about = CorrelationId(f"{next(ROUNDS):032x}")
        self.write(decisions.insert(decision, about, 1))
        return decisions.id_of(decision, about)

    def stage(self, decision: str) -> Finished | Refused:
        """Have it sized and staged."""
        probe = Probe[Finished | Refused]()
        self.ref.tell(Run(Lease(1, 1), StageOrder(decision), CorrelationId("c" * 32), probe))
        self.system.settle()
        return probe.received[0]

    def approve(self, id_: ClientId) -> Said | Refused:
        """Say yes."""
        probe = Probe[Said | Refused]()
        self.ref.tell(Approve(id_, probe))
        self.system.settle()
        return probe.received[0]

    def amend(self, id_: str, stop: Decimal) -> Said | Refused:
        """Move a stop."""
        probe = Probe[Said | Refused]()
        self.ref.tell(Amend(ClientId(id_), None, stop, probe))
        self.system.settle()
        return probe.received[0]

    def say(self, state: TradingState) -> None:
        """Whether trading goes on."""
        probe = Probe[Said | Refused]()
        self.ref.tell(SetState("all", state, "so", probe))
        self.system.settle()
        assert isinstance(probe.received[0], Said), probe.received

    def tick(self) -> None:
        """The next of trading's own."""
        self.system.advance(301.0)

    def reconcile(self) -> None:
        """Compare the accounts, and book what is due."""
        probe = Probe[Finished | Refused]()
        self.ref.tell(Run(Lease(1, 1), Reconcile(), CorrelationId("c" * 32), probe))
        self.system.settle()
        assert [type(answer) for answer in probe.received] == [Finished], probe.received

    # What there is

    def held(self, symbol: Symbol = ACME) -> Decimal:
        """Shares by the books."""
        return next((held.quantity for held in ledger.held(self.read) if held.symbol == symbol), Decimal(0))

    def kept(self, id_: str) -> Order:
        """An order as trading keeps it."""
        found = orders.by_id(self.read, id_)
        assert found is not None, id_
        return found

    def agree(self) -> None:
        """The books add up, both sides agree on shares, cash and working orders, and nothing has halted trading."""
        self.reconcile()
        assert states.state(self.read, "paper") == (TradingState.ACTIVE, "")
        assert audit.audit(self.read) is None
        there = {order.ticket.client_id: order for order in paper.working(self.read)}
        here = {order.id: order for order in orders.open_orders(self.read) if order.state is OrderState.WORKING}
        assert there.keys() == here.keys()
        for id_, order in there.items():
            assert (order.filled, here[id_].filled) == (here[id_].filled, order.filled)
            assert order.ticket == here[id_].ticket, id_


def split(ratio: str, on: int, symbol: Symbol = ACME) -> Action:
    """A split from that session on, the first being 0."""
    new, old = ratio.split(":")
    return Action(symbol, MONDAY + dt.timedelta(on), ActionKind.SPLIT, Decimal(new), Decimal(old))


def dividend(value: str, on: int, symbol: Symbol = ACME) -> Action:
    """A dividend that is gone from that session on."""
    return Action(symbol, MONDAY + dt.timedelta(on), ActionKind.DIVIDEND, Decimal(value))
