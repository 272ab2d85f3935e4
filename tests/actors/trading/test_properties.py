"""Any sequence of orders, fills, cancels and crashes keeps the ledger's invariant and never overfills."""

import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from actors.database import DatabaseWriter
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from actors.trading.account import ANSWER_WITHIN, RESOLVE_AFTER
from actors.trading.coordinator import Message, TradingCoordinator
from actors.trading.judging import Judge
from messages import broker, database
from messages.addresses import Ref, Refused
from messages.broker import Executed, Look, Viewed
from messages.database import Write
from messages.research import Action, Decision
from messages.tasks import Lease, Reconcile, Run, StageOrder
from messages.trading import (
    Approve,
    Import,
    Imported,
    OrderState,
    Reject,
    SetState,
    TradingState,
    Withdraw,
)
from messages.values import CorrelationId
from storage import audit, bars, decisions, orders
from storage.connections import Operations, Reader
from storage.home import Home
from tests.actors.brokers.driving import days, flat
from tests.actors.domain import making
from tests.actors.trading.staged import AAPL
from tests.simulation.agreement import books_are_whole, both_sides_agree
from tests.simulation.exchange import LONG, Exchange, Speaker
from tests.simulation.floor import CASH, HOLDINGS, LIMITS, TERMS
from tests.simulation.storm import Fault, Kind, Storm

ROUND: Final = CorrelationId("c" * 32)
FAULTS: Final[tuple[Kind, ...]] = ("deaf", "delay", "late", "gate")
"""On the line; or, the last, that an order is rejected."""
UNCERTAIN: Final = max(ANSWER_WITHIN + RESOLVE_AFTER, LONG) + 1


