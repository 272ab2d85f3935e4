"""Paper orders end to end, on the real actors' threads: from a decision on disk to a fill whose ledger lines are.

For each symbol a BUY and a SELL take turns, each decided on beforehand and kept. A symbol's next decision is staged
when its last order is filled and booked, so that as many orders are under way as there are symbols. Nobody is asked: a
mandate allows all of it. Each round has a home of its own.
"""

import datetime as dt
import gc
import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from actors.brokers.choice import chosen
from actors.database import DatabaseWriter
from actors.domain import mandates as allowing
from actors.domain.mandates import Mandate
from actors.domain.orders import Limits
from actors.kernel.system import STOP_DESK, System
from actors.trading.coordinator import Message, TradingCoordinator
from actors.trading.judging import Judge
from actors.trading.sight import ENTRY
from messages import broker, database
from messages.addresses import Ref, Refused, ReplyTo
from messages.broker import ClientId, Side
from messages.database import Committed, Statement, Write
from messages.market import Bars
from messages.research import Action, Decision
from messages.tasks import Finished, Lease, Reconcile, Run, StageOrder
from messages.trading import Import, Imported, TradingState, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import balance, bars, decisions, mandates, orders, states
from storage.connections import Operations, Reader
from storage.home import Home
from telemetry.hooks import CountingHooks
from tests.benchmarks.measure import Figures
from tests.benchmarks.sync import Plan

LAST, SEED, CASH = dt.date(2026, 11, 20), 1, Decimal(100_000_000)
TERMS: Final = TradingTerms(target_weight=Decimal("0.005"), band=Decimal("0.001"))
LIMITS: Final = Limits(max_orders_a_day=100_000, max_orders_a_minute=100_000)
OFTEN: Final = 1e-3
"""Seconds between two looks at what is booked."""
HANGS: Final = 30.0
"""Seconds without any fill after which something is wrong."""
UNTIL: Final = 2**52
"""When the mandate expires, in microseconds: the year 2112."""


def prices(symbols: list[Symbol]) -> dict[Symbol, Bars]:
    """Five sessions of each, between 50 and 150, in which as much is traded as will be ordered."""
    dice, sessions = Random(SEED), np.datetime64(LAST, "D") - np.arange(5)[::-1].astype("timedelta64[D]")
    closes, volume = {symbol: np.full(5, dice.randint(5_000, 15_000) / 100) for symbol in symbols}, np.full(5, 1e8)
    return {symbol: Bars(sessions, at, at, at, at, volume, at) for symbol, at in closes.items()}


def decide(symbol: Symbol, number: int) -> tuple[str, Statement]:
    """The id of a symbol's decision of this number, and what keeps it: to buy, to sell, to buy."""
    action, round_ = (Action.SELL if number % 2 else Action.BUY), CorrelationId(f"{number:032x}")
    made = Decision(symbol, LAST, "claude", action, 0.8, 21, None, None, "so", (), None, Decimal("0.01"))
    return decisions.id_of(made, round_), decisions.insert(made, round_, number)


class Heard(ReplyTo[Finished | Refused]):
    """Notes what was refused."""

    __slots__ = ("_refused",)

    def __init__(self, refused: list[Refused]) -> None:
        super().__init__(None)
        self._refused = refused

    def send(self, answer: object, /) -> None:
        if isinstance(answer, Refused):
            self._refused.append(answer)


