"""Orders, sessions, cancels, splits, dividends, deaths in any order: the books are those of a model of some lines."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from actors.kernel.testing import Probe
from messages.addresses import Refused
from messages.broker import InForce, Kind, Side, Stage
from messages.market import Action, ActionKind, Bars
from messages.trading import Holding, Said, Withdraw
from messages.values import to_units
from storage import ledger, orders, paper
from storage.home import Home
from tests.actors.domain.playing import ticket
from tests.actors.trading.papered import ACME, CASH, MONDAY, Desk, dividend, split

OPENED = 4
"""The session of the import."""
MOVES = st.sampled_from([0.96, 0.99, 1.0, 1.02, 1.05])
RATIOS = st.sampled_from(["2:1", "3:2", "5:1", "1:2", "1:4"])
"""Whole shares are exact after each of them, up to nine times."""
HAPPENS = st.none() | RATIOS | st.sampled_from(["0.004", "0.5", "1.25"])


class Trading(RuleBasedStateMachine):
    """What is held is what was there and what was executed, session by session, in the shares of each."""

    @initialize(seed=st.integers(0, 9))
    def begin(self, seed: int) -> None:
        self.place = TemporaryDirectory()
        home = Home(Path(self.place.name) / "desk")
        home.take()
        home.release()
        self.desk, self.rows = Desk(home, seed), [(100.0, 100.0)] * (OPENED + 1)
        self.actions, self.paid, self.seen = list[Action](), Decimal(0), set[Action]()
        self.store()
        self.desk.open(Holding(ACME, Decimal(40), Decimal(80), None))

    def store(self) -> None:
        at = np.array(self.rows, np.float64)
        sessions = np.datetime64(MONDAY, "D") + np.arange(len(at)).astype("timedelta64[D]")
        high, low = at.max(axis=1) * 1.02, at.min(axis=1) * 0.98
        found = Bars(sessions, at[:, 0], high, low, at[:, 1], np.full(len(at), 1e6), at[:, 1])
        self.desk.keep(ACME, found, *self.actions)

    @rule(
        kind=st.sampled_from([*Kind]), side=st.sampled_from([*Side]), shares=st.integers(1, 60), move=MOVES,
        bracket=st.booleans(), in_force=st.sampled_from([InForce.GTC, InForce.GTC, InForce.DAY]),
    )  # fmt: skip
    def order(self, kind: Kind, side: Side, shares: int, move: float, bracket: bool, in_force: InForce) -> None:
        close = self.rows[-1][1]
        near, above, below = (f"{close * by:.4f}" for by in (move, 1.12, 0.88))
        with_legs = bracket and kind in {Kind.MARKET, Kind.LIMIT}
        profit, loss = (above, below) if side is Side.BUY else (below, above)
        self.desk.order(
            ticket(
                side, str(shares), kind, in_force=in_force,
                limit=near if kind in {Kind.LIMIT, Kind.STOP_LIMIT} else None,
                stop=near if kind in {Kind.STOP, Kind.STOP_LIMIT} else None,
                trail=f"{close * 0.03:.4f}" if kind is Kind.TRAILING_STOP else None,
                take_profit=profit if with_legs else None, stop_loss=loss if with_legs else None,
            )
        )  # fmt: skip

    @rule(move=MOVES, overnight=MOVES, what=HAPPENS)
    def tomorrow(self, move: float, overnight: float, what: str | None) -> None:
        opened = self.rows[-1][1] * overnight
        if what is not None:
            self.actions.append(action := _action(what, len(self.rows)))
            opened = opened / float(action.value / action.per) if _splits(action) else opened - float(action.value)
        self.rows.append((opened, max(opened * move, 0.01)))
        self.store()

    @rule(what=st.sampled_from(["2:1", "5:1", "0.5"]), data=st.data())
    def comes_to_be_known_late(self, what: str, data: st.DataObject) -> None:
        splits = [(each.session - MONDAY).days for each in self.actions if _splits(each)]
        first = max([OPENED, *splits]) + 1  # what was split since then is a case of its own
        if len(self.rows) > first:
            self.check()  # whatever was executed before was executed without it
            late = _action(what, data.draw(st.integers(first, len(self.rows) - 1)))
            if (late.session, late.kind) not in {(each.session, each.kind) for each in self.actions}:
                self.actions.append(late)
                self.store()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if found := orders.open_orders(self.desk.read):
            self.desk.ref.tell(Withdraw(data.draw(st.sampled_from(found)).id, Probe[Said | Refused]()))
            self.desk.system.settle()

    @rule(turns=st.integers(0, 30))
    def dies(self, turns: int) -> None:
        self.desk.system.advance(0.0)
        for _ in range(turns):
            self.desk.system.turn()
        self.desk = self.desk.died()

    @rule()
    def the_broker_crashes(self) -> None:
        self.desk.system.crash(self.desk.broker)
        self.desk.tick()

    @rule()
    def time_goes_by(self) -> None:
        self.desk.tick()

    @rule()
    def check(self) -> None:
        self.desk.agree()
        executions = paper.executions(self.desk.read, 0)
        for each in sorted({*self.actions} - self.seen, key=lambda each: (each.session, each.kind)):
            if not _splits(each):
                self.paid += self.shares(each.session) * each.value
            self.seen.add(each)
        cash = sum((_sign(each.side) * each.quantity * each.price for each in executions), Decimal(0))
        assert self.desk.held() == self.shares(dt.date.max)
        assert ledger.cash(self.desk.read) == CASH - cash + self.paid
        for seen in paper.lately(self.desk.read, 0):
            order = self.desk.kept(seen.client_id)
            done = sum((each.quantity for each in executions if each.client_id == order.id), Decimal(0))
            assert order.filled == seen.filled == done <= order.ticket.quantity
            assert (order.filled == order.ticket.quantity) == (seen.stage is Stage.FILLED)

    def shares(self, until: dt.date) -> Decimal:
        """What is held before the trades of that session, by the splits that are known to be booked."""
        held = Decimal(40)
        executions = [each for each in paper.executions(self.desk.read, 0) if each.session < until]
        for on in sorted({each.session for each in executions} | {each.session for each in self.seen}):
            for each in self.seen:
                if each.session == on < until and _splits(each):
                    held = held * each.value / each.per
            held += sum((_sign(each.side) * each.quantity for each in executions if each.session == on), Decimal(0))
        assert to_units(held) == held.scaleb(9)
        return held

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.desk.read.close()
            self.place.cleanup()


def _action(what: str, on: int) -> Action:
    return split(what, on) if ":" in what else dividend(what, on)


def _splits(action: Action) -> bool:
    return action.kind is ActionKind.SPLIT


def _sign(side: Side) -> int:
    return 1 if side is Side.BUY else -1


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=10, stateful_step_count=20, deadline=None, print_blob=True)