class Life:
    """Writer, trading and the line to an exchange which outlives them."""

    def __init__(self, home: Home, exchange: Exchange, storm: Storm, at: float) -> None:
        self.system, self.writer, self.ref = TestSystem(), Ref[database.Message]("database"), Ref[Message]("trading")
        self.system.manual.manual.now = at
        self.broker, self.read = Ref[broker.Request]("broker"), Reader(home.database, self.system.clock.monotonic)
        judge, clock = Judge(self.read, TERMS, LIMITS, home.halted, None), self.system.clock.monotonic
        add, to = self.system.add, self.broker
        add(self.writer, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        add(self.broker, lambda me: Speaker(exchange, home.halted, storm, clock))
        add(self.ref, lambda me: TradingCoordinator(me, self.writer, to, judge, self.read), STOP_DESK)
        self.system.start()

    def keep(self, *statements: database.Statement) -> None:
        self.writer.tell(Write(statements, Probe[Any]()))

    def price(self, last: float) -> None:
        self.keep(*bars.replace(self.read, AAPL, days("2013-02-11", *[flat(last)] * 5)))


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A home in which the books are open."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        home = Home(Path(place) / "template")
        home.path.mkdir()
        life = Life(home, Exchange(CASH, {}), Storm(()), 0.0)
        probe = Probe[Imported | Refused]()
        life.ref.tell(Import(HOLDINGS, CASH, "mine.csv", ROUND, probe))
        life.price(100.0)
        life.system.settle()
        assert isinstance(probe.received[0], Imported)
        life.system.stop(grace=10.0)
        yield home.path


class Trading(RuleBasedStateMachine):
    """A person, an exchange, and everything that goes wrong between them."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.home = Home(self.place / "home")
        shutil.copytree(self.template, self.home.path)
        self.exchange, self.storm = Exchange(CASH, {held.symbol: held.quantity for held in HOLDINGS}), Storm(())
        self.decided, self.life = list[str](), Life(self.home, self.exchange, self.storm, 0.0)

    # A person

    def _order(self, instruction: Any) -> None:
        self.life.ref.tell(instruction(Probe[Any]()))

    @rule(action=st.sampled_from([Action.BUY, Action.SELL]), protected=st.booleans())
    def decide(self, action: Action, protected: bool) -> None:
        round_, low, high = CorrelationId(f"{len(self.decided) + 1:032x}"), Decimal(60), Decimal(160)
        target = (high if action is Action.BUY else low) if protected else None
        stop = low if action is Action.BUY and protected else None
        decision = Decision(AAPL, making.LAST, "rules", action, 0.8, 21, target, stop, "so", (), None, Decimal(0))
        self.life.keep(decisions.insert(decision, round_, 1))
        self.life.system.settle()
        self.decided.append(decisions.id_of(decision, round_))
        self._stage(self.decided[-1])

    def _stage(self, decision: str) -> None:
        self.life.ref.tell(Run(Lease(1, 1), StageOrder(decision), ROUND, Probe[Any]()))

    @rule(number=st.integers(0, 3), what=st.sampled_from(["approve", "approve", "approve", "reject", "cancel"]))
    def order(self, number: int, what: str) -> None:
        wanted = OrderState.WORKING if what == "cancel" else OrderState.STAGED
        found = [order for order in orders.open_orders(self.life.read) if order.state is wanted]
        if found:
            id_ = found[number % len(found)].id
            make: dict[str, Any] = {"approve": partial(Approve, id_), "reject": partial(Reject, id_, "no")}
            self._order(make.get(what, partial(Withdraw, id_)))

    @rule(state=st.sampled_from(TradingState))
    def set_state(self, state: TradingState) -> None:
        self._order(partial(SetState, "all", state, "enough"))

    # The exchange

    @precondition(lambda self: self.exchange.working)
    @rule(number=st.integers(0, 5), part=st.integers(1, 60), told=st.integers(0, 2))
    def fill(self, number: int, part: int, told: int) -> None:
        id_ = self.exchange.working[number % len(self.exchange.working)]
        quantity, at = min(Decimal(part), self.exchange.left(id_)), self.life.system.clock.utc()
        executed = self.exchange.fill(id_, quantity, Decimal(100), making.LAST, at)
        for _ in range(told):
            self.life.ref.tell(executed)

    @precondition(lambda self: self.exchange.executions)
    @rule(number=st.integers(0, 5))
    def tell_again(self, number: int) -> None:
        execution = self.exchange.executions[number % len(self.exchange.executions)]
        seen = self.exchange.look_up(execution.client_id)
        assert seen is not None
        self.life.ref.tell(Executed(execution, seen))

    @rule(last=st.integers(90, 110))
    def move_the_price(self, last: int) -> None:
        self.life.price(float(last))

    # What goes wrong, and when

    @rule(kind=st.sampled_from(FAULTS))
    def go_wrong(self, kind: Kind) -> None:
        self.storm.arm(Fault(0, kind, "exchange" if kind == "gate" else "line"))

    @rule(turns=st.integers(1, 12))
    def let_it_work(self, turns: int) -> None:
        for _ in range(turns):
            self.life.system.turn()

    @rule(seconds=st.sampled_from([1.0, 3.0, 95.0, 210.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.life.system.advance(seconds)
        now = self.life.system.clock.monotonic()
        due, self.exchange.line = (
            [arrive for at, arrive in self.exchange.line if at <= now],
            [(at, arrive) for at, arrive in self.exchange.line if at > now],
        )
        for arrive in due:
            arrive()

    @rule()
    def crash(self) -> None:
        """Of the desk, between two messages: nothing of it is left but its files, and tasks that were not done."""
        at = self.life.system.clock.monotonic()
        self.life.read.close()
        self.life = Life(self.home, self.exchange, self.storm, at)
        for decision in self.decided:
            self._stage(decision)

    # What must be so

    @invariant()
    def the_books_are_whole(self) -> None:
        books_are_whole(self.life.read)
        for kept in self.exchange.orders.values():
            assert kept.filled <= kept.quantity

    def teardown(self) -> None:
        """All comes to its end, and nothing was halted but by a person."""
        try:
            self.storm.calm()
            self.set_state(TradingState.ACTIVE)
            for _ in range(2):
                self.wait(UNCERTAIN)
                self.life.ref.tell(Run(Lease(0, 1), Reconcile(), ROUND, Probe[Any]()))
                self.life.system.settle()
            looked = Probe[Any]()
            self.life.broker.tell(Look(0, looked))
            self.life.system.settle()
            [viewed] = looked.received
            assert isinstance(viewed, Viewed)
            both_sides_agree(self.life.read, viewed.view)
            assert audit.audit(self.life.read) is None
            assert not self.life.system.failed.done(), self.life.system.failed.result()
            assert not [note for note in orders.journal(self.life.read, "") if "paper" in note.sentence]
            assert all(orders.of_decision(self.life.read, decision) for decision in self.decided)
        finally:
            self.life.read.close()
            shutil.rmtree(self.place)


def run(template: Path, examples: int) -> None:
    Trading.template = template
    run_state_machine_as_test(Trading, settings=settings(max_examples=examples, stateful_step_count=30))


def test_whatever_happens_the_books_are_whole_and_nothing_is_overfilled(template: Path) -> None:
    run(template, 12)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_same_with_more_of_it(template: Path) -> None:
    run(template, 100)