class Desk:
    """Writer, paper broker and trading, as a desk has them; its books are open, and all is decided on already."""

    def __init__(self, home: Home, symbols: int, rounds: int) -> None:
        home.path.mkdir()
        self.read = Reader(home.database)
        self.writer, self.trading = Ref[database.Message]("database"), Ref[Message]("trading")
        self.broker = Ref[broker.Request]("broker")
        judge = Judge(self.read, TERMS, LIMITS, home.halted, None)
        self.system = System(hooks=CountingHooks(), flush=lambda settled: self.writer.tell(Write((), settled)))
        add = self.system.add
        add(self.writer, lambda me: DatabaseWriter(me, home, {}, Operations()), STOP_DESK)
        add(self.broker, chosen(TERMS, home, self.read, self.writer, self.broker, self.trading, time.time_ns))
        add(self.trading, lambda me: TradingCoordinator(me, self.writer, self.broker, judge, self.read), STOP_DESK)
        self.system.start()
        self._open([Symbol(f"S{number}") for number in range(symbols)], rounds)

    def _open(self, symbols: list[Symbol], rounds: int) -> None:
        of = prices(symbols)
        self.keep(*(statement for symbol in symbols for statement in bars.replace(self.read, symbol, of[symbol])))
        opened: Imported | Refused = self.system.ask(
            self.trading, lambda reply_to: Import((), CASH, "benchmark", CorrelationId("c" * 32), reply_to), within=60
        )
        assert isinstance(opened, Imported), opened
        allowed = Mandate(CASH, LIMITS.max_orders_a_day, None, frozenset(Side), 0.5, UNTIL)
        self.keep(mandates.insert(allowing.text(allowed), allowing.digest(allowed), 0))
        decided = [(symbol, decide(symbol, number)) for number in range(rounds) for symbol in symbols]
        self.keep(*(statement for _, (_, statement) in decided))
        self.symbol_of = {orders.client_id(id_, ENTRY): symbol for symbol, (id_, _) in decided}
        self.decided = {symbol: list[str]() for symbol in symbols}
        for symbol, (id_, _) in decided:
            self.decided[symbol].append(id_)

    def keep(self, *statements: Statement) -> None:
        """Have them committed."""
        kept: Committed | Refused = self.system.ask(
            self.writer, lambda reply_to: Write(statements, reply_to), within=60
        )
        assert isinstance(kept, Committed), kept

    def run(self) -> tuple[float, float]:
        """Seconds, and seconds of this process on its processors, until all that was decided on is booked."""
        refused, count, booked, last = list[Refused](), len(self.symbol_of), 0, 0
        waiting = {symbol: iter(ids) for symbol, ids in self.decided.items()}
        began, cpu, seen = time.perf_counter(), time.process_time(), time.monotonic()
        for symbol in waiting:
            self._stage(next(waiting[symbol]), refused)
        while booked < count:
            rows = self.read.rows(
                tuple[int, str], "SELECT id, origin FROM ledger_transactions WHERE id > ? AND kind = 'trade'", last
            )
            for _, id_ in rows:
                if (decision := next(waiting[self.symbol_of[ClientId(id_)]], None)) is not None:
                    self._stage(decision, refused)
            booked, last = booked + len(rows), rows[-1][0] if rows else last
            seen = time.monotonic() if rows else seen
            if refused or time.monotonic() > seen + HANGS:
                raise SystemExit(f"after {booked} of {count} orders: {refused[:1] or orders.newest(self.read, 1)}")
            time.sleep(OFTEN)
        return time.perf_counter() - began, time.process_time() - cpu

    def _stage(self, decision: str, refused: list[Refused]) -> None:
        work, about = StageOrder(decision), CorrelationId("c" * 32)
        self.trading.tell(Run(Lease(0, 1), work, about, Heard(refused)))

    def audit(self) -> None:
        """Each order was filled once and whole, the books add up, and the broker has the same."""
        looked: Finished | Refused = self.system.ask(
            self.trading, lambda reply_to: Run(Lease(0, 1), Reconcile(), CorrelationId("c" * 32), reply_to), within=60
        )
        assert isinstance(looked, Finished), looked
        ended = self.read.rows(tuple[str, int], "SELECT state, count(*) FROM trading_orders GROUP BY state")
        found = ended, states.state(self.read, "paper")[0], balance.damage(self.read)
        if found != ([("filled", len(self.symbol_of))], TradingState.ACTIVE, None):
            raise SystemExit(f"the orders are not what was decided on: {found}")

    def stop(self) -> None:
        assert self.system.stop(grace=10) == []


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """Where a sync takes what it is to take."""
    for repeat in range(repeats):
        home = Home(place / f"{repeat}")
        desk = Desk(home, int(plan["symbols"]), int(plan["rounds"]))
        gc.collect()
        seconds, cpu = desk.run()
        desk.audit()
        desk.stop()
        shutil.rmtree(home.path)
        count = len(desk.symbol_of)
        yield {"orders_per_s": count / seconds, "order_cpu_us": cpu / count * 1e6}
